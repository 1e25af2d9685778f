// What the parts of the reader ask of each other. The reader goes through a service's source as the
// service would start, with values where they are known and nothing where they are not; it has no
// way to do anything.
import type { Node } from "./ast.ts";
import type { UnreadReason } from "./reason.ts";
import type { Asks, At, Fn, Rec, Router, Scope, Value } from "./values.ts";

export interface Machine {
  readonly routers: Router[];
  /** Records that look like routes: `{ method, path, handler }`. */
  readonly tables: Map<Node, { readonly record: Rec; readonly at: At }>;
  /** Of those, what a framework was given. */
  readonly given: Set<Node>;
  /** Calls of which it is known what they are called on. */
  readonly judged: Set<Node>;
  /** Functions that were gone through. */
  readonly ran: Set<Node>;
  /** Calls that make a server of Node's out of an app. */
  readonly hosting: Set<Node>;
  /** JSON Schemas by their `$id`. */
  readonly shared: Map<string, Value>;
  /** The calls that led to what is read just now, the first one first. */
  readonly callers: At[];
  /** Conditions that what is read just now depends on. */
  readonly conditions: At[];

  evaluate(node: Node | undefined, scope: Scope): Value;
  /** Goes through statements; says whether what follows them is not reached. */
  run(statements: readonly (Node | undefined)[], scope: Scope): boolean;
  bind(pattern: Node | undefined, value: Value, scope: Scope): void;
  member(of: Value, name: string, at: At): Value;
  call(callee: Value, args: readonly Value[], at: At, self?: Value): Value;
  /** `of.name(…args)` */
  method(of: Value, name: string, args: readonly Value[], at: At): Value;
  callFunction(fn: Fn, args: readonly Value[], self?: Value): Value;
  instantiate(of: Value, args: readonly Value[], at: At): Value;
  load(specifier: string, at: At): Value;
  /** What lies in a folder of the service, `/src` such as; nothing where it is none. */
  names(folder: string): readonly string[] | undefined;
  /** Goes through a handler with a request, and notes what it asks of it. */
  handle(handler: Value, asks: Asks, at: At): void;
  /** Hears of what is said, also of what was said before. */
  heard: ((words: string) => void) | undefined;
  /** Says that something is too much, wherever it stands. */
  cut(what: string): void;
  say(reason: UnreadReason, at: At, detail: string): void;
  /** One step of many; false where there have been too many. */
  step(): boolean;
}
