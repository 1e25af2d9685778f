// Drift against ajv: whenever a value that an API took is refused by its new schema, or one that
// it now answers would not have been answered before, there is a finding that somebody hears of.
import { Ajv2020 } from "ajv/dist/2020.js";
import * as fc from "fast-check";
import { expect } from "vitest";
import { compare } from "../../src/contract/compare.ts";
import { hashesOf, sliceOf } from "../../src/contract/slice.ts";
import type { Slice } from "../../src/contract/slice.ts";
import { verifies } from "../verifies.ts";

type Json = Readonly<Record<string, unknown>>;

const SEED = {
  seed: 20_261_128,
  numRuns: 500,
};
const ajv = new Ajv2020({ strict: false, validateSchema: false });
const names = fc.constantFrom("a", "b", "c");
const small = fc.integer({ min: 0, max: 3 });
const words = fc.constantFrom("x", "y", "z", "xy");

const { schema } = fc.letrec<{ schema: Json }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    bounded("string", { minLength: small, maxLength: small }),
    bounded("integer", { minimum: small, maximum: small }),
    bounded("number", { exclusiveMinimum: small, exclusiveMaximum: small }),
    fc.constantFrom<Json>({ type: "boolean" }, { type: "null" }, { type: ["string", "null"] }, {}),
    fc.constantFrom<Json>({ type: "string", pattern: "^x" }, { type: "string", pattern: "y$" }),
    fc.uniqueArray(words, { minLength: 1, maxLength: 3 }).map((all) => ({ enum: all })),
    words.map((one) => ({ const: one })),
    bounded("array", { items: tie("schema"), minItems: small, maxItems: small }),
    bounded("object", {
      properties: fc.dictionary(names, tie("schema"), { maxKeys: 3 }),
      required: fc.uniqueArray(names, { maxLength: 2 }),
      additionalProperties: fc.oneof(fc.boolean(), tie("schema")),
    }),
    fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((all) => ({ anyOf: all })),
    fc.array(tie("schema"), { minLength: 1, maxLength: 2 }).map((all) => ({ allOf: all })),
    tie("schema").map((one) => ({ not: one })),
  ),
}));

function bounded(type: string, keywords: Record<string, fc.Arbitrary<unknown>>) {
  return fc.record(keywords, { requiredKeys: [] }).map((some): Json => ({ type, ...some }));
}

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    words,
    fc.integer({ min: -1, max: 4 }),
    fc.constantFrom(null, true, 0.5, ""),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(names, tie("value"), { maxKeys: 3 }),
  ),
}));

function sliceFor(request: unknown, response: unknown, schemas: Json = {}): Slice {
  const json = (one: unknown) => ({ content: { "application/json": { schema: one } } });
  const document = {
    openapi: "3.1.0",
    paths: { "/x": { post: { requestBody: json(request), responses: { 200: json(response) } } } },
    components: { schemas },
  };
  const source = { from: "", sha256: "", retrieved: "" };
  return sliceOf(document, "POST /x", { source });
}

const loud = (slices: readonly [Slice, Slice]) =>
  compare(...slices).filter(({ severity }) => severity !== "info");

/** A schema and one near to it: changed in one place, or another altogether. */
const pairs = fc.oneof(
  fc.tuple(schema, schema),
  fc.tuple(schema, fc.nat(), schema).map(([one, at, other]) => [one, replaced(one, at, other)]),
) as fc.Arbitrary<[Json, Json]>;

/** The schema with its `at`th subschema (in some order) replaced. */
function replaced(whole: Json, at: number, by: Json): Json {
  let left = at % 6;
  const walk = (node: unknown): unknown => {
    if (node === null || typeof node !== "object") return node;
    if (!Array.isArray(node) && left-- === 0) return by;
    if (Array.isArray(node)) return node.map(walk);
    return Object.fromEntries(Object.entries(node).map(([key, one]) => [key, walk(one)]));
  };
  return walk(whole) as Json;
}

verifies("contract.rules", "a request that is refused now is never found to be harmless", () => {
  fc.assert(
    fc.property(pairs, fc.array(value, { maxLength: 12 }), ([before, after], values) => {
      const [was, is] = [ajv.compile(before), ajv.compile(after)];
      if (!values.some((one) => was(one) && !is(one))) return;
      const slices = [sliceFor(before, {}), sliceFor(after, {})] as const;
      // What was never declared, no tool sends.
      if (compare(...slices).some(({ rule }) => rule.startsWith("new-optional"))) return;
      expect(loud(slices)).not.toEqual([]);
    }),
    SEED,
  );
});

verifies("contract.rules", "an answer that was impossible is never found to be harmless", () => {
  fc.assert(
    fc.property(pairs, fc.array(value, { maxLength: 12 }), ([before, after], values) => {
      const [was, is] = [ajv.compile(before), ajv.compile(after)];
      // What else an object holds is dropped, and text is only text: neither can harm.
      if (/additionalProperties|pattern/.test(JSON.stringify(before))) return;
      if (!values.some((one) => !was(one) && is(one))) return;
      expect(loud([sliceFor({}, before), sliceFor({}, after)])).not.toEqual([]);
    }),
    SEED,
  );
});

/** The same schema in other words. `pick` says which, place by place. */
function rewritten(node: Json, pick: () => number, schemas: Record<string, unknown>): Json {
  const inner = (one: unknown): unknown =>
    one !== null && typeof one === "object" && !Array.isArray(one)
      ? rewritten(one as Json, pick, schemas)
      : one;
  const out: Record<string, unknown> = { ...node, description: "words" };
  for (const key of ["items", "additionalProperties", "not"])
    if (key in out) out[key] = inner(out[key]);
  for (const key of ["anyOf", "allOf"]) {
    if (Array.isArray(out[key])) out[key] = out[key].map(inner).toReversed();
  }
  if ("properties" in out) {
    const entries = Object.entries(out["properties"] ?? {}).map(([name, one]) => [
      name,
      inner(one),
    ]);
    out["properties"] = Object.fromEntries(entries.toReversed());
  }
  for (const key of ["required", "enum", "type"]) {
    if (Array.isArray(out[key])) out[key] = out[key].toReversed();
  }
  switch (pick() % 5) {
    case 0:
      return { allOf: [out] };
    case 1:
      return { oneOf: [out] };
    case 2: {
      const name = `S${Object.keys(schemas).length}`;
      schemas[name] = out;
      return { $ref: `#/components/schemas/${name}` };
    }
    case 3: {
      if (!Array.isArray(out["type"])) return out;
      const { type: _, ...rest } = out;
      return { type: "string", nullable: true, ...rest };
    }
    default:
      return out;
  }
}

verifies("contract.equivalent", "a schema in other words has the same hash and no finding", () => {
  const picks = fc.array(fc.nat(), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(schema, picks, (before, all) => {
      let turn = 0;
      const schemas: Record<string, unknown> = {};
      const after = rewritten(before, () => all[turn++ % all.length] ?? 0, schemas);
      const slices = [sliceFor(before, before), sliceFor(after, after, schemas)] as const;
      expect(compare(...slices)).toEqual([]);
      expect(hashesOf(slices[1])).toEqual(hashesOf(slices[0]));
    }),
    SEED,
  );
});

verifies("contract.equivalent", "slices with different hashes differ by a finding", () => {
  fc.assert(
    fc.property(pairs, ([before, after]) => {
      const slices = [sliceFor(before, before), sliceFor(after, after)] as const;
      const [old, now] = slices.map(hashesOf);
      const found = compare(...slices);
      for (const side of ["request", "response"] as const) {
        const isSame = old?.[side] === now?.[side];
        expect(found.some((one) => one.side === side)).toBe(!isSame);
      }
    }),
    SEED,
  );
});
