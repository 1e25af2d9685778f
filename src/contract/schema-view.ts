// What can be known of a value from its schema before there is one: through references and
// alternatives, and never less than what the schema allows.
import { own } from "../kernel/own.ts";
import { definitionOf } from "./schema.ts";
import type { JsonType, Schema } from "./schema.ts";

export type Definitions = Readonly<Record<string, Schema>>;

const TYPES: readonly JsonType[] = Object.freeze([
  "string",
  "number",
  "integer",
  "boolean",
  "null",
  "array",
  "object",
]);
/** More alternatives than these are not told apart: the value may be anything. */
const VARIANTS_MAX = 64;
const PARTS_MAX = 1000;
const ANYTHING: Schema = Object.freeze({ type: TYPES });

/** The alternatives that a schema comes down to, each without references and parts. */
export class SchemaView {
  readonly variants: readonly Schema[];
  private readonly defs: Definitions;

  constructor(schemas: Schema | readonly Schema[], defs: Definitions = {}) {
    const all: readonly Schema[] = Array.isArray(schemas) ? schemas : [schemas as Schema];
    const left = { parts: PARTS_MAX };
    const variants = all.flatMap((one) => expand(one, defs, left));
    this.variants = variants.length > VARIANTS_MAX ? [ANYTHING] : variants;
    this.defs = defs;
  }

  /** Of all values that fit. */
  get types(): ReadonlySet<JsonType> {
    return new Set(this.variants.flatMap((one) => typesOf(one)));
  }

  /** Of the items, where it may be a list that says what they are. */
  get items(): SchemaView | undefined {
    return this.inner(this.variants.map(({ items }) => items));
  }

  /** Of a property that it declares, or that may be there besides. */
  property(name: string): SchemaView | undefined {
    return this.inner(
      this.variants.map(({ properties = {}, additionalProperties: others }) => {
        return own(properties, name) ?? (typeof others === "object" ? others : undefined);
      }),
    );
  }

  private inner(found: readonly (Schema | undefined)[]): SchemaView | undefined {
    const schemas = found.filter((one) => one !== undefined);
    return schemas.length === 0 ? undefined : new SchemaView(schemas, this.defs);
  }
}

/** The types that a schema without parts allows. */
export function typesOf({ type, enum: values, const: value }: Schema): readonly JsonType[] {
  if (type !== undefined) return typeof type === "string" ? [type] : type;
  const closed = value === undefined ? values : [value];
  return closed === undefined ? TYPES : [...new Set(closed.map(typeOf))];
}

function typeOf(value: unknown): JsonType {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isSafeInteger(value) ? "integer" : "number";
  return typeof value as JsonType;
}

/** How much may still be looked at: alternatives of alternatives multiply. */
interface Left {
  parts: number;
}

function expand(
  schema: Schema,
  defs: Definitions,
  left: Left,
  above: readonly string[] = [],
): Schema[] {
  if (--left.parts < 0) return [ANYTHING];
  const { $ref, allOf = [], anyOf, oneOf, not: _, ...plain } = schema;
  const alternatives: Schema[][] = [];
  if ($ref !== undefined) {
    const target = above.includes($ref) ? undefined : definitionOf($ref, defs);
    if (target === undefined) return [ANYTHING];
    alternatives.push(expand(target, defs, left, [...above, $ref]));
  }
  for (const part of allOf) alternatives.push(expand(part, defs, left, above));
  for (const branches of [anyOf, oneOf]) {
    if (branches === undefined) continue;
    alternatives.push(branches.flatMap((branch) => expand(branch, defs, left, above)));
  }
  let all: Schema[] = [plain];
  for (const some of alternatives) {
    if (all.length * some.length > VARIANTS_MAX) return [ANYTHING];
    all = all.flatMap((one) => some.map((other) => both(one, other)));
  }
  return all.filter((one) => typesOf(one).length > 0);
}

// What fits both: no keyword of either is lost that says what kind of value it is.
function both(a: Schema, b: Schema): Schema {
  const [ours, theirs] = [typesOf(a), typesOf(b)];
  const isNumber = (types: readonly JsonType[]): boolean => types.includes("number");
  const shared = TYPES.filter((type) => {
    if (type !== "integer") return ours.includes(type) && theirs.includes(type);
    return [ours, theirs].every((types) => types.includes(type) || isNumber(types));
  });
  const items = conjoined(a.items, b.items);
  return {
    ...a,
    ...b,
    // Every integer is a number.
    type: isNumber(shared) ? shared.filter((type) => type !== "integer") : shared,
    properties: merged(a.properties ?? {}, b.properties ?? {}),
    ...(items === undefined ? {} : { items }),
  };
}

function merged(a: Definitions, b: Definitions): Definitions {
  const all = Object.entries(b).map(([name, schema]) => {
    return [name, conjoined(own(a, name), schema) ?? schema] as const;
  });
  return Object.fromEntries([...Object.entries(a), ...all]);
}

function conjoined(a: Schema | undefined, b: Schema | undefined): Schema | undefined {
  return a === undefined || b === undefined ? (a ?? b) : { allOf: [a, b] };
}
