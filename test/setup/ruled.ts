// A world of one tool with an argument of each type, and somebody with claims, for rules to judge.
import type { Catalog } from "../../src/catalog/definition.ts";
import type { Verdict } from "../../src/policy/grant.ts";
import { compilePolicy } from "../../src/policy/policy.ts";
import type { Facts } from "../../src/policy/says.ts";
import { catalogOf, configFrom, minimalConfig, toolFile, withRoles, WRITES } from "./minimal.ts";
import type { Json } from "./minimal.ts";

const TEXT = { type: "string", maxLength: 2_000_000 };
export const body = (schema: Json): Json => ({ in: "body", optional: true, schema });

/** One writing tool with an argument of each type. */
const tool = (): Json =>
  toolFile("item_put", {
    ...WRITES,
    input: {
      id: { in: "path", schema: { type: "integer", minimum: 1 } },
      text: body(TEXT),
      other: body(TEXT),
      amount: body({ type: "number" }),
      flag: body({ type: "boolean" }),
      list: body({ type: "array", maxItems: 100, items: TEXT }),
      deep: body({ type: "object", properties: { a: TEXT }, additionalProperties: false }),
      maybe: body({ type: ["string", "null"], maxLength: 100 }),
    },
  });

let read: Catalog | undefined;
export const catalog = (): Catalog => (read ??= catalogOf(toolFile("item_get"), tool()));
const ISSUERS = {
  corp: {
    issuer: "https://login.test",
    claims: { roles: "/roles", attributes: { email: "/email", regions: "/regions" } },
  },
};
export const WHO = {
  ...withRoles(["clerk"]),
  tenant: "acme",
  attributes: { email: "ada@acme.test", regions: ["north", "south"] },
};
export const FACTS: Facts = {
  who: WHO,
  now_ms: Date.parse("2026-03-02T10:00:00Z"),
  seen: () => [],
};

export function configWith(grant: Json, role: unknown = "all") {
  const agents = { desk: { title: "d", purpose: "p", tools: { item_get: {}, item_put: grant } } };
  const roles = { clerk: { desk: role } };
  return configFrom(minimalConfig({ agents, roles, issuers: ISSUERS }));
}

export function verdictOf(grant: Json, args: Json, facts: Facts = FACTS, role?: unknown): Verdict {
  const policy = compilePolicy(configWith(grant, role), catalog());
  const door = policy.surface(facts.who, "desk").get("item_put");
  if (door === undefined) throw new Error("no door");
  return door.judge(args, facts);
}

export const allows = (condition: Json, args: Json, facts?: Facts): boolean =>
  verdictOf({ arguments: condition }, args, facts).allowed;
