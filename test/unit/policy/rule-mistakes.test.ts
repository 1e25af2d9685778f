// Rules that could not mean what they say: each stops the start, with its place and a mend.
import { describe, expect, test } from "vitest";
import { compilePolicy } from "../../../src/policy/policy.ts";
import { verifies } from "../../verifies.ts";
import { problemsOf } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { catalog, configWith } from "../../setup/ruled.ts";

const MISTAKES: readonly [string, Json, RegExp][] = [
  [
    "an argument that the tool lacks",
    { arguments: { nope: { const: 1 } } },
    /no argument of this name.*text/,
  ],
  [
    "bounds on text",
    { arguments: { text: { maximum: 5 } } },
    /speaks of number or integer.*string/,
  ],
  [
    "a pattern on a number",
    { arguments: { amount: { pattern: "1" } } },
    /speaks of string.*number/,
  ],
  ["a value of another type", { arguments: { flag: { const: "yes" } } }, /"yes" is no boolean/],
  ["a number beyond 2^53", { arguments: { amount: { enum: [2 ** 53] } } }, /beyond 2\^53/],
  [
    "enum and const that exclude each other",
    { arguments: { text: { enum: ["a"], const: "b" } } },
    /no value fits/,
  ],
  ["look-ahead", { arguments: { text: { pattern: "(?=a)a" } } }, /invalid or unsupported.*RE2/],
  ["a back-reference", { arguments: { text: { pattern: "(a)\\1" } } }, /invalid escape/],
  [
    "a huge repetition",
    { arguments: { text: { pattern: "((a{100}){100}){100}" } } },
    /repeat count/,
  ],
  [
    "a claim nobody has",
    { arguments: { text: { equals: "principal.shoe" } } },
    /no issuer.*principal\.email/,
  ],
  [
    "an unknown time zone",
    { hours: { from: "09:00", to: "10:00", zone: "Mars/North" } },
    /no such time zone/,
  ],
  [
    "a property that the schema lacks",
    { arguments: { deep: { properties: { b: { const: "x" } } } } },
    /no such property/,
  ],
  [
    "an unknown tool in seen_in",
    { arguments: { text: { seen_in: [{ tool: "no_tool", field: "/id" }] } } },
    /no such tool/,
  ],
  [
    "a field that is never answered",
    { arguments: { text: { seen_in: [{ tool: "item_get", field: "/x" }] } } },
    /answers no such value/,
  ],
  [
    "a list that is never answered",
    { arguments: { text: { seen_in: [{ tool: "item_get", each: "/all", field: "/x" }] } } },
    /no such list/,
  ],
  [
    "seen_in where forgetting would allow",
    { arguments: { amount: { not: { seen_in: [{ tool: "item_get", field: "/id" }] } } } },
    /may be forgotten/,
  ],
  [
    "seen_in in a when that refuses",
    {
      rules: [{ when: { amount: { seen_in: [{ tool: "item_get", field: "/id" }] } }, refuse: "x" }],
    },
    /may be forgotten/,
  ],
];

describe("rules that could not mean what they say", () => {
  for (const [what, grant, says] of MISTAKES) {
    verifies("policy.mistakes", `${what} stops the start`, () => {
      const problems = problemsOf(() => compilePolicy(configWith(grant), catalog()));
      expect(problems).toHaveLength(1);
      const [problem] = problems;
      expect(`${problem?.message} ${problem?.mend}`).toMatch(says);
      expect(problem?.pointer).toMatch(/^\/agents\/desk\/tools\/item_put\//);
      expect(problem?.line).toBeGreaterThan(1);
    });
  }

  for (const [what, grant] of [
    ["an empty condition", { arguments: { text: {} } }],
    ["optional alone", { arguments: { text: { optional: true } } }],
    ["an unknown keyword", { arguments: { text: { maximun: 3 } } }],
    ["an empty enum", { arguments: { text: { enum: [] } } }],
    ["a rule that neither refuses nor asks", { rules: [{ when: { text: { const: "x" } } }] }],
    [
      "a rule that does both",
      { rules: [{ when: { text: { const: "x" } }, refuse: "x", approve: "human" }] },
    ],
    ["a rule without a when", { rules: [{ when: {}, refuse: "x" }] }],
    ["a window of no time", { hours: { from: "09:00", to: "09:00", zone: "UTC" } }],
    ["an hour that is none", { hours: { from: "24:00", to: "25:00", zone: "UTC" } }],
  ] as [string, Json][]) {
    verifies("policy.mistakes", `${what} is no configuration`, () => {
      const [problem] = problemsOf(() => configWith(grant));
      expect(problem?.pointer).toContain("/agents/desk/tools/item_put");
    });
  }

  test("the world of these tests has no mistake itself", () => {
    expect(problemsOf(() => compilePolicy(configWith({}), catalog()))).toEqual([]);
  });
});
