// What an expression of the source is known to be. Most are unknown, a value like any other.
import type { Node, Source } from "./ast.ts";

/** The names that a piece of source sees. */
export interface Scope {
  readonly source: Source;
  readonly frame: Frame;
  /** `this`, where a function has its own. */
  readonly self: Value | undefined;
  inner(): Scope;
  /** Of a function that is called. */
  called(self: Value | undefined): Scope;
  declare(name: string, value: Value): void;
  /** An import: what the other module has there when it is asked for. */
  link(name: string, live: () => Value): void;
  get(name: string): Value | undefined;
  set(name: string, value: Value): void;
}

/** One run of a function, or of a module's own statements. */
export interface Frame {
  readonly returns: Value[];
  /** In how many branches that may not be taken we are. */
  unsure: number;
}

export interface At {
  readonly node: Node;
  readonly scope: Scope;
}

/** An app, or a part of one: routes, and other routers at their places. */
export interface Router {
  readonly framework: "express" | "fastify" | "hono";
  readonly isApp: boolean;
  readonly routes: Route[];
  readonly mounts: Mount[];
  /** Names that the code itself gives to an app: Fastify's `decorate`. */
  readonly decorated: Set<string>;
  isMounted: boolean;
}

export interface Route {
  readonly method: string;
  readonly path: string;
  readonly at: At;
  readonly asks: Asks;
  readonly notes: readonly string[];
}

interface Mount {
  /** Nothing where it is computed, which has been said. */
  readonly prefix: string | undefined;
  readonly router: Router;
  readonly notes: readonly string[];
}

export interface Plain {
  readonly kind: "plain";
  readonly value: string | number | boolean | null | undefined;
  /** Where it is only what it usually is: `process.env.PREFIX ?? "/api"`. */
  readonly assumed?: string | undefined;
}

export interface List {
  readonly kind: "list";
  readonly items: Value[];
  /** There may be others that nobody knows. */
  open: boolean;
}

export interface Rec {
  readonly kind: "record";
  readonly fields: Map<string, Value>;
  open: boolean;
  readonly node?: Node;
  /** Its class, where it is an instance. */
  readonly of?: Cls;
}

export interface Fn {
  readonly kind: "function";
  readonly node: Node;
  readonly scope: Scope;
  readonly self?: Value | undefined;
  readonly fields: Map<string, Value>;
}

export interface Cls {
  readonly kind: "class";
  readonly node: Node;
  readonly scope: Scope;
  readonly parent: Value | undefined;
  readonly fields: Map<string, Value>;
}

/** Something of a package's, of Node's or of the language's: `express`, `express.Router`. */
export interface Library {
  readonly kind: "library";
  readonly from: string;
  readonly name: string;
  /** Of its last call. */
  readonly args: readonly Value[];
}

export interface RouterAt {
  readonly kind: "router";
  readonly router: Router;
  /** Hono's `basePath`. */
  readonly base: string;
  /** Express's `app.route(path)`. */
  readonly path?: Value;
}

/** The request that a handler is given, or a part of it. */
export interface Asked {
  readonly kind: "asked";
  readonly part: AskedPart;
  readonly asks: Asks;
}

export type Json = Readonly<Record<string, unknown>>;

/** A schema that a library builds, as JSON Schema. */
export interface SchemaValue {
  readonly kind: "schema";
  readonly schema: Json;
  readonly optional: boolean;
}

interface Pattern {
  readonly kind: "pattern";
  readonly source: string;
}

/** A module of the service, all of its exports. */
export interface ModuleValue {
  readonly kind: "module";
  /** `above` are the modules that it was looked for in already. */
  get(name: string, above?: Set<ModuleValue>): Value;
}

export interface Unknown {
  readonly kind: "unknown";
}

export type Value =
  | Plain
  | List
  | Rec
  | Fn
  | Cls
  | Library
  | RouterAt
  | Asked
  | SchemaValue
  | Pattern
  | ModuleValue
  | Unknown;

export const UNKNOWN: Unknown = { kind: "unknown" };
export const NOTHING: Plain = { kind: "plain", value: undefined };

export function plain(value: Plain["value"], assumed?: string): Plain {
  return assumed === undefined ? { kind: "plain", value } : { kind: "plain", value, assumed };
}

const ITEMS_MAX = 5000;
/** Characters of a text that is put together. */
export const TEXT_MAX = 100_000;

/** Of a list that is longer than any list of routes, the first part. */
export function list(items: Value[], open = false): List {
  if (items.length <= ITEMS_MAX) return { kind: "list", items, open };
  return { kind: "list", items: items.slice(0, ITEMS_MAX), open: true };
}

/** At the end of a list, as far as there is room. */
export function append(to: List, items: readonly Value[]): void {
  const room = Math.max(0, ITEMS_MAX - to.items.length);
  to.items.push(...items.slice(0, room));
  if (items.length > room) to.open = true;
}

/** What is in a list, and in the lists in it; what is not known, as something unknown. */
export function flat(values: readonly Value[], depth = 0): Value[] {
  if (depth > LISTS_MAX) return [UNKNOWN];
  const all = values.flatMap((one): Value[] => {
    if (one.kind !== "list") return [one];
    const inner = flat(one.items, depth + 1);
    return one.open ? [...inner, UNKNOWN] : inner;
  });
  return all.length <= ITEMS_MAX ? all : [...all.slice(0, ITEMS_MAX), UNKNOWN];
}

const LISTS_MAX = 4;

export function record(fields: Iterable<readonly [string, Value]> = [], open = false): Rec {
  return { kind: "record", fields: new Map(fields), open };
}

export function textOf(value: Value | undefined): string | undefined {
  return value?.kind === "plain" && typeof value.value === "string" ? value.value : undefined;
}

/** Whether a condition holds, where that is known. */
export function truthOf(value: Value): boolean | undefined {
  if (value.kind === "unknown" || value.kind === "library" || value.kind === "asked") {
    return undefined;
  }
  if (value.kind !== "plain") return true;
  return value.assumed === undefined ? Boolean(value.value) : undefined;
}

/** What one of two is; a thing is more than the nothing that some path has in its place. */
export function either(a: Value, b: Value): Value {
  if (a === b) return a;
  if (a.kind === "plain" && b.kind === "plain") {
    if (a.value === b.value) return a;
    if (a.value === undefined || a.value === null) return b;
    return b.value === undefined || b.value === null ? a : UNKNOWN;
  }
  if (a.kind === "plain" || a.kind === "unknown") return b;
  return b.kind === "plain" || b.kind === "unknown" ? a : UNKNOWN;
}

export const PARTS = ["params", "query", "headers", "body"] as const;
export type Part = (typeof PARTS)[number];
/** `root` is the request or what it comes in; `other` a value in it. */
export type AskedPart = "root" | Part | "other";

export interface Checked {
  readonly schema: Value;
  readonly at: At;
}

interface Parameter extends Checked {
  readonly name: string;
  readonly part: Part;
  readonly required: boolean;
  readonly description: string | undefined;
}

interface Words {
  summary: string | undefined;
  description: string | undefined;
  id: string | undefined;
  tags: readonly string[];
}

/** What the code of a route asks of a request: shapes that it checks, and names that it reads. */
export class Asks {
  private readonly shapes = new Map<Part, Checked[]>();
  private readonly names = new Map<string, Set<string>>();
  /** Status -> schema of the answer. */
  readonly answers = new Map<string, Partial<Checked>>();
  /** Of the body, where it is none of JSON's. */
  media: string | undefined;
  readonly words: Words = { summary: undefined, description: undefined, id: undefined, tags: [] };
  deprecated = false;
  /** Said one by one, as OpenAPI does. */
  readonly parameters: Parameter[] = [];
  /** Whether a handler was found, and gone through. */
  isHandled = false;
  private readonly touched = new Set<Part>();
  private readonly handed = new Set<Part>();

  /** A part that something unread gets as a whole. */
  handOn(part: Part): void {
    this.handed.add(part);
  }

  isHandedOn(part: Part): boolean {
    return this.handed.has(part);
  }

  /** A part that is asked for, by no name. */
  touch(part: Part): void {
    this.touched.add(part);
  }

  touches(part: Part): boolean {
    return this.touched.has(part);
  }

  check(part: Part, schema: Value, at: At): void {
    this.shapes.set(part, [...(this.shapes.get(part) ?? []), { schema, at }]);
  }

  checked(part: Part): readonly Checked[] {
    return this.shapes.get(part) ?? [];
  }

  name(part: Part, name: string): void {
    this.names.set(part, (this.names.get(part) ?? new Set()).add(name));
  }

  named(part: Part): readonly string[] {
    return [...(this.names.get(part) ?? [])];
  }
}

const PART_OF: Readonly<Record<string, AskedPart>> = {
  req: "root",
  request: "root",
  raw: "other",
  body: "body",
  query: "query",
  querystring: "query",
  params: "params",
  headers: "headers",
  json: "body",
  param: "params",
  header: "headers",
  form: "body",
};

/** The part of a request that a property, or a validator's target, stands for. */
export function partOf(name: string): AskedPart {
  return Object.hasOwn(PART_OF, name) ? (PART_OF[name] ?? "other") : "other";
}
