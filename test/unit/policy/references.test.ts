// Argument rules on arguments whose schema refers to another, or has alternatives.
import { describe, expect } from "vitest";
import { compilePolicy } from "../../../src/policy/policy.ts";
import { verifies } from "../../verifies.ts";
import { catalogOf, problemsOf, toolFile, WRITES } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { body, configWith, FACTS, WHO } from "../../setup/ruled.ts";

const TEXT = { type: "string", maxLength: 100 };

const tool = (): Json =>
  toolFile("item_put", {
    ...WRITES,
    input: {
      id: { in: "path", schema: { type: "integer", minimum: 1 } },
      order: body({ $ref: "#/$defs/Order" }),
      either: body({ anyOf: [{ type: "integer" }, TEXT] }),
      amount: body({ allOf: [{ $ref: "#/$defs/Amount" }] }),
    },
    $defs: {
      Amount: { type: "number", minimum: 0 },
      Order: {
        type: "object",
        properties: {
          amount: { $ref: "#/$defs/Amount" },
          to: { oneOf: [{ $ref: "#/$defs/Order" }, TEXT] },
        },
        additionalProperties: false,
      },
    },
  });

const policyWith = (grant: Json) =>
  compilePolicy(configWith(grant), catalogOf(toolFile("item_get"), tool()));

function doorWith(grant: Json) {
  const door = policyWith(grant).surface(WHO, "desk").get("item_put");
  if (door === undefined) throw new Error("no door");
  return door;
}

describe("rules of referring arguments", () => {
  verifies("policy.rules", "reach through references, and refuse what they cannot tell", () => {
    const amount = { maximum: 10 };
    const to = { const: "ada", optional: true };
    const rule = { order: { properties: { amount, to } } };
    const door = doorWith({ arguments: rule });
    const allows = (order: unknown): boolean => door.judge({ id: 1, order }, FACTS).allowed;
    expect(allows({ amount: 10, to: "ada" })).toBe(true);
    expect(allows({ amount: 10 })).toBe(true);
    for (const order of [
      { amount: 11 },
      { amount: 1, to: "eve" },
      { amount: 1, to: { amount: 1 } },
      {},
      null,
      [],
      "ada",
    ]) {
      expect(allows(order), JSON.stringify(order)).toBe(false);
    }
  });

  verifies("policy.rules", "of several types, allow only what they speak of", () => {
    const rules = [{ when: { either: { enum: [1, "a"], optional: true } }, refuse: "never" }];
    const door = doorWith({ rules });
    for (const [either, isAllowed] of [
      [1, false],
      ["a", false],
      [2, true],
      [{}, false],
    ] as const) {
      expect(door.judge({ id: 1, either }, FACTS).allowed).toBe(isAllowed);
    }
  });

  verifies("policy.mistakes", "that could not mean what they say stop the start", () => {
    for (const [rule, pointer, says] of [
      [{ amount: { maxLength: 1 } }, "amount", /speaks of string.*number/],
      [{ order: { properties: { nope: { const: 1 } } } }, "order/properties/nope", /no such prop/],
      [
        { order: { properties: { amount: { pattern: "a" } } } },
        "order/properties/amount",
        /speaks of string.*number/,
      ],
      [{ either: { maximum: 1 } }, "either", /may be integer or string/],
      [{ either: { const: true } }, "either", /true is no integer or string/],
    ] as const) {
      const [problem] = problemsOf(() => policyWith({ arguments: rule }));
      expect(problem?.pointer).toBe(`/agents/desk/tools/item_put/arguments/${pointer}`);
      expect(problem?.message).toMatch(says);
    }
  });

  verifies("policy.narrowed", "are shown beside what the argument refers to", () => {
    const { input_schema } = doorWith({ arguments: { amount: { maximum: 10 } } });
    expect(input_schema).toMatchObject({
      required: ["id", "amount"],
      properties: { amount: { allOf: [{ $ref: "#/$defs/Amount" }], maximum: 10 } },
      $defs: { Amount: { type: "number" }, Order: { type: "object" } },
    });
    const doorless = catalogOf(toolFile("item_get"), tool()).tools.get("item_get");
    expect(doorless?.input_schema).not.toHaveProperty("$defs");
  });
});
