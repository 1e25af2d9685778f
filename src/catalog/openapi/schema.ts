// From a schema of an API's document to one that a tool file may hold: the words of
// contract/schema-file.ts and no others. It may be narrower than the API's, never silently wider:
// what it cannot say stands in `unsaid`.
import { NotImportable } from "./reason.ts";
import { patternFault } from "../../contract/pattern.ts";
import { FORMAT_NAMES } from "../../contract/schema.ts";
import type { Json } from "./read.ts";
import { BOUNDS, typeOf } from "./shape.ts";
import type { Bound, JsonType, Shape } from "./shape.ts";
import type { Shapes } from "./shapes.ts";
import { firstSentence, isVisible } from "./text.ts";

/** As it stands in a draft. */
export type DraftSchema = Readonly<Record<string, unknown>>;

const LENGTH_CAP = 100_000;
const PATTERN_MAX = 200;
const ITEMS_MAX = 100;
const ITEMS_CAP = 1000;
const DEPTH_MAX = 40;
const TEXT_MAX = 40;
/** Each value of these has one length, or their own check bounds it. */
const BOUNDED_FORMATS = new Set(["date", "date-time", "uuid", "email"]);
const DEFAULT_CHARS_MAX = 100;

interface Definition {
  readonly name: string;
  schema: DraftSchema;
}

/** Turns schemas into those of one tool, which share their definitions. */
export class Converter {
  readonly unsaid = new Set<string>();
  private readonly shapes: Shapes;
  private readonly definitions = new Map<Json, Definition>();
  private readonly names = new Set<string>();
  private depth = 0;
  private length_max = 0;

  constructor(shapes: Shapes) {
    this.shapes = shapes;
  }

  /** Everything that was referred to, by name. */
  get defs(): ReadonlyMap<string, DraftSchema> {
    return new Map([...this.definitions.values()].map(({ name, schema }) => [name, schema]));
  }

  /** What an agent fills in where the API expects `node`; text is as long as it is said here. */
  argument(node: Json, length_max: number): DraftSchema {
    this.length_max = length_max;
    return this.input(node);
  }

  private input(node: Json): DraftSchema {
    const { value, name } = this.shapes.target(node);
    const isOwn = value === node || this.shapes.hasSiblings(node);
    if (isOwn && !this.shapes.isMade(node) && value === node) return this.converted(node);
    const key = isOwn ? node : value;
    const known = this.definitions.get(key);
    const definition = known ?? this.define(key, name === "" ? "Either" : name);
    const said = isOwn ? undefined : node["description"];
    return {
      $ref: `#/$defs/${definition.name}`,
      ...(typeof said === "string" ? described(said) : {}),
    };
  }

  private define(node: Json, called: string): Definition {
    const definition = { name: this.freeName(called), schema: {} };
    this.definitions.set(node, definition);
    definition.schema = this.converted(node);
    return definition;
  }

  private freeName(called: string): string {
    const bare = called.replaceAll(/[^A-Za-z0-9]+/g, "_").replaceAll(/^[_\d]+|_+$/g, "");
    const stem = bare.slice(0, 40) || "Schema";
    let name = stem;
    for (let n = 2; this.names.has(name); n++) name = `${stem}_${n}`;
    this.names.add(name);
    return name;
  }

  private converted(node: Json): DraftSchema {
    if (++this.depth > DEPTH_MAX) {
      throw new NotImportable("schema_too_deep", `more than ${DEPTH_MAX} levels`);
    }
    const schema = this.schemaOf(this.shapes.of(node));
    this.depth--;
    return schema;
  }

  private schemaOf(shape: Shape): DraftSchema {
    for (const one of shape.unsaid) this.unsaid.add(one);
    const values = valuesOf(shape);
    if (shape.branches !== undefined) return this.either(shape, shape.branches);
    const all = values === undefined ? [...shape.types] : typesIn(values, shape.types);
    // Null comes last, whoever said it first.
    const types = all.toSorted((a, b) => Number(a === "null") - Number(b === "null"));
    const has = (type: JsonType): boolean => types.includes(type);
    return {
      type: types.length === 1 ? types[0] : types,
      ...(values === undefined ? {} : { enum: values }),
      ...(values === undefined && (has("number") || has("integer")) ? numbers(shape) : {}),
      ...(values === undefined && has("string") ? this.text(shape) : {}),
      ...(has("array") ? this.list(shape) : {}),
      ...(has("object") ? this.object(shape) : {}),
      ...preset(shape, types),
      ...described(shape.description),
    };
  }

  private either(shape: Shape, branches: readonly Json[]): DraftSchema {
    const mayBeNull = shape.types.has("null");
    const all = branches.map((branch) => this.input(branch));
    return {
      anyOf: mayBeNull ? [...all, { type: "null" }] : all,
      ...described(shape.description),
    };
  }

  private text({ bounds, format, pattern }: Shape): DraftSchema {
    const known = format !== undefined && FORMAT_NAMES.includes(format) ? { format } : {};
    const { minLength, maxLength } = bounds;
    const given = Math.min(maxLength ?? this.length_max, LENGTH_CAP);
    const bounded = maxLength === undefined && BOUNDED_FORMATS.has(format ?? "");
    return {
      ...(minLength === undefined || minLength === 0 ? {} : { minLength }),
      ...(bounded ? {} : { maxLength: Math.max(given, minLength ?? 0) }),
      ...known,
      ...this.matched(pattern),
    };
  }

  // In linear time or not at all; what RE2 does not know is left to the API.
  private matched(pattern: string | undefined): DraftSchema {
    if (pattern === undefined) return {};
    const fits = pattern.length <= PATTERN_MAX && isVisible(pattern);
    if (fits && patternFault(pattern) === undefined) return { pattern };
    this.unsaid.add(`pattern ${pattern}`);
    return {};
  }

  private list({ bounds, items, unique }: Shape): DraftSchema {
    const { minItems, maxItems = ITEMS_MAX } = bounds;
    return {
      ...(items === undefined ? {} : { items: this.input(items) }),
      ...(minItems === undefined || minItems === 0 ? {} : { minItems }),
      maxItems: Math.max(Math.min(maxItems, ITEMS_CAP), minItems ?? 0),
      ...(unique ? { uniqueItems: true } : {}),
    };
  }

  private object(shape: Shape): DraftSchema {
    const properties: Record<string, DraftSchema> = Object.create(null);
    for (const [name, node] of shape.properties) {
      if (!isVisible(name)) throw new NotImportable("hidden_characters", JSON.stringify(name));
      if (isAsked(this.shapes.of(node), shape.required.has(name))) {
        properties[name] = this.input(node);
      }
    }
    // It may ask for what it does not declare.
    const required = [...shape.required].filter((name) => {
      return Object.hasOwn(properties, name) || !shape.properties.has(name);
    });
    const undeclared = required.some((name) => !Object.hasOwn(properties, name));
    const { others, bounds } = shape;
    const open = others === true || undeclared || shape.properties.size === 0;
    const { minProperties, maxProperties } = bounds;
    return {
      ...(Object.keys(properties).length === 0 ? {} : { properties: { ...properties } }),
      ...(required.length === 0 ? {} : { required }),
      ...(minProperties === undefined ? {} : { minProperties }),
      ...(maxProperties === undefined ? {} : { maxProperties }),
      additionalProperties: typeof others === "object" ? this.input(others) : open,
    };
  }
}

/** Whether an agent is asked for it: not for what the API sets, nor for what goes out of use. */
export function isAsked(shape: Shape, required: boolean): boolean {
  return !shape.read_only && (required || !shape.deprecated);
}

// An enum may say what no type of the schema is; some say null that way.
function valuesOf({ values, types }: Shape): readonly unknown[] | undefined {
  if (values === undefined) return undefined;
  const fit = values.filter((value) => {
    if (value !== null && typeof value === "object") return false;
    const type = typeOf(value);
    const isWhole = type === "number" && types.has("integer") && Number.isSafeInteger(value);
    return types.has(type) || isWhole || value === null;
  });
  if (fit.length === 0) throw new NotImportable("schema_empty", "no value of an enum has its type");
  const hidden = fit.find((value) => typeof value === "string" && !isVisible(value));
  if (hidden !== undefined) {
    throw new NotImportable("hidden_characters", `enum value ${JSON.stringify(hidden)}`);
  }
  return fit;
}

function typesIn(values: readonly unknown[], types: ReadonlySet<JsonType>): JsonType[] {
  const found = new Set<JsonType>();
  for (const value of values) {
    const type = typeOf(value);
    found.add(type === "number" && !types.has("number") ? "integer" : type);
  }
  return [...found];
}

function numbers({ bounds }: Shape): DraftSchema {
  const own = Object.entries(bounds).filter(([bound]) => BOUNDS[bound as Bound] === "number");
  return Object.fromEntries(own);
}

// What the API takes where nothing is given: said where it is short.
function preset({ preset: value }: Shape, types: readonly JsonType[]): DraftSchema {
  const type = typeOf(value);
  const isWhole = type === "number" && types.includes("integer");
  if (value === undefined || value === null || type === "object" || type === "array") return {};
  if (!types.includes(type) && !isWhole) return {};
  if (typeof value === "string" && (value.length > DEFAULT_CHARS_MAX || !isVisible(value))) {
    return {};
  }
  return { default: value };
}

function described(text: string | undefined): DraftSchema {
  const description = text === undefined ? "" : firstSentence(text, TEXT_MAX);
  return description === "" ? {} : { description };
}

const INLINE_BYTES_MAX = 240;

/**
 * Puts a definition where it is used if that is one place, or if it is a word or two; the others
 * keep their name. Answers with the schemas, and with the definitions that still have one.
 */
export function settled(
  schemas: ReadonlyMap<string, DraftSchema>,
  defs: ReadonlyMap<string, DraftSchema>,
): { schemas: Map<string, DraftSchema>; defs: Record<string, DraftSchema> } {
  const uses = new Map<string, number>();
  const reached = new Set<string>();
  const count = (value: unknown): void => {
    for (const name of referencesIn(value)) {
      uses.set(name, (uses.get(name) ?? 0) + 1);
      if (reached.has(name)) continue;
      reached.add(name);
      count(defs.get(name));
    }
  };
  for (const schema of schemas.values()) count(schema);
  const kept: Record<string, DraftSchema> = {};
  const place = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(place);
    if (value === null || typeof value !== "object") return value;
    const { $ref, ...beside } = value as DraftSchema;
    // A property may be called so, too.
    if (typeof $ref === "string") {
      const name = $ref.slice("#/$defs/".length);
      const body = defs.get(name) ?? {};
      if (uses.get(name) === 1 || isShort(body)) return { ...(place(body) as object), ...beside };
      if (kept[name] === undefined) {
        kept[name] = {};
        kept[name] = place(body) as DraftSchema;
      }
      return value;
    }
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, place(one)]));
  };
  const out = [...schemas].map(([name, schema]) => [name, place(schema) as DraftSchema] as const);
  return { schemas: new Map(out), defs: kept };
}

function isShort(schema: DraftSchema): boolean {
  return referencesIn(schema).length === 0 && JSON.stringify(schema).length <= INLINE_BYTES_MAX;
}

function referencesIn(value: unknown): string[] {
  if (value === null || typeof value !== "object") return [];
  const own = Object.hasOwn(value, "$ref") ? (value as DraftSchema)["$ref"] : undefined;
  const here = typeof own === "string" ? [own.slice("#/$defs/".length)] : [];
  return [...here, ...Object.values(value).flatMap(referencesIn)];
}
