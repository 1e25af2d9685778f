// One file that was gone through: its names, and what it gives to others.
import { posix } from "node:path";
import type { Source } from "./ast.ts";
import { Names } from "./scope.ts";
import { plain, record, UNKNOWN } from "./values.ts";
import type { ModuleValue, Rec, Value } from "./values.ts";

export class Module implements ModuleValue {
  readonly kind = "module";
  readonly source: Source;
  readonly scope: Names;
  private readonly exported = new Map<string, () => Value>();
  private readonly stars: ModuleValue[] = [];
  /** Names that somebody looks up just now. */
  private readonly asked = new Set<string>();
  /** CommonJS's `module`. */
  private readonly moduleObject: Rec;

  constructor(source: Source) {
    this.source = source;
    this.scope = new Names(source);
    const exports = record();
    this.moduleObject = record([["exports", exports]]);
    this.scope.declare("module", this.moduleObject);
    this.scope.declare("exports", exports);
    // The folder that is read is the root of what paths there are.
    this.scope.declare("__filename", plain(`/${source.file}`));
    this.scope.declare("__dirname", plain(posix.dirname(`/${source.file}`)));
  }

  export(name: string, live: () => Value): void {
    this.exported.set(name, live);
  }

  exportAll(of: ModuleValue): void {
    this.stars.push(of);
  }

  /** `export = value` */
  replace(value: Value): void {
    this.moduleObject.fields.set("exports", value);
  }

  /** What `require` gives. */
  get required(): Value {
    return this.exported.size > 0 || this.stars.length > 0 ? this : this.exportsObject;
  }

  get names(): readonly string[] {
    return [...this.exported.keys()];
  }

  /** Where modules give each other what none of them has, it is unknown. */
  get(name: string, above: Set<ModuleValue> = new Set()): Value {
    if (above.has(this) || this.asked.has(name)) return UNKNOWN;
    above.add(this);
    this.asked.add(name);
    try {
      return this.found(name, above);
    } finally {
      this.asked.delete(name);
    }
  }

  private found(name: string, above: Set<ModuleValue>): Value {
    const own = this.exported.get(name);
    if (own !== undefined) return own();
    const assigned = this.exportsObject;
    if (name === "default") return fieldOf(assigned, name) ?? assigned;
    const found = fieldOf(assigned, name);
    if (found !== undefined) return found;
    for (const star of this.stars) {
      const value = star.get(name, above);
      if (value.kind !== "unknown") return value;
    }
    return UNKNOWN;
  }

  private get exportsObject(): Value {
    return this.moduleObject.fields.get("exports") ?? UNKNOWN;
  }
}

function fieldOf(value: Value, name: string): Value | undefined {
  return value.kind === "record" || value.kind === "function" || value.kind === "class"
    ? value.fields.get(name)
    : undefined;
}
