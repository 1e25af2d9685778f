// The names that a piece of source sees.
import type { Source } from "./ast.ts";
import { either } from "./values.ts";
import type { Frame, Scope, Value } from "./values.ts";

type Cell = { value: Value } | { readonly live: () => Value };

export class Names implements Scope {
  readonly source: Source;
  readonly frame: Frame;
  readonly self: Value | undefined;
  private readonly parent: Names | undefined;
  private readonly cells = new Map<string, Cell>();

  constructor(source: Source, parent?: Names, frame?: Frame, self?: Value) {
    this.source = source;
    this.parent = parent;
    this.frame = frame ?? parent?.frame ?? { returns: [], unsure: 0 };
    this.self = self ?? parent?.self;
  }

  inner(): Names {
    return new Names(this.source, this);
  }

  called(self: Value | undefined): Names {
    return new Names(this.source, this, { returns: [], unsure: 0 }, self);
  }

  declare(name: string, value: Value): void {
    this.cells.set(name, { value });
  }

  link(name: string, live: () => Value): void {
    this.cells.set(name, { live });
  }

  get(name: string): Value | undefined {
    const cell = this.find(name);
    if (cell === undefined) return undefined;
    return "live" in cell ? cell.live() : cell.value;
  }

  set(name: string, value: Value): void {
    const cell = this.find(name);
    if (cell === undefined || "live" in cell) return;
    cell.value = this.frame.unsure > 0 ? either(cell.value, value) : value;
  }

  private find(name: string): Cell | undefined {
    return this.cells.get(name) ?? this.parent?.find(name);
  }
}
