// The schema interpreter against ajv, and projections against their own output schemas.
import { Ajv2020 } from "ajv/dist/2020.js";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { project, projectionSchema } from "../../src/contract/projection.ts";
import type { Field, Projection } from "../../src/contract/projection.ts";
import { mismatches } from "../../src/contract/schema.ts";
import type { Schema } from "../../src/contract/schema.ts";
import { verifies } from "../verifies.ts";

const SEED = { seed: 20_261_123, numRuns: 1500 };
const ajv = new Ajv2020({ strict: false, ownProperties: true });

const names = fc.constantFrom("a", "b", "c", "toString");
const small = fc.integer({ min: 0, max: 3 });

// Numbers of few digits: on others "a multiple of 0.1" is a matter of opinion, ajv's included.
const number = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom(0.5, -1.5, 2.25));
const text = fc.string({ maxLength: 4, unit: "grapheme" });

const { schema } = fc.letrec<{ schema: Schema }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    bounded("string", { minLength: small, maxLength: small }),
    bounded("string", {
      pattern: fc.constantFrom("^a", "b$", "^[^a]*$", "\\d", "^\\w{2}$", "a|b"),
    }),
    fc.constantFrom<Schema>({ $ref: "#/$defs/Leaf" }, { $ref: "#/$defs/Tree" }),
    anyParts(tie("schema")),
    bounded("number", { minimum: number, maximum: number, multipleOf: fc.constantFrom(0.5, 1, 2) }),
    bounded("integer", { exclusiveMinimum: number, exclusiveMaximum: number }),
    fc.constantFrom<Schema>({ type: "boolean" }, { type: "null" }, { type: ["string", "null"] }),
    fc
      .array(text, { minLength: 1, maxLength: 3 })
      .map((all) => ({ type: "string", enum: all }) as const),
    number.map((one) => ({ type: "number", const: one }) as const),
    bounded("array", {
      items: tie("schema"),
      minItems: small,
      maxItems: small,
      uniqueItems: fc.boolean(),
    }),
    bounded("object", {
      properties: fc.dictionary(names, tie("schema"), { maxKeys: 3 }),
      required: fc.uniqueArray(names, { maxLength: 2 }),
      minProperties: small,
      maxProperties: small,
      additionalProperties: fc.oneof(fc.boolean(), tie("schema")),
    }),
  ),
}));

/** What the schemas refer to: one holds itself. */
const $defs: Readonly<Record<string, Schema>> = {
  Leaf: { type: ["string", "null"], maxLength: 2 },
  Tree: {
    type: "object",
    properties: { a: { $ref: "#/$defs/Tree" }, b: { $ref: "#/$defs/Leaf" } },
    additionalProperties: false,
  },
};

function anyParts(one: fc.Arbitrary<Schema>): fc.Arbitrary<Schema> {
  const some = fc.array(one, { minLength: 1, maxLength: 3 });
  return fc
    .record({ allOf: some, anyOf: some, oneOf: some, not: one }, { requiredKeys: [] })
    .filter((made) => Object.keys(made).length > 0);
}

function bounded(
  type: "string" | "number" | "integer" | "array" | "object",
  keywords: Record<string, fc.Arbitrary<unknown>>,
): fc.Arbitrary<Schema> {
  return fc.record(keywords, { requiredKeys: [] }).map((some) => ({ type, ...some }));
}

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    text,
    number,
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(names, tie("value"), { maxKeys: 3 }),
  ),
}));

/** A value that often fits: made from the schema, with now and then something else in it. */
function near(of: Schema): fc.Arbitrary<unknown> {
  const [part] = [...(of.anyOf ?? []), ...(of.oneOf ?? []), ...(of.allOf ?? [])];
  if (part !== undefined) return near(part);
  if (of.$ref !== undefined) {
    const leaf = fc.constantFrom<unknown>("a", "abc", null, 1);
    return of.$ref.endsWith("Leaf") ? leaf : fc.record({ a: value, b: leaf }, { requiredKeys: [] });
  }
  const type = typeof of.type === "string" ? of.type : of.type?.[0];
  const own = (): fc.Arbitrary<unknown> => {
    if (of.enum !== undefined) return fc.constantFrom(...of.enum);
    switch (type) {
      case "string":
        return text;
      case "number":
      case "integer":
        return of.const === undefined ? number : fc.constant(of.const);
      case "boolean":
        return fc.boolean();
      case "array":
        return fc.array(of.items === undefined ? value : near(of.items), { maxLength: 3 });
      case "object": {
        const entries = Object.entries(of.properties ?? {}).map(([k, s]) => [k, near(s)] as const);
        const rest = fc.dictionary(names, value, { maxKeys: 1 });
        const inner = fc.record(Object.fromEntries(entries), { requiredKeys: [] });
        return fc.tuple(rest, inner).map(([a, b]) => ({ ...a, ...b }));
      }
      default:
        return fc.constant(null);
    }
  };
  return fc.oneof({ weight: 9, arbitrary: own() }, { weight: 1, arbitrary: value });
}

test("the interpreter accepts exactly what ajv accepts", () => {
  let accepted = 0;
  const pair = schema.chain((of) => near(of).map((one) => [{ ...of, $defs }, one] as const));
  fc.assert(
    fc.property(pair, ([of, given]) => {
      const fits = ajv.validate(of, given);
      ajv.removeSchema();
      if (fits) accepted++;
      expect(mismatches(of, given).length === 0).toBe(fits);
    }),
    SEED,
  );
  expect(accepted).toBeGreaterThan(300);
  expect(accepted).toBeLessThan(1300);
});

const from = fc.constantFrom("/a", "/b", "/c", "/a/b");
const shared = { from, optional: fc.boolean() };
const { fields } = fc.letrec<{ fields: Projection; field: Field }>((tie) => ({
  fields: fc
    .uniqueArray(fc.tuple(names, tie("field")), { maxLength: 3, selector: ([name]) => name })
    .map((pairs) => new Map(pairs)),
  field: fc.oneof(
    { maxDepth: 3 },
    fc.record({
      ...shared,
      kind: fc.constant("value" as const),
      schema: fc.constantFrom<Schema>({ type: "integer" }, { type: "string", maxLength: 3 }),
      ledger: fc.constant("plain" as const),
    }),
    fc.record({ ...shared, kind: fc.constant("list" as const), items: tie("fields") }),
    fc.record({ ...shared, kind: fc.constant("object" as const), fields: tie("fields") }),
  ),
}));

/** An answer that often has the shape that a projection wants. */
function answerFor(projection: Projection): fc.Arbitrary<unknown> {
  const parts = [...projection.values()].map((field) => {
    const at = field.from.slice(1).split("/");
    return { at, value: answerOf(field) };
  });
  const filled = fc.tuple(...parts.map(({ value: one }) => one)).map((values) => {
    const out: Record<string, unknown> = {};
    values.forEach((one, i) => place(out, parts[i]?.at ?? [], one));
    return out;
  });
  return fc.oneof({ weight: 12, arbitrary: filled }, { weight: 1, arbitrary: value });
}

function answerOf(field: Field): fc.Arbitrary<unknown> {
  if (field.kind === "list") return fc.array(answerFor(field.items), { maxLength: 3 });
  if (field.kind === "object") return answerFor(field.fields);
  return field.schema.type === "integer" ? fc.integer() : fc.string({ maxLength: 3 });
}

function place(out: Record<string, unknown>, at: readonly string[], one: unknown): void {
  const [key = "", ...rest] = at;
  if (rest.length === 0) {
    out[key] = one;
    return;
  }
  const inner = out[key];
  const next = typeof inner === "object" && inner !== null ? inner : {};
  out[key] = next;
  place(next as Record<string, unknown>, rest, one);
}

verifies("broker.projection", "what comes through without drift fits the output schema", () => {
  let clean = 0;
  const pair = fields.chain((of) => answerFor(of).map((answer) => [of, answer] as const));
  fc.assert(
    fc.property(pair, ([of, answer]) => {
      const projected = project(of, answer);
      if (projected.drift.length > 0) return;
      clean++;
      const output = projectionSchema(of);
      expect(mismatches(output, projected.value)).toEqual([]);
      expect(ajv.validate(output, projected.value)).toBe(true);
      ajv.removeSchema();
    }),
    SEED,
  );
  expect(clean).toBeGreaterThan(500);
});
