// Every style in every place: what an API reads is exactly the argument, or the call was refused.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { describe, expect } from "vitest";
import type { DeclarativeTool, Style } from "../../src/catalog/definition.ts";
import { buildRequest } from "../../src/sandbox/request.ts";
import { catalogOf, toolFile } from "../setup/minimal.ts";
import { readParameter } from "../setup/openapi-reader.ts";
import type { Parameter, Read } from "../setup/openapi-reader.ts";
import { verifies } from "../verifies.ts";

const SEED = { seed: 20_261_128, numRuns: 250 };
const DATA = process.env["DOORLESS_TEST_DATA"];
const skip = DATA === undefined ? "DOORLESS_TEST_DATA is not set" : undefined;

const ATTACKS = [
  ["", ".", "..", "...", "/", "\\", "?", "#", "&", "=", ";", ",", "|", " ", "+", "%", "%2e%2e"],
  ["%2E", "%2f", "%5c", "%00", "%252e%252e%252f", "../../admin", "..\\..\\admin", "..;/admin"],
  ["//evil.test", "http://evil.test/", "@evil.test", ":80", "a?b=c", "a#b", "a&admin=true"],
  ["a=b", ";q=1", ";admin=true", "a,b", "a, b", "a|b", "a b", " a", "a ", "a%20b", "a%2Cb"],
  ["a\r\nHost: evil.test", "a\nb", "\r", "\0", "a\0b", "\u{85}", "\u{2028}", "\u{feff}a"],
  ["\ud800", "\udc00a", "a\ud83d", "\u{1f44d}", "\u{202e}a", "e\u0301", "ü", "𝒳"],
  ["q", "v", "filter", "filter[a]", "filter[b]", "arg", "arg[0]", "arg[]", "[", "]", "][", "[]"],
  ["a[b]", "a]b[c", "0", "1", "-1", "true", "null", "undefined", "NaN", "1e999", "{arg}", "$&"],
  ["__proto__", "constructor", "toString", "hasOwnProperty", "length", "<script>", "'\"`"],
].flat();

const plain = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const scalar = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<string | number | boolean>(...ATTACKS) },
  { weight: 2, arbitrary: plain },
  fc.string({ unit: "binary", maxLength: 6 }),
  // Halves of surrogate pairs as well.
  fc.array(fc.integer({ min: 0xd7f0, max: 0xe010 }), { maxLength: 3 }).map((units) => {
    return String.fromCharCode(...units);
  }),
  fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean()),
);
const key = fc.oneof(plain, fc.constantFrom(...ATTACKS)).filter((name) => name !== "__proto__");
const entries = { maxKeys: 4 };

const { any } = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    scalar,
    fc.array(tie("any"), { maxLength: 3 }),
    fc.dictionary(key, tie("any"), entries),
  ),
}));

const KINDS = {
  text: { value: scalar, schema: { type: ["string", "number", "boolean"], maxLength: 9999 } },
  list: {
    value: fc.array(scalar, { maxLength: 4 }),
    schema: { type: "array", maxItems: 99, items: { $ref: "#/$defs/Scalar" } },
  },
  object: {
    value: fc.dictionary(key, scalar, entries),
    schema: { type: "object", additionalProperties: { $ref: "#/$defs/Scalar" } },
  },
  any: {
    value: fc.oneof(fc.array(any, { maxLength: 3 }), fc.dictionary(key, any, entries)),
    schema: { $ref: "#/$defs/Any" },
  },
} as const;

const SCALAR = { type: ["string", "number", "boolean", "null"], maxLength: 9999 };
const $defs = {
  Scalar: SCALAR,
  Any: {
    anyOf: [
      SCALAR,
      { type: "array", maxItems: 999, items: { $ref: "#/$defs/Any" } },
      { type: "object", additionalProperties: { $ref: "#/$defs/Any" } },
    ],
  },
};

const STYLES: Readonly<Record<Parameter["in"], readonly Style[]>> = {
  path: ["simple", "label", "matrix"],
  query: ["form", "spaceDelimited", "pipeDelimited", "deepObject"],
  form: ["form", "spaceDelimited", "pipeDelimited", "deepObject"],
  header: ["simple"],
};

/** Each way in which OpenAPI lets a value be written. */
const WAYS = Object.entries(STYLES).flatMap(([place, styles]) =>
  styles.flatMap((style) => {
    const kinds =
      style === "deepObject" ? (["any"] as const) : (["text", "list", "object"] as const);
    const explodes = style.endsWith("Delimited")
      ? [false]
      : style === "deepObject"
        ? [true]
        : [false, true];
    return kinds.flatMap((kind) =>
      explodes.map((explode): Parameter => {
        const name = place === "header" ? "X-Arg" : "arg";
        return { in: place as Parameter["in"], name, style, explode, kind };
      }),
    );
  }),
);

const template = (way: Parameter): string => (way.in === "path" ? "/a/{arg}/z" : "/a/z");

/** A tool with this argument, and with others in the same place that are never given. */
function toolOf(way: Parameter): DeclarativeTool {
  const { style, explode, kind } = way;
  const place = way.in === "form" ? "body" : way.in;
  const other = { in: place, optional: true, schema: { type: "string", maxLength: 9 } };
  const others = ["query", "body"].includes(place)
    ? { q: other, fa: { ...other, as: "filter[a]" }, fb: { ...other, as: "filter[b]" } }
    : {};
  const as = way.name === "arg" ? {} : { as: way.name };
  const schema = isBeside(way)
    ? { type: "object", additionalProperties: false }
    : KINDS[kind].schema;
  const file = toolFile("item_do", {
    operation: `POST ${template(way)}`,
    ...(way.in === "form" ? { body: "form" } : {}),
    input: { arg: { in: place, ...as, style, explode, schema }, ...others },
    ...(way.in === "query" ? { fixed: { query: { v: "1" } } } : {}),
    $defs,
    effects: { readOnly: false, destructive: false, idempotent: true, openWorld: false },
    target: "none",
  });
  const tool = catalogOf(file).tools.get("item_do");
  if (tool?.kind !== "declarative") throw new Error("no tool");
  return tool;
}

/** Its properties stand beside other arguments. */
const isBeside = ({ in: place, style, explode, kind }: Parameter): boolean =>
  ["query", "form"].includes(place) && style === "form" && explode && kind === "object";

/** The same, where its file declares these names: any other is refused. */
function declaring(tool: DeclarativeTool, names: readonly string[]): DeclarativeTool {
  const [arg] = [...tool.inputs.values()];
  if (arg === undefined) throw new Error("no argument");
  const properties = Object.fromEntries(names.map((name) => [name, {}]));
  const schema = { type: "object", properties, additionalProperties: false } as const;
  return { ...tool, inputs: new Map([...tool.inputs, ["arg", { ...arg, schema }]]) };
}

/** What else stands there: nothing but what is fixed. */
const othersOf = (way: Parameter): Record<string, string> => {
  if (way.in !== "query" && way.in !== "form") return {};
  // To many an API, the two are one object.
  const others = { q: "", filter: "", "filter[a]": "", "filter[b]": "" };
  return way.in === "query" ? { ...others, v: "1" } : others;
};

/** As the reader has it: all scalars are text, and of `any`, lists are objects. */
function expected(value: unknown, kind: Parameter["kind"]): Read {
  if (Array.isArray(value)) {
    const items = value.map((one) => expected(one, kind));
    return kind === "any" ? Object.fromEntries(items.entries()) : items;
  }
  if (value === null || typeof value !== "object") return String(value);
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, expected(one, kind)]),
  );
}

/** True where it was sent, and read back as it is. Throws where it was read as anything else. */
function survives(tool: DeclarativeTool, way: Parameter, value: unknown): boolean {
  const names = isBeside(way) ? Object.keys(value as object) : undefined;
  const built = buildRequest(names === undefined ? tool : declaring(tool, names), { arg: value });
  if (!built.ok) {
    expect(built.refusal.code).toBe("invalid_arguments");
    return false;
  }
  const read = readParameter(built.value, template(way), way, othersOf(way));
  expect(sorted(read)).toEqual(sorted(expected(value, way.kind)));
  return true;
}

// Objects without a prototype, and the order of names, are the same to an API.
const sorted = (read: Read | undefined): unknown =>
  read === undefined
    ? undefined
    : JSON.parse(
        JSON.stringify(read, (_key, one: unknown) =>
          one !== null && typeof one === "object" && !Array.isArray(one)
            ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
            : one,
        ),
      );

const wordsOf = ({ in: place, style, explode, kind }: Parameter): string =>
  `${kind} in a ${place}, ${style}${explode ? " exploded" : ""}`;

describe("each style", () => {
  for (const way of WAYS) {
    verifies("broker.styles", `${wordsOf(way)}, is read back exactly, or refused`, () => {
      const tool = toolOf(way);
      let sent = 0;
      fc.assert(
        fc.property(KINDS[way.kind].value as fc.Arbitrary<unknown>, (value) => {
          if (survives(tool, way, value)) sent++;
        }),
        SEED,
      );
      expect(sent).toBeGreaterThan(10);
      // What means nothing anywhere is never refused.
      const harmless: Readonly<Record<Parameter["kind"], unknown>> = {
        text: "Abc-1_~",
        list: ["a", "b-2", 3, true],
        object: { x: "a", y: 2 },
        any: { x: ["a", { y: 1 }], z: "\u{e9}&=\r\n" },
      };
      expect(survives(tool, way, harmless[way.kind])).toBe(true);
    });
  }

  verifies(
    "broker.styles",
    "the big list of naughty strings stays in its place, as value, item and name",
    () => {
      const text = readFileSync(join(DATA ?? "", "blns", "blns.json"), "utf8");
      const naughty = JSON.parse(text) as string[];
      expect(naughty.length).toBeGreaterThan(400);
      for (const way of WAYS) {
        const tool = toolOf(way);
        let sent = 0;
        for (const one of naughty) {
          const shapes = {
            text: [one],
            list: [[one], ["a", one], [one, one]],
            object: [{ x: one }, { [one]: "x" }, { a: "b", [one]: one }],
            any: [[one], { [one]: one }, { x: { [one]: [one] } }],
          }[way.kind];
          for (const value of shapes) if (survives(tool, way, value)) sent++;
        }
        expect(sent, wordsOf(way)).toBeGreaterThan(naughty.length / 3);
      }
    },
    { skip },
  );
});
