// Argument rules: each keyword says yes, no or refuses to guess, and hostile values fool none.
import { describe, expect } from "vitest";
import { compilePolicy } from "../../../src/policy/policy.ts";
import type { Facts } from "../../../src/policy/says.ts";
import { verifies } from "../../verifies.ts";
import { configFrom, minimalConfig, withRoles } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { allows, catalog, configWith, FACTS, verdictOf, WHO } from "../../setup/ruled.ts";

const long = "a".repeat(1_048_576);
const LONE_SURROGATE = "\ud800";

interface Case {
  readonly rule: Json;
  readonly yes: readonly unknown[];
  readonly no: readonly unknown[];
}

// What looks like the allowed value, or would be it after some kindly conversion.
const LIKE_ACME = [
  "",
  "ACME",
  "acme ",
  " acme",
  "acme\u0000",
  "acme\n",
  "\u0430cme", // Cyrillic a
  "ac\u200bme", // zero-width space
  "\uff41cme", // full-width a
  "acme\u0301",
  "acme,acme",
  ["acme"],
  { toString: "acme" },
  null,
  true,
  0,
  long,
];
const LIKE_TEN = ["10", "1e1", [10], null, true, "", 11, 10.000001, 1e308, 2 ** 53];

const TEXT_CASES: Record<string, Case> = {
  enum: { rule: { enum: ["acme", "globex"] }, yes: ["acme", "globex"], no: LIKE_ACME },
  const: { rule: { const: "acme" }, yes: ["acme"], no: LIKE_ACME },
  pattern: { rule: { pattern: "a[bc]me" }, yes: ["acme", "abme"], no: LIKE_ACME },
  "pattern, which is of the whole value": {
    rule: { pattern: "acme|globex" },
    yes: ["acme", "globex"],
    no: ["acme evil", "evil acme", "evil\nacme", "acmeglobex", LONE_SURROGATE, long],
  },
  "pattern that blows up engines that backtrack": {
    rule: { pattern: "(a+)+b" },
    yes: ["aab"],
    no: ["a".repeat(60_000), "a".repeat(100), long, ""],
  },
  length: {
    rule: { minLength: 2, maxLength: 4 },
    yes: ["ab", "💥💥💥💥"],
    no: ["a", "", "abcde", long],
  },
  "format email": {
    rule: { format: "email" },
    yes: ["a@b.test"],
    no: ["", "a@b", "a@b.test\n", "a@b.test,c@d.test", "A <a@b.test>", "\u0430@b.test", long],
  },
  not: { rule: { not: { enum: ["x"] } }, yes: ["acme", ""], no: ["x", { x: 1 }, ["x"]] },
  "equals a claim": {
    rule: { equals: "principal.tenant" },
    yes: ["acme"],
    no: LIKE_ACME,
  },
  "member of a claim": {
    rule: { member_of: "principal.regions" },
    yes: ["north", "south"],
    no: ["", "North", "north,south", ["north"], "n\u043erth", "east", null, long],
  },
};

const NUMBER_CASES: Record<string, Case> = {
  // Beyond 2^53 nobody can tell which whole number it was.
  maximum: { rule: { maximum: 10 }, yes: [10, 0, -0, -9.5], no: [...LIKE_TEN, -1e308] },
  minimum: { rule: { minimum: 10 }, yes: [10, 1e9], no: [9.999, "10", null, 1e308, true, ""] },
  exclusive: {
    rule: { exclusiveMinimum: 0, exclusiveMaximum: 1 },
    yes: [0.5],
    no: [0, -0, 1, "0.5", null],
  },
  "enum of numbers": {
    rule: { enum: [9_007_199_254_740_991, 10] },
    yes: [9_007_199_254_740_991, 10],
    // The double of 2^53 stands for 2^53 + 1 as well: it is nobody's in particular.
    no: [2 ** 53, 2 ** 53 + 2, "10", [10], null, true],
  },
  multipleOf: { rule: { multipleOf: 0.1 }, yes: [0.3, 0], no: [0.35, "0.3", null] },
  "multipleOf, also of large numbers": {
    rule: { multipleOf: 2 },
    yes: [1_000_000_000],
    no: [1_000_000_001, 3_000_000_001, 9_007_199_254_740_991],
  },
};

function casesOf(argument: string, cases: Record<string, Case>): void {
  for (const [name, { rule, yes, no }] of Object.entries(cases)) {
    verifies(
      ["policy.rules", "policy.bad-input"],
      `${name} takes what it says, and nothing that resembles it`,
      () => {
        for (const value of yes)
          expect(allows({ [argument]: rule }, { [argument]: value })).toBe(true);
        for (const value of no)
          expect(allows({ [argument]: rule }, { [argument]: value })).toBe(false);
        expect(allows({ [argument]: rule }, {})).toBe(false);
        expect(allows({ [argument]: { ...rule, optional: true } }, {})).toBe(true);
        const proto = JSON.parse(`{"__proto__":{"${argument}":${JSON.stringify(yes[0])}}}`) as Json;
        expect(allows({ [argument]: rule }, proto)).toBe(false);
      },
    );
  }
}

describe("a rule for one argument", () => {
  casesOf("text", TEXT_CASES);
  casesOf("amount", NUMBER_CASES);

  verifies("policy.rules", "lists and objects are judged in their parts", () => {
    const list = { list: { maxItems: 2, items: { enum: ["a", "b"] } } };
    expect(allows(list, { list: ["a", "b"] })).toBe(true);
    for (const no of [["a", "c"], ["a", "a", "a"], "a", { 0: "a" }, ["a", null]]) {
      expect(allows(list, { list: no })).toBe(false);
    }
    const deep = { deep: { properties: { a: { const: "x" } } } };
    expect(allows(deep, { deep: { a: "x" } })).toBe(true);
    for (const no of [{}, { a: "y" }, [], "x", { A: "x" }, JSON.parse('{"__proto__":{"a":"x"}}')]) {
      expect(allows(deep, { deep: no })).toBe(false);
    }
  });

  verifies("policy.rules", "absent means that the argument is not given", () => {
    expect(allows({ text: { absent: true } }, {})).toBe(true);
    for (const value of ["", "x", null]) {
      expect(allows({ text: { absent: true } }, { text: value })).toBe(false);
    }
  });

  verifies("policy.rules", "a claim that the token does not have satisfies nothing", () => {
    const facts = { ...FACTS, who: withRoles(["clerk"]) };
    for (const rule of [{ equals: "principal.email" }, { not: { equals: "principal.email" } }]) {
      for (const text of ["", "undefined", "x"])
        expect(allows({ text: rule }, { text }, facts)).toBe(false);
    }
    // A list where one value is meant, and one value where a list is.
    expect(allows({ text: { equals: "principal.regions" } }, { text: "north" })).toBe(false);
    expect(allows({ text: { member_of: "principal.email" } }, { text: "ada@acme.test" })).toBe(
      false,
    );
  });

  verifies("policy.bad-input", "a line break slips past no pattern that denies", () => {
    const denied = [
      { rules: [{ when: { text: { pattern: ".*test.*" } }, refuse: "No tests." }] },
      { arguments: { text: { not: { pattern: ".*test.*" } } } },
    ];
    for (const grant of denied) {
      for (const text of ["a test", "\na test", "a test\n", "a\r\ntest\nb"]) {
        expect(verdictOf(grant, { text }).allowed).toBe(false);
      }
      expect(verdictOf(grant, { text: "a\nb" }).allowed).toBe(true);
    }
    const asks = { rules: [{ when: { text: { pattern: ".*iban.*" } }, approve: "human" }] };
    expect(verdictOf(asks, { text: "Hi,\nyour iban" })).toMatchObject({ approve: "human" });
    // And widens none that allows, however often it is turned round.
    for (const rule of [{ pattern: ".*@acme" }, { not: { not: { pattern: ".*@acme" } } }]) {
      expect(allows({ text: rule }, { text: "a@evil\nb@acme" })).toBe(false);
      expect(allows({ text: rule }, { text: "b@acme" })).toBe(true);
    }
  });

  verifies("policy.bad-input", "a rule counts for a number that nobody can tell", () => {
    const rule = { when: { amount: { exclusiveMinimum: 2 ** 53 } }, refuse: "Too much." };
    for (const amount of [2 ** 53, 2 ** 53 + 2, 1e300]) {
      expect(verdictOf({ rules: [rule] }, { amount }).allowed).toBe(false);
    }
    expect(verdictOf({ rules: [rule] }, { amount: 5 }).allowed).toBe(true);
  });

  verifies("policy.bad-input", "null, where a type allows it, satisfies no rule for text", () => {
    for (const rule of [{ maxLength: 9 }, { pattern: ".*" }, { not: { pattern: "x" } }]) {
      expect(allows({ maybe: rule }, { maybe: null })).toBe(false);
      expect(allows({ maybe: rule }, { maybe: "y" })).toBe(true);
    }
    expect(allows({ maybe: { enum: [null, "y"] } }, { maybe: null })).toBe(true);
  });
});

describe("what a refusal says", () => {
  verifies("policy.rules", "each path, what is allowed there, and the line of the first", () => {
    const grant = { arguments: { amount: { maximum: 100 }, text: { enum: ["a"] } } };
    const verdict = verdictOf(grant, { amount: 101, text: "b" });
    expect(verdict).toMatchObject({
      allowed: false,
      forbidden: [
        { path: "/amount", allowed: "at most 100" },
        { path: "/text", allowed: 'exactly "a"' },
      ],
    });
    expect(verdict.rule).toMatch(/^mcp\.config\.json:\d+$/);
  });

  verifies("policy.rules", "what is confidential is not said, and not advertised", () => {
    const rule = { enum: ["s3cret-account"], confidential: true };
    const config = configWith({ arguments: { text: rule } });
    const door = compilePolicy(config, catalog()).surface(WHO, "desk").get("item_put");
    expect(JSON.stringify(door?.input_schema)).not.toContain("s3cret");
    const verdict = door?.judge({ text: "x" }, FACTS);
    expect(verdict).toMatchObject({ allowed: false, forbidden: [{ path: "/text" }] });
    expect(JSON.stringify(verdict)).not.toContain("s3cret");
    expect(door?.judge({ text: "s3cret-account" }, FACTS).allowed).toBe(true);
  });
});

describe("rules with when", () => {
  const refuse = (when: Json): Json => ({ rules: [{ when, refuse: "Ask finance." }] });

  verifies("policy.rules", "a forbidden combination is refused, and its parts are not", () => {
    const grant = refuse({ text: { const: "usd" }, amount: { minimum: 10 } });
    expect(verdictOf(grant, { text: "usd", amount: 10 })).toMatchObject({
      allowed: false,
      forbidden: [{ path: "/text", allowed: "Ask finance." }],
    });
    for (const args of [
      { text: "usd", amount: 9 },
      { text: "eur", amount: 10 },
      { text: "usd" },
      {},
    ]) {
      expect(verdictOf(grant, args).allowed).toBe(true);
    }
  });

  verifies("policy.bad-input", "where nobody can tell whether a rule counts, it counts", () => {
    const grant = refuse({ text: { equals: "principal.email" } });
    const facts = { ...FACTS, who: withRoles(["clerk"]) };
    expect(verdictOf(grant, { text: "x" }).allowed).toBe(true);
    expect(verdictOf(grant, { text: "x" }, facts).allowed).toBe(false);
    const byPattern = refuse({ text: { pattern: "evil.*" } });
    expect(verdictOf(byPattern, { text: LONE_SURROGATE }).allowed).toBe(false);
    expect(verdictOf(byPattern, { text: long }).allowed).toBe(false);
  });

  verifies("policy.rules", "some arguments need a human's yes, others do not", () => {
    const grant = { rules: [{ when: { amount: { exclusiveMinimum: 50 } }, approve: "human" }] };
    expect(verdictOf(grant, { amount: 50 })).toMatchObject({ allowed: true, approve: undefined });
    const above = verdictOf(grant, { amount: 50.01 });
    expect(above).toMatchObject({ allowed: true, approve: "human" });
    expect(above.rule).not.toBe(verdictOf(grant, { amount: 1 }).rule);
  });
});

describe("time windows", () => {
  const hours = { days: ["mon"], from: "09:00", to: "17:00", zone: "Europe/Berlin" };
  const at = (time: string): Facts => ({ ...FACTS, now_ms: Date.parse(time) });

  verifies("policy.rules", "a window is of its zone's clock, its end not included", () => {
    const grant = { hours };
    // 2026-03-02 is a Monday; Berlin is an hour ahead in winter, two in summer.
    for (const yes of ["2026-03-02T08:00:00Z", "2026-03-02T15:59:59Z", "2026-06-01T07:00:00Z"]) {
      expect(verdictOf(grant, {}, at(yes)).allowed).toBe(true);
    }
    for (const no of ["2026-03-02T07:59:59Z", "2026-03-02T16:00:00Z", "2026-03-03T10:00:00Z"]) {
      expect(verdictOf(grant, {}, at(no))).toMatchObject({
        allowed: false,
        forbidden: [{ path: "" }],
      });
    }
  });

  verifies("policy.rules", "past midnight it is the day before's window", () => {
    const grant = { hours: { ...hours, from: "22:00", to: "02:00", zone: "UTC" } };
    for (const yes of ["2026-03-02T22:00:00Z", "2026-03-03T01:59:00Z"]) {
      expect(verdictOf(grant, {}, at(yes)).allowed).toBe(true);
    }
    for (const no of ["2026-03-02T01:00:00Z", "2026-03-03T02:00:00Z", "2026-03-03T22:00:00Z"]) {
      expect(verdictOf(grant, {}, at(no)).allowed).toBe(false);
    }
  });
});

describe("agent and roles", () => {
  verifies("policy.rules", "both must allow, and what one role allows is allowed", () => {
    const role = (maximum: number): Json => ({
      desk: { tools: { item_put: { arguments: { amount: { maximum } } } } },
    });
    const agents = {
      desk: {
        title: "d",
        purpose: "p",
        tools: { item_put: { arguments: { amount: { maximum: 500 } } } },
      },
    };
    const roles = { small: role(100), large: role(1000) };
    const policy = compilePolicy(configFrom(minimalConfig({ agents, roles })), catalog());
    const max = (held: string[]): number[] => {
      const door = policy.surface(withRoles(held), "desk").get("item_put");
      return [100, 101, 500, 501].filter((amount) => door?.judge({ amount }, FACTS).allowed);
    };
    expect(max(["small"])).toEqual([100]);
    expect(max(["large"])).toEqual([100, 101, 500]);
    expect(max(["small", "large"])).toEqual([100, 101, 500]);
    expect(max(["large", "small"])).toEqual([100, 101, 500]);
  });

  verifies("policy.rules", "what one role refuses, no other role allows", () => {
    const refusing = { item_put: { rules: [{ when: { text: { const: "x" } }, refuse: "No." }] } };
    const roles = { strict: { desk: { tools: refusing } }, lax: { desk: "all" } };
    const agents = { desk: { title: "d", purpose: "p", tools: { item_put: {} } } };
    const policy = compilePolicy(configFrom(minimalConfig({ agents, roles })), catalog());
    const judge = (held: string[]) =>
      policy.surface(withRoles(held), "desk").get("item_put")?.judge({ text: "x" }, FACTS).allowed;
    expect([judge(["lax"]), judge(["lax", "strict"]), judge(["strict"])]).toEqual([
      true,
      false,
      false,
    ]);
  });

  verifies("policy.rules", "a human is asked only where every role that allows wants it", () => {
    const roles = {
      asked: { desk: { tools: { item_put: { approve: "human" } } } },
      trusted: { desk: ["item_put"] },
    };
    const agents = { desk: { title: "d", purpose: "p", tools: { item_put: {} } } };
    const policy = compilePolicy(configFrom(minimalConfig({ agents, roles })), catalog());
    const verdict = (held: string[]) =>
      policy.surface(withRoles(held), "desk").get("item_put")?.judge({}, FACTS);
    expect(verdict(["asked"])).toMatchObject({ allowed: true, approve: "human" });
    expect(verdict(["asked", "trusted"])).toMatchObject({ allowed: true, approve: undefined });
  });
});
