// A shape: what a schema says of a value at its own level; and two of them, both of which a value
// must have, or one of which. A tool file has no word for alternatives: what comes out of `oneOf`
// allows what any of them does, and the API judges.
import { isDeepStrictEqual } from "node:util";
import { NotImportable } from "./reason.ts";
import type { Json } from "./read.ts";

export type JsonType = "string" | "number" | "integer" | "boolean" | "null" | "array" | "object";
export const SCALARS: ReadonlySet<JsonType> = new Set(["string", "number", "integer", "boolean"]);
/** What a schema that says nothing allows; an integer is a number. */
export const ANY: readonly JsonType[] = ["string", "number", "boolean", "object", "array", "null"];

/** A bound, and what it bounds. */
export const BOUNDS = {
  minimum: "number",
  exclusiveMinimum: "number",
  maximum: "number",
  exclusiveMaximum: "number",
  multipleOf: "number",
  minLength: "string",
  maxLength: "string",
  minItems: "array",
  maxItems: "array",
  minProperties: "object",
  maxProperties: "object",
} as const;
export type Bound = keyof typeof BOUNDS;

export interface Shape {
  readonly types: ReadonlySet<JsonType>;
  readonly values: readonly unknown[] | undefined;
  readonly bounds: Readonly<Partial<Record<Bound, number>>>;
  readonly format: string | undefined;
  readonly pattern: string | undefined;
  readonly unique: boolean;
  readonly properties: ReadonlyMap<string, Json>;
  readonly required: ReadonlySet<string>;
  /** What it says in so many words of other properties: any at all, or of one schema. */
  readonly others: true | Json | undefined;
  /** Alternatives that are more than one list or record: together they would be neither. */
  readonly branches: readonly Json[] | undefined;
  readonly items: Json | undefined;
  readonly description: string | undefined;
  readonly preset: unknown;
  readonly read_only: boolean;
  readonly write_only: boolean;
  readonly deprecated: boolean;
  /** Keywords that no tool file knows: what they ask for is left to the API. */
  readonly unsaid: readonly string[];
}

/** The JSON type of a value; every number is `number`. */
export function typeOf(value: unknown): JsonType {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  const type = typeof value;
  if (type === "string" || type === "number" || type === "boolean") return type;
  return "object";
}

/** Makes one schema of two that stand for one property. */
export type Both = (word: "allOf" | "anyOf", a: Json, b: Json) => Json;

/** `own` is what says the last word where both say something in words. */
export function intersection(part: Shape, own: Shape, both: Both): Shape {
  const properties = new Map(part.properties);
  for (const [name, node] of own.properties) {
    const other = properties.get(name);
    properties.set(name, other === undefined ? node : both("allOf", other, node));
  }
  return {
    types: sharedTypes(part.types, own.types),
    values: sharedValues(part.values, own.values),
    bounds: merged([part.bounds, own.bounds], "tightest"),
    format: own.format ?? part.format,
    properties,
    required: new Set([...part.required, ...own.required]),
    others: own.others ?? part.others,
    pattern: own.pattern ?? part.pattern,
    unique: own.unique || part.unique,
    // Alternatives of a record that has properties of its own are a matter of the API's.
    branches: saysNothing(own) ? part.branches : undefined,
    items: sharedItems(part.items, own.items, both),
    description: own.description ?? part.description,
    preset: own.preset ?? part.preset,
    read_only: own.read_only || part.read_only,
    write_only: own.write_only || part.write_only,
    deprecated: own.deprecated || part.deprecated,
    unsaid: [...part.unsaid, ...own.unsaid, ...twice(part, own)],
  };
}

function sharedItems(a: Json | undefined, b: Json | undefined, both: Both): Json | undefined {
  return a !== undefined && b !== undefined ? both("allOf", a, b) : (b ?? a);
}

function saysNothing({ properties, items, values, required }: Shape): boolean {
  return (
    properties.size === 0 && items === undefined && values === undefined && required.size === 0
  );
}

function sharedTypes(a: ReadonlySet<JsonType>, b: ReadonlySet<JsonType>): Set<JsonType> {
  const shared = new Set([...a].filter((type) => b.has(type)));
  // An integer is a number, so that the narrower of the two is what they have in common.
  if (a.has("integer") && b.has("number")) shared.add("integer");
  if (b.has("integer") && a.has("number")) shared.add("integer");
  if (shared.has("number") && !(a.has("number") && b.has("number"))) shared.delete("number");
  if (shared.size > 0) return shared;
  const said = `allOf of ${[...a].join(" or ")} and ${[...b].join(" or ")}`;
  throw new NotImportable("schema_empty", said);
}

function sharedValues(a: Shape["values"], b: Shape["values"]): Shape["values"] {
  if (a === undefined || b === undefined) return a ?? b;
  return a.filter((one) => b.some((other) => isDeepStrictEqual(one, other)));
}

export function union(shapes: readonly Shape[], both: Both): Shape {
  const [first, ...others] = shapes;
  if (first === undefined || others.length === 0)
    return first === undefined ? NOTHING : { ...first, description: undefined };
  const of = (type: string): Shape[] =>
    shapes.filter(
      ({ types }) => types.has(type as JsonType) || (type === "number" && types.has("integer")),
    );
  const [objects, lists, texts] = [of("object"), of("array"), of("string")];
  const types = new Set(shapes.flatMap((shape) => [...shape.types]));
  if (types.has("number")) types.delete("integer");
  const formats = new Set(texts.map(({ format }) => format));
  const patterns = new Set(texts.map(({ pattern }) => pattern));
  return {
    types,
    values: allValues(shapes),
    bounds: Object.assign(
      {},
      ...["number", "string", "array", "object"].map((type) =>
        merged(
          of(type).map(({ bounds }) => onlyOf(bounds, type)),
          "loosest",
        ),
      ),
    ) as Shape["bounds"],
    format: formats.size === 1 ? texts[0]?.format : undefined,
    properties: allProperties(objects, both),
    required: new Set(
      [...(objects[0]?.required ?? [])].filter((name) =>
        objects.every(({ required }) => required.has(name)),
      ),
    ),
    // An object that declares nothing is one of any kind.
    others: objects.some((one) => one.others !== undefined || one.properties.size === 0)
      ? true
      : undefined,
    pattern: patterns.size === 1 ? texts[0]?.pattern : undefined,
    unique: lists.every(({ unique }) => unique) && lists.length > 0,
    branches: undefined,
    items: allItems(lists, both),
    description: undefined,
    preset: undefined,
    read_only: shapes.every(({ read_only }) => read_only),
    write_only: shapes.every(({ write_only }) => write_only),
    deprecated: false,
    unsaid: [
      ...shapes.flatMap(({ unsaid }) => unsaid),
      ...(patterns.size > 1 ? ["pattern"] : []),
      ...(objects.length > 1 ? ["oneOf"] : []),
    ],
  };
}

const NOTHING: Shape = Object.freeze({
  types: new Set<JsonType>(),
  values: undefined,
  bounds: {},
  format: undefined,
  properties: new Map(),
  required: new Set<string>(),
  others: undefined,
  pattern: undefined,
  unique: false,
  branches: undefined,
  items: undefined,
  description: undefined,
  preset: undefined,
  read_only: false,
  write_only: false,
  deprecated: false,
  unsaid: [],
});

function allValues(shapes: readonly Shape[]): Shape["values"] {
  const values: unknown[] = [];
  for (const shape of shapes) {
    const isNull = shape.types.size === 1 && shape.types.has("null");
    const own = isNull ? [null] : shape.values;
    if (own === undefined) return undefined;
    values.push(...own);
  }
  return [...new Set(values)];
}

function allProperties(objects: readonly Shape[], both: Both): Map<string, Json> {
  const all = new Map<string, Json>();
  for (const { properties } of objects) {
    for (const [name, node] of properties) {
      const other = all.get(name);
      all.set(name, other === undefined ? node : both("anyOf", other, node));
    }
  }
  return all;
}

function allItems(lists: readonly Shape[], both: Both): Json | undefined {
  let all: Json | undefined;
  for (const { items } of lists) {
    // A list of anything is the widest there is.
    if (items === undefined) return undefined;
    all = all === undefined ? items : both("anyOf", all, items);
  }
  return all;
}

function onlyOf(bounds: Shape["bounds"], type: string): Shape["bounds"] {
  const kept = Object.entries(bounds).filter(([bound]) => BOUNDS[bound as Bound] === type);
  return Object.fromEntries(kept) as Shape["bounds"];
}

// A tool file has each of these once; where two parts say one, the other is left to the API.
function twice(a: Shape, b: Shape): string[] {
  const patterns = [a.pattern, b.pattern].filter((one) => one !== undefined);
  const steps = [a.bounds.multipleOf, b.bounds.multipleOf].filter((one) => one !== undefined);
  const many = (all: readonly unknown[]): boolean => new Set(all).size > 1;
  return [...(many(patterns) ? ["pattern"] : []), ...(many(steps) ? ["multipleOf"] : [])];
}

function merged(all: readonly Shape["bounds"][], which: "tightest" | "loosest"): Shape["bounds"] {
  const found: Partial<Record<Bound, number>> = {};
  for (const bound of Object.keys(BOUNDS) as Bound[]) {
    const given = all.flatMap((bounds) => bounds[bound] ?? []);
    if (given.length === 0 || (which === "loosest" && given.length < all.length)) continue;
    const lower = /^(?:min|exclusiveMin)/.test(bound);
    const [low, high] = [Math.min(...given), Math.max(...given)];
    // Nobody can say a multiple of two numbers in one number.
    if (bound === "multipleOf" && low !== high) continue;
    found[bound] = lower === (which === "tightest") ? high : low;
  }
  return found;
}
