// Reads the schemas of an OpenAPI document (3.0 and 3.1 alike) as shapes: references stay
// references, so that cycles do, and only what is reached is read.
import { canonicalJson } from "../kernel/ids.ts";
import { isNull, isTelling, loneBranch, partsOf } from "./parts.ts";
import type { Parts } from "./parts.ts";
import { isRaw, listOf, rawOf } from "./raw.ts";
import type { Raw } from "./raw.ts";
import { LOWER, refTo, typesOf, UPPER } from "./shape.ts";
import type { Shape } from "./shape.ts";
import { SliceError } from "./slice-error.ts";
import { inferredTypes, typeIn, typesOfValues, without, withNull } from "./types.ts";

export type Side = "request" | "response";

const SHAPES_MAX = 50_000;
const DEPTH_MAX = 200;
/** Keywords that one schema can have once: two that differ cannot be merged. */
const SINGLE = (
  "pattern format multipleOf uniqueItems contentEncoding contentMediaType " +
  "dependentRequired x-extensible-enum"
).split(" ");
const ONE_SCHEMA = ["contains", "not", "if", "then", "else", "propertyNames", "contentSchema"];
/** With one of these a schema looks at its own properties only: merging would change it. */
const CLOSING = ["additionalProperties", "patternProperties", "dependentSchemas"];

type Draft = { -readonly [key in keyof Shape]: Shape[key] };

export class SchemaReader {
  private readonly document: Raw;
  private readonly side: Side;
  private readonly defs = new Map<string, Shape>();
  private readonly names = new Map<string, string>();
  private readonly queue: { readonly name: string; readonly parts: Parts }[] = [];
  private readonly numbers = new Map<Raw, number>();
  private shapes = 0;

  constructor(document: Raw, side: Side) {
    this.document = document;
    this.side = side;
  }

  /** The schema as a shape. What it names is read when `definitions` is asked for. */
  read(...schemas: readonly unknown[]): Shape {
    return this.place(partsOf(this.document, schemas), 0);
  }

  definitions(): Record<string, Shape> {
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
      this.defs.set(next.name, this.build(next.parts, 0));
    }
    return Object.fromEntries([...this.defs].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  }

  // Every way round a cycle goes through a named component, so what has none can stand in place.
  private place(parts: Parts, depth: number): Shape {
    if (parts.via.length === 0) return this.build(parts, depth);
    const ids = parts.plain.map((part) => this.numberOf(part)).toSorted((a, b) => a - b);
    const key = `${ids.join()}${parts.nullable ? "?" : ""}`;
    let name = this.names.get(key);
    if (name === undefined) {
      name = this.free(parts.via.join("+").slice(0, 80));
      this.names.set(key, name);
      this.defs.set(name, {});
      this.queue.push({ name, parts });
    }
    return refTo(name);
  }

  private numberOf(part: Raw): number {
    const known = this.numbers.get(part) ?? this.numbers.size;
    this.numbers.set(part, known);
    return known;
  }

  private free(wanted: string): string {
    const base = wanted.replaceAll(/[^A-Za-z0-9_.+-]/g, "_") || "schema";
    for (let n = 1; ; n++) {
      const name = n === 1 ? base : `${base}-${n}`;
      if (!this.defs.has(name)) return name;
    }
  }

  private build(parts: Parts, depth: number): Shape {
    this.shapes++;
    if (this.shapes > SHAPES_MAX || depth > DEPTH_MAX) {
      const bound = `${SHAPES_MAX} schemas, or nested deeper than ${DEPTH_MAX}`;
      throw new SliceError("too_large", `the operation reaches more than ${bound}`);
    }
    const shape = mergeable(parts.plain)
      ? this.merged(parts.plain, depth)
      : { allOf: parts.plain.map((part) => this.merged([part], depth + 1)) };
    return parts.nullable ? withNull(shape) : shape;
  }

  private inner(schemas: readonly unknown[], depth: number): Shape {
    return this.place(partsOf(this.document, schemas), depth + 1);
  }

  private merged(parts: readonly Raw[], depth: number): Shape {
    const shape: Draft = {};
    mergeTypes(parts, shape);
    mergeBounds(parts, shape);
    for (const key of SINGLE) {
      const value = parts.map((part) => part[key]).find((one) => one !== undefined);
      if (value !== undefined && value !== false) shape[key] = value;
    }
    this.mergeObject(parts, shape, depth);
    this.mergeArray(parts, shape, depth);
    for (const key of ONE_SCHEMA) this.one(parts, shape, key, depth);
    this.mergeChoices(parts, shape, depth);
    this.annotate(parts, shape);
    if (shape.type === undefined) {
      const types = inferredTypes(shape);
      if (types !== undefined) shape.type = types;
    }
    return shape;
  }

  private one(parts: readonly Raw[], shape: Draft, key: string, depth: number): void {
    const given = parts.map((part) => part[key]).filter((one) => one !== undefined);
    if (given.length > 0) shape[key] = this.inner(given, depth);
  }

  private mergeObject(parts: readonly Raw[], shape: Draft, depth: number): void {
    const properties: Record<string, Shape> = {};
    const foreign = new Set<unknown>();
    const maps = parts.map((part) => rawOf(part, "properties"));
    for (const name of new Set(maps.flatMap((map) => Object.keys(map)))) {
      const schemas = maps.filter((map) => Object.hasOwn(map, name)).map((map) => map[name]);
      const inner = partsOf(this.document, schemas);
      if (this.side === "request" ? inner.readOnly : inner.writeOnly) foreign.add(name);
      else define(properties, name, this.place(inner, depth + 1));
    }
    if (Object.keys(properties).length > 0) shape.properties = properties;
    const required = new Set(parts.flatMap((part) => listOf(part, "required")));
    const kept = [...required].filter(
      (name): name is string => typeof name === "string" && !foreign.has(name),
    );
    if (kept.length > 0) shape.required = kept.toSorted();
    this.mergeRest(parts, shape, depth);
  }

  private mergeRest(parts: readonly Raw[], shape: Draft, depth: number): void {
    for (const key of ["patternProperties", "dependentSchemas"]) {
      const all: Record<string, Shape> = {};
      const entries = parts.flatMap((part) => Object.entries(rawOf(part, key)));
      for (const [name, schema] of entries) {
        define(all, name, this.inner([schema], depth));
      }
      if (Object.keys(all).length > 0) shape[key] = all;
    }
    for (const key of ["additionalProperties", "unevaluatedProperties"]) {
      const value = parts.map((part) => part[key]).find((one) => one !== undefined);
      this.rest(shape, key, value, depth);
    }
  }

  // `true` and `{}` say nothing, and so does a name that is not there.
  private rest(shape: Draft, key: string, value: unknown, depth: number): void {
    if (value === false) shape[key] = false;
    else this.telling(shape, key, [value], depth);
  }

  private telling(shape: Draft, key: string, schemas: readonly unknown[], depth: number): void {
    const parts = partsOf(this.document, schemas);
    if (parts.plain.length > 0) shape[key] = this.place(parts, depth + 1);
  }

  private mergeArray(parts: readonly Raw[], shape: Draft, depth: number): void {
    const items = parts.map((part) => part["items"]).filter((one) => one !== undefined);
    this.telling(shape, "items", items, depth);
    const tuple = parts.map((part) => listOf(part, "prefixItems")).find((one) => one.length > 0);
    if (tuple !== undefined) shape.prefixItems = tuple.map((one) => this.inner([one], depth));
    const rest = parts.map((part) => part["unevaluatedItems"]).find((one) => one !== undefined);
    this.rest(shape, "unevaluatedItems", rest, depth);
  }

  private mergeChoices(parts: readonly Raw[], shape: Draft, depth: number): void {
    for (const key of ["anyOf", "oneOf"] as const) {
      const part = parts.find((one) => listOf(one, key).length > 0);
      if (part === undefined || loneBranch(this.document, part, key) !== undefined) continue;
      const all = listOf(part, key);
      const branches = all
        .filter((one) => !isNull(this.document, one))
        .map((one) => partsOf(this.document, [one]));
      const nulls: Shape[] = branches.length < all.length ? [{ type: "null" }] : [];
      const types = branches.map(plainTypes);
      if (shape.type === undefined && !types.includes(undefined)) {
        const every = [...types.flatMap((one) => [...(one ?? [])]), ...nulls.map(() => "null")];
        shape.type = typeIn(new Set(every));
      } else {
        shape[key] = [...branches.map((one) => this.place(one, depth + 1)), ...nulls];
      }
    }
  }

  private annotate(parts: readonly Raw[], shape: Draft): void {
    if (parts.some((part) => part["deprecated"] === true)) shape.deprecated = true;
    const preset = parts.find((part) => Object.hasOwn(part, "default"));
    if (preset !== undefined && this.side === "request") shape.default = preset["default"];
    const told = parts.find((part) => isRaw(part["discriminator"]));
    if (told === undefined) return;
    const { propertyName, mapping } = rawOf(told, "discriminator");
    const values = isRaw(mapping) ? Object.keys(mapping).toSorted() : [];
    shape["discriminator"] = { propertyName, ...(values.length > 0 ? { values } : {}) };
  }
}

/** The types of what says nothing but its types. */
function plainTypes({ plain, nullable }: Parts): ReadonlySet<string> | undefined {
  const isPlain = plain.every((part) => Object.keys(part).filter(isTelling).join() === "type");
  if (!isPlain || plain.length === 0) return undefined;
  const shape: Draft = {};
  mergeTypes(plain, shape);
  return new Set([...(typesOf(shape) ?? []), ...(nullable ? ["null"] : [])]);
}

/** Whether all of it can be said in one schema. */
function mergeable(parts: readonly Raw[]): boolean {
  if (parts.length < 2) return true;
  const differing = (key: string): boolean =>
    new Set(parts.filter((part) => key in part).map((part) => canonicalJson(part[key]))).size > 1;
  const closed = parts.some((part) =>
    CLOSING.some((key) => part[key] !== undefined && part[key] !== true),
  );
  const choices = parts.filter((part) => "anyOf" in part || "oneOf" in part).length;
  const conditions = ["not", "if", "then", "else", "contains", "prefixItems"];
  return !closed && choices < 2 && ![...SINGLE, ...conditions].some(differing);
}

function mergeTypes(parts: readonly Raw[], shape: Draft): void {
  let types: ReadonlySet<string> | undefined;
  let values: readonly unknown[] | undefined;
  for (const part of parts) {
    const own = typesOfValues(part);
    if (own.types !== undefined) types = both(types, own.types);
    if (own.values === undefined) continue;
    const allowed = new Set(own.values.map(canonicalJson));
    values = values?.filter((one) => allowed.has(canonicalJson(one))) ?? own.values;
  }
  if (types !== undefined) shape.type = typeIn(types);
  if (values === undefined) return;
  const single = parts.some((part) => Object.hasOwn(part, "const")) && values.length === 1;
  if (single) shape.const = values[0];
  else shape.enum = values.toSorted((a, b) => (canonicalJson(a) < canonicalJson(b) ? -1 : 1));
}

function both(a: ReadonlySet<string> | undefined, b: ReadonlySet<string>): ReadonlySet<string> {
  return a === undefined ? b : new Set([...a].filter((one) => b.has(one)));
}

function mergeBounds(parts: readonly Raw[], shape: Draft): void {
  const all = parts.map(without);
  for (const [keys, stricter] of [
    [UPPER, Math.min],
    [LOWER, Math.max],
  ] as const) {
    for (const key of Object.keys(keys)) {
      const given = all.map((one) => one[key]).filter((one) => typeof one === "number");
      // At least nothing is no bound.
      const counts = key.startsWith("min") && key !== "minimum";
      const bound = given.length === 0 ? undefined : stricter(...given);
      if (bound !== undefined && !(counts && bound === 0)) shape[key] = bound;
    }
  }
}

// A property may be called `__proto__`; plain assignment would lose it.
function define(map: Record<string, Shape>, name: string, shape: Shape): void {
  Object.defineProperty(map, name, { value: shape, enumerable: true, writable: true });
}
