// The schema interpreter, keyword by keyword.
import { describe, expect, test } from "vitest";
import { schemaSchema } from "../../../src/contract/schema-file.ts";
import { FORMAT_NAMES, mismatches } from "../../../src/contract/schema.ts";
import type { Schema } from "../../../src/contract/schema.ts";

interface Row {
  readonly schema: Schema;
  readonly fits: readonly unknown[];
  readonly not: readonly unknown[];
}

const KEYWORDS: Readonly<Record<string, Row>> = {
  "type string": { schema: { type: "string" }, fits: ["", "a"], not: [1, null, [], {}, true] },
  "type number": { schema: { type: "number" }, fits: [0, 1.5, -1], not: ["1", null, true] },
  "type integer": {
    schema: { type: "integer" },
    fits: [0, -7, 2 ** 53 - 1, 1.0],
    // Beyond what a double counts exactly, two ids would be one.
    not: [1.5, 2 ** 53, "1", null],
  },
  "type boolean": { schema: { type: "boolean" }, fits: [true, false], not: [0, "true", null] },
  "type null": { schema: { type: "null" }, fits: [null], not: [0, "", false, undefined] },
  "type array": { schema: { type: "array" }, fits: [[], [1]], not: [{}, "a", null] },
  "type object": { schema: { type: "object" }, fits: [{}, { a: 1 }], not: [[], null, "a"] },
  "several types": { schema: { type: ["string", "null"] }, fits: ["a", null], not: [1, {}] },
  const: { schema: { type: "string", const: "a" }, fits: ["a"], not: ["b", ""] },
  enum: { schema: { type: ["string", "null"], enum: ["a", null] }, fits: ["a", null], not: ["b"] },
  "enum of objects": {
    schema: { type: "object", enum: [{ a: [1] }] },
    fits: [{ a: [1] }],
    not: [{ a: [2] }, {}],
  },
  minimum: { schema: { type: "number", minimum: 1 }, fits: [1, 2], not: [0.99] },
  maximum: { schema: { type: "number", maximum: 1 }, fits: [1, -2], not: [1.01] },
  exclusiveMinimum: { schema: { type: "number", exclusiveMinimum: 1 }, fits: [1.01], not: [1, 0] },
  exclusiveMaximum: { schema: { type: "number", exclusiveMaximum: 1 }, fits: [0.99], not: [1, 2] },
  multipleOf: {
    schema: { type: "number", multipleOf: 0.1 },
    fits: [0, 0.3, 1.1, -0.7, 1e6, 1e9 + 0.1],
    not: [0.25, 0.01, 1e9 + 0.01, 1e300],
  },
  minLength: { schema: { type: "string", minLength: 2 }, fits: ["ab", "👍👍"], not: ["a", "👍"] },
  maxLength: { schema: { type: "string", maxLength: 2 }, fits: ["", "👍👍"], not: ["abc"] },
  minItems: { schema: { type: "array", minItems: 1 }, fits: [[1]], not: [[]] },
  maxItems: { schema: { type: "array", maxItems: 1 }, fits: [[], [1]], not: [[1, 2]] },
  items: {
    schema: { type: "array", items: { type: "integer" } },
    fits: [[], [1, 2]],
    not: [["a"], [1, null]],
  },
  required: {
    schema: { type: "object", required: ["a", "toString"] },
    fits: [{ a: undefined, toString: 1 }],
    // An inherited property is not given.
    not: [{}, { a: 1 }],
  },
  properties: {
    schema: { type: "object", properties: { a: { type: "integer" } } },
    fits: [{}, { a: 1 }, { b: "x" }, { constructor: "x" }],
    not: [{ a: "1" }],
  },
  pattern: {
    schema: { type: "string", pattern: "^[a-z]+\\d" },
    fits: ["a1", "ab2 and more"],
    not: ["1a", "A1", "", "a1\ud800", `a1${"x".repeat(65_536)}`],
  },
  uniqueItems: {
    schema: { type: "array", uniqueItems: true },
    fits: [[], [1, "1"], [{ a: 1 }, { a: 2 }]],
    not: [
      [1, 1],
      [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ],
    ],
  },
  minProperties: { schema: { type: "object", minProperties: 1 }, fits: [{ a: 1 }], not: [{}] },
  maxProperties: {
    schema: { type: "object", maxProperties: 1 },
    fits: [{}],
    not: [{ a: 1, b: 1 }],
  },
  "additionalProperties of a schema": {
    schema: { type: "object", properties: { a: {} }, additionalProperties: { type: "integer" } },
    fits: [{}, { a: "x", b: 1 }],
    not: [{ b: "x" }, { toString: "x" }],
  },
  allOf: {
    schema: { type: "integer", allOf: [{ minimum: 1 }, { maximum: 2 }] },
    fits: [1, 2],
    not: [0, 3, "1"],
  },
  anyOf: {
    schema: { anyOf: [{ type: "integer" }, { type: "string", maxLength: 1 }] },
    fits: [1, "a"],
    not: ["ab", null, 1.5],
  },
  oneOf: {
    schema: { oneOf: [{ type: "integer" }, { type: "number", minimum: 2 }] },
    fits: [1, 2.5],
    not: [2, 1.5],
  },
  not: { schema: { type: "string", not: { enum: ["a"] } }, fits: ["b"], not: ["a", 1] },
  $ref: {
    schema: {
      $ref: "#/$defs/Node",
      $defs: {
        Node: {
          type: "object",
          properties: { next: { $ref: "#/$defs/Node" }, n: { type: "integer" } },
          additionalProperties: false,
        },
      },
    },
    fits: [{}, { next: { next: { n: 1 } } }],
    not: [{ next: { next: { n: "1" } } }, { next: { other: 1 } }, 1],
  },
  "a $ref that leads nowhere": { schema: { $ref: "#/$defs/toString" }, fits: [], not: [1, {}] },
  "a $ref that leads back": {
    schema: { $ref: "#/$defs/A", $defs: { A: { anyOf: [{ $ref: "#/$defs/A" }] } } },
    fits: [],
    not: [1, {}],
  },
  "additionalProperties false": {
    schema: { type: "object", properties: { a: { type: "integer" } }, additionalProperties: false },
    fits: [{}, { a: 1 }],
    not: [{ b: 1 }, { constructor: 1 }, JSON.parse('{"__proto__":1}')],
  },
};

describe("keywords", () => {
  for (const [keyword, { schema, fits, not }] of Object.entries(KEYWORDS)) {
    test(`${keyword} accepts what fits and nothing else`, () => {
      for (const value of fits)
        expect(mismatches(schema, value), JSON.stringify(value)).toEqual([]);
      for (const value of not) {
        expect(mismatches(schema, value).length, JSON.stringify(value)).toBeGreaterThan(0);
      }
    });
  }
});

const FORMATS: Readonly<Record<string, { fits: readonly string[]; not: readonly string[] }>> = {
  date: {
    fits: ["2024-02-29", "1999-12-31"],
    not: ["2023-02-29", "2024-13-01", "2024-1-1", "2024-01-01\n", "", "2024-01-01T00:00:00Z"],
  },
  "date-time": {
    fits: ["2024-02-29T23:59:59Z", "2024-01-01T00:00:00.123456789+05:30"],
    not: ["2024-01-01 00:00:00Z", "2024-01-01T25:00:00Z", "2024-01-01T00:00:00", "2024-01-01T"],
  },
  email: {
    fits: ["a@b.test", "a.b+c@sub.b-c.test"],
    not: [
      "a",
      "@b.test",
      "a@b",
      "a@b..test",
      "a@-b.test",
      '"a b"@c.test',
      "a@b.test\r\nBcc: x@y.test",
      "a@b.test,c@d.test",
      "a..b@c.test",
      "a@[127.0.0.1]",
      `${"x".repeat(65)}@b.test`,
    ],
  },
  uri: { fits: ["https://a.test/x?y", "urn:a:b"], not: ["//a.test", "a", "", "1a:b", "/x"] },
  uuid: {
    fits: ["017F22E2-79b0-7cc3-98c4-dc0c0c07398f"],
    not: ["017f22e279b07cc398c4dc0c0c07398f", "x", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n"],
  },
};

describe("formats", () => {
  test("each format that a tool file may name is tested here", () => {
    expect(Object.keys(FORMATS)).toEqual(FORMAT_NAMES);
  });

  for (const [format, { fits, not }] of Object.entries(FORMATS)) {
    test(`${format} accepts what fits and nothing else`, () => {
      for (const text of fits)
        expect(mismatches({ type: "string", format }, text), text).toEqual([]);
      for (const text of not) {
        expect(mismatches({ type: "string", format }, text), text).toHaveLength(1);
      }
    });

    test(`${format} is decided in linear time on hostile text`, () => {
      const started = performance.now();
      for (const c of ["a", "-", "1", "@", "a.", ":", "\n"]) {
        mismatches({ type: "string", format }, c.repeat(500_000));
      }
      expect(performance.now() - started).toBeLessThan(1500);
    });
  }
});

describe("what is said", () => {
  test("says where and what was expected, and never the value", () => {
    const schema: Schema = {
      type: "object",
      properties: { list: { type: "array", items: { type: "string", maxLength: 3 } } },
      required: ["id"],
      additionalProperties: false,
    };
    const found = mismatches(schema, { list: ["ok", "canary"], other: "canary" });
    expect(found).toEqual([
      { path: "/id", expected: "to be given", got: "nothing" },
      { path: "/list/1", expected: "at most 3 characters", got: "string of 6 characters" },
      { path: "/other", expected: "no such argument", got: "string of 6 characters" },
    ]);
    expect(JSON.stringify(found)).not.toContain("canary");
  });

  test("of alternatives, says what is wrong in the one that was meant", () => {
    const a: Schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
    const either: Schema = { anyOf: [a, { type: "string" }] };
    expect(mismatches(either, { n: "x" }).map(({ path }) => path)).toEqual(["/n"]);
    expect(mismatches(either, 1)).toEqual([
      { path: "", expected: "to fit one of 2 alternatives", got: "number" },
    ]);
  });

  test("alternatives that multiply are no way to hold up a call", () => {
    const two = (name: string): Schema => ({ type: "object", properties: { a: { $ref: name } } });
    const $ref = "#/$defs/Twice";
    const schema: Schema = {
      $ref,
      $defs: { Twice: { oneOf: [two($ref), two($ref), { type: "null" }] } },
    };
    let deep: unknown = null;
    for (let level = 0; level < 60; level++) deep = { a: deep };
    expect(mismatches(schema, deep)).toHaveLength(1);
    // Under `not`, what nobody could judge is no yes.
    const { $defs = {} } = schema;
    expect(mismatches({ $defs, not: { $ref } }, deep)).toHaveLength(1);
  });

  test("stops at about ten, however much is wrong", () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, i]));
    const schema: Schema = { type: "object", properties: {}, additionalProperties: false };
    expect(mismatches(schema, many)).toHaveLength(10);
    const list: Schema = { type: "array", items: { type: "integer" } };
    expect(
      mismatches(
        list,
        Array.from({ length: 5000 }, () => "x"),
      ),
    ).toHaveLength(10);
  });

  test("a name that a caller made up is cut short", () => {
    const schema: Schema = { type: "object", properties: {}, additionalProperties: false };
    const [found] = mismatches(schema, { ["x".repeat(10_000)]: 1 });
    expect(found?.path.length).toBeLessThanOrEqual(65);
  });
});

describe("in a tool file", () => {
  for (const keyword of [
    "patternProperties",
    "$id",
    "prefixItems",
    "if",
    "x-own",
    "contains",
    "nullable",
  ]) {
    test(`${keyword}, which nobody enforces, is refused`, () => {
      expect(schemaSchema.safeParse({ type: "string", [keyword]: "a" }).success).toBe(false);
    });
  }

  test("a pattern that only a backtracking engine could match is refused", () => {
    for (const pattern of ["(?=a)", "(?<!a)b", "(a)\\1", "[", "x{1,100000}"]) {
      const parsed = schemaSchema.safeParse({ type: "string", pattern });
      expect(parsed.error?.issues[0]?.message, pattern).toMatch(/RE2/);
    }
    expect(schemaSchema.safeParse({ type: "string", pattern: "^\\u00e9[^/]+$" }).success).toBe(
      true,
    );
  });

  test("a reference names a definition of the same file and nothing else", () => {
    for (const $ref of [
      "#",
      "#/$defs/",
      "#/$defs/a/b",
      "#/properties/a",
      "https://a.test/s.json",
    ]) {
      expect(schemaSchema.safeParse({ $ref }).success, $ref).toBe(false);
    }
    expect(schemaSchema.safeParse({ $ref: "#/$defs/Node" }).success).toBe(true);
  });

  test("a schema without a type, or with an unknown format, is refused", () => {
    for (const none of [
      {},
      { maxLength: 3 },
      { not: { type: "string" } },
      { description: "any" },
    ]) {
      expect(schemaSchema.safeParse(none).success).toBe(false);
    }
    expect(schemaSchema.safeParse({ type: "string", format: "hostname" }).success).toBe(false);
    expect(schemaSchema.safeParse({ type: "array", items: { maxLength: 3 } }).success).toBe(false);
    expect(schemaSchema.safeParse({ type: "string", format: "date" }).success).toBe(true);
  });
});
