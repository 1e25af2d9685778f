// Arguments that a tool's own schema allows, for fast-check: every text of them is one of `texts`
// where the schema lets it be any.
import * as fc from "fast-check";
import type { Schema } from "../../src/contract/schema.ts";

type Defs = Readonly<Record<string, Schema>>;

interface Making {
  readonly defs: Defs;
  readonly texts: readonly string[];
  readonly level: number;
}

const LEVELS_MAX = 4;

export function argumentsOf(schema: Schema, texts: readonly string[]): fc.Arbitrary<unknown> {
  return valueOf(schema, { defs: schema.$defs ?? {}, texts, level: 0 });
}

function valueOf(schema: Schema, making: Making): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) {
    const found = making.defs[schema.$ref.slice("#/$defs/".length)] ?? {};
    return valueOf(found, { ...making, level: making.level + 1 });
  }
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const branches = schema.anyOf ?? schema.oneOf ?? [];
  if (branches.length > 0 && schema.properties === undefined) {
    // The first is the plainest: where it goes deep, it alone.
    const some = making.level > LEVELS_MAX ? branches.slice(0, 1) : branches;
    return fc.oneof(...some.map((one) => valueOf({ ...bareOf(schema), ...one }, making)));
  }
  const types = [schema.type ?? "null"].flat();
  return fc.oneof(...types.map((type) => typed(type, schema, making)));
}

function bareOf({ maxLength, maxItems }: Schema): Schema {
  return {
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(maxItems === undefined ? {} : { maxItems }),
  };
}

function typed(type: string, schema: Schema, making: Making): fc.Arbitrary<unknown> {
  switch (type) {
    case "string":
      return textOf(schema, making.texts);
    case "integer":
      return fc.integer(boundsOf(schema));
    case "number":
      return fc.integer(boundsOf(schema)).map((whole) => whole);
    case "boolean":
      return fc.boolean();
    case "array":
      return listOf(schema, making);
    case "object":
      return recordOf(schema, making);
    default:
      return fc.constant(null);
  }
}

function boundsOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema) {
  const min = Math.ceil(minimum ?? (exclusiveMinimum ?? -1) + 1);
  const max = Math.floor(maximum ?? (exclusiveMaximum ?? Math.max(min, 0) + 1001) - 1);
  const least = Math.max(min, -(2 ** 31));
  return { min: least, max: Math.max(least, Math.min(max, 2 ** 31 - 1)) };
}

const FORMATS: Readonly<Record<string, string>> = {
  date: "2026-01-02",
  "date-time": "2026-01-02T03:04:05Z",
  email: "ada@example.com",
  uri: "https://example.com/a?b=c&d=%2e%2e/#x",
  uuid: "6f9619ff-8b86-4011-b42d-00c04fc964ff",
};

function textOf(schema: Schema, texts: readonly string[]): fc.Arbitrary<string> {
  const { format = "", pattern, minLength = 0, maxLength = 2000 } = schema;
  const known = FORMATS[format];
  if (known !== undefined) return fc.constant(known);
  if (pattern !== undefined) return matching(pattern, minLength, maxLength);
  const fitting = texts.filter((one) => {
    const { length } = Array.from(one);
    return length >= minLength && length <= maxLength;
  });
  return fitting.length > 0
    ? fc.constantFrom(...fitting)
    : fc.constant("a".repeat(Math.max(minLength, Math.min(1, maxLength))));
}

function matching(pattern: string, minLength: number, maxLength: number): fc.Arbitrary<string> {
  try {
    return fc
      .stringMatching(new RegExp(pattern, "u"), { maxLength: Math.min(maxLength, 200) })
      .filter((one) => Array.from(one).length >= minLength && one.length <= maxLength);
  } catch {
    return fc.constantFrom("1", "a", "a1", "2026-01-02");
  }
}

function listOf(schema: Schema, making: Making): fc.Arbitrary<unknown> {
  const { minItems = 0, maxItems = 100, items = {}, uniqueItems } = schema;
  const deeper = { ...making, level: making.level + 1 };
  const most = making.level > LEVELS_MAX ? minItems : Math.max(minItems, 2);
  const lengths = { minLength: minItems, maxLength: Math.min(most, maxItems) };
  const one = valueOf(items, deeper);
  if (uniqueItems !== true) return fc.array(one, lengths);
  return fc.uniqueArray(one, { ...lengths, selector: (item) => JSON.stringify(item) });
}

function recordOf(schema: Schema, making: Making): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], additionalProperties, minProperties = 0 } = schema;
  const deeper = { ...making, level: making.level + 1 };
  const isDeep = making.level > LEVELS_MAX;
  const chosen = Object.entries(properties).filter(([name]) => !isDeep || required.includes(name));
  const record = fc.record(
    Object.fromEntries(chosen.map(([name, one]) => [name, valueOf(one, deeper)])),
    { requiredKeys: chosen.map(([name]) => name).filter((name) => required.includes(name)) },
  );
  if (additionalProperties === undefined || typeof additionalProperties === "boolean") {
    return record;
  }
  const rest = fc.dictionary(
    fc.stringMatching(/^[a-z]{3,6}$/),
    valueOf(additionalProperties, deeper),
    {
      minKeys: minProperties,
      maxKeys: isDeep ? minProperties : Math.max(2, minProperties),
    },
  );
  return fc.tuple(rest, record).map(([more, own]) => ({ ...more, ...own }));
}
