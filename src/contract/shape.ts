// A shape: one canonical JSON Schema as a contract slice keeps it. What only documents is gone, and
// what says the same is written the same, so that two shapes that differ, differ for a caller.

export interface Shape {
  readonly $ref?: string;
  /** One name, or several in order; absent means any. */
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly default?: unknown;
  readonly deprecated?: true;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: false | Shape;
  readonly items?: Shape;
  readonly prefixItems?: readonly Shape[];
  readonly allOf?: readonly Shape[];
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  /** Bounds and the rarer keywords, which are compared by name. */
  readonly [keyword: string]: unknown;
}

export type Defs = Readonly<Record<string, Shape>>;

/** Bounds: the smaller is the stricter, and the other way round. */
export const UPPER = {
  maximum: "max",
  exclusiveMaximum: "exclusive-max",
  maxLength: "max-length",
  maxItems: "max-items",
  maxContains: "max-contains",
  maxProperties: "max-properties",
} as const;
export const LOWER = {
  minimum: "min",
  exclusiveMinimum: "exclusive-min",
  minLength: "min-length",
  minItems: "min-items",
  minContains: "min-contains",
  minProperties: "min-properties",
} as const;

/** Keywords whose value is one schema, an ordered or unordered list of them, or a map to them. */
const ONE = [
  "items",
  "additionalProperties",
  "contains",
  "not",
  "if",
  "then",
  "else",
  "propertyNames",
  "unevaluatedItems",
  "unevaluatedProperties",
  "contentSchema",
] as const;
const LISTS = ["prefixItems", "allOf", "anyOf", "oneOf"] as const;
const MAPS = ["properties", "patternProperties", "dependentSchemas"] as const;
export const SUBSCHEMAS = { one: ONE, lists: LISTS, maps: MAPS } as const;

const REF = "#/$defs/";

export function refTo(name: string): Shape {
  return { $ref: REF + name };
}

/** The definition's name, where the shape is a reference to one. */
export function nameOf(shape: Shape): string | undefined {
  return shape.$ref?.slice(REF.length);
}

/** The shape itself, or the definition that it names. A name without one accepts anything. */
export function resolve(shape: Shape, defs: Defs): Shape {
  const name = nameOf(shape);
  if (name === undefined) return shape;
  return Object.hasOwn(defs, name) ? (defs[name] ?? {}) : {};
}

/** Every schema that stands directly in this one, with where it stands. */
export function* childrenOf(shape: Shape): Generator<readonly [string, Shape]> {
  for (const key of ONE) {
    const child = shape[key] as Shape | false | undefined;
    if (typeof child === "object") yield [key, child];
  }
  for (const key of LISTS) {
    const list = shape[key] ?? [];
    for (const [i, child] of list.entries()) yield [`${key}/${i}`, child];
  }
  for (const key of MAPS) {
    const map = (shape[key] ?? {}) as Readonly<Record<string, Shape>>;
    for (const [name, child] of Object.entries(map)) yield [`${key}/${name}`, child];
  }
}

/** The types that it accepts; `undefined` for any. */
export function typesOf(shape: Shape): readonly string[] | undefined {
  return typeof shape.type === "string" ? [shape.type] : shape.type;
}

/** The values that it is confined to, however that is written. */
export function valuesOf(shape: Shape): readonly unknown[] | undefined {
  return "const" in shape ? [shape.const] : shape.enum;
}
