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

  get(name: string): Value {
    const own = this.exported.get(name);
    if (own !== undefined) return own();
    const assigned = this.exportsObject;
    if (name === "default") return fieldOf(assigned, name) ?? assigned;
    const found = fieldOf(assigned, name);
    if (found !== undefined) return found;
    for (const star of this.stars) {
      const value = star.get(name);
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
