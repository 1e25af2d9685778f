// The linter: each fault where it stands, and nothing said of a policy that has none.
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Catalog } from "../../../src/catalog/definition.ts";
import { compilePolicy } from "../../../src/policy/policy.ts";
import { verifies } from "../../verifies.ts";
import { catalogOf, configFrom, minimalConfig, toolFile, WRITES } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";

const INPUT = {
  id: { in: "path", schema: { type: "integer", minimum: 1, maximum: 99 } },
  kind: { in: "body", optional: true, schema: { type: "string", enum: ["a", "b"] } },
};
let read: Catalog | undefined;
const catalog = (): Catalog =>
  (read ??= catalogOf(toolFile("item_get"), toolFile("item_put", { ...WRITES, input: INPUT })));

const CLEAN = { arguments: { id: { maximum: 50 } } };

function faults(agent: Json, roles: Json = { clerk: { desk: "all" } }, more: Json = {}): string[] {
  const agents = { desk: { title: "d", purpose: "p", ...agent } };
  const config = configFrom(minimalConfig({ agents, roles, ...more }));
  const lines = readFileSync(config.file, "utf8").split("\n");
  return compilePolicy(config, catalog())
    .warnings()
    .map(({ fault, place }) => `${fault} at ${lines[Number(place.split(":")[1]) - 1]?.trim()}`);
}

verifies("policy.lint", "a policy without a fault has no warning", () => {
  expect(faults({ tools: { item_get: {}, item_put: CLEAN } })).toEqual([]);
  expect(faults({ tools: { item_get: {}, item_put: { approve: "human" } } })).toEqual([]);
  const bound = { clerk: { desk: { tools: { item_put: CLEAN } } } };
  expect(faults({ tools: { item_put: {} } }, bound)).toEqual([]);
  const tools = { "toolset:shop": {} };
  expect(faults({ tools, read_only: true })).toEqual([]);
});

verifies("policy.lint", "what can never decide is found", () => {
  const tools = { item_get: {}, item_put: CLEAN };
  expect(faults({ tools, exclude: ["item_get"] })).toEqual(['unreachable at "item_get": {},']);
  expect(faults({ tools: { item_get: {}, "effect:destroy": {} } })).toEqual([
    'unreachable at "effect:destroy": {}',
  ]);
  const none = { clerk: { desk: ["effect:write"] } };
  expect(faults({ tools: { item_get: {} } }, none)).toEqual(['unreachable at "effect:write"']);
  const of = (condition: Json): Json => ({ tools: { item_put: { arguments: condition } } });
  expect(faults(of({ id: { minimum: 100 } }))).toEqual(['unreachable at "id": {']);
  expect(faults(of({ kind: { const: "c" } }))).toEqual(['unreachable at "kind": {']);
  const rules = [{ when: { kind: { const: "c" } }, refuse: "no" }];
  expect(faults({ tools: { item_put: { rules } } })).toEqual(["unreachable at {"]);
});

verifies("policy.lint", "what an earlier rule has decided is found", () => {
  const when = { kind: { const: "a" } };
  const narrow = { ...when, id: { maximum: 5 } };
  const of = (...rules: Json[]): Json => ({ tools: { item_put: { rules } } });
  expect(faults(of({ when, refuse: "no" }, { when: narrow, refuse: "never" }))).toEqual([
    "shadowed at {",
  ]);
  expect(faults(of({ when: narrow, refuse: "no" }, { when, refuse: "still" }))).toEqual([]);
  expect(faults(of({ when, approve: "human" }, { when: narrow, refuse: "still" }))).toEqual([]);
  const asked = { tools: { item_put: { approve: "human", rules: [{ when, approve: "human" }] } } };
  expect(faults(asked)).toEqual(["shadowed at {"]);
  const looser = {
    clerk: { desk: { tools: { item_put: { arguments: { id: { maximum: 60 } } } } } },
  };
  expect(faults({ tools: { item_put: CLEAN } }, looser)).toEqual(['shadowed at "maximum": 60']);
});

verifies(
  "policy.lint",
  "a wildcard that grants writes, and a write without a rule, are found",
  () => {
    expect(faults({ tools: { "toolset:shop": {} } })).toEqual([
      'wildcard_grants_writes at "toolset:shop": {}',
      'write_without_rule at "toolset:shop": {}',
    ]);
    expect(faults({ tools: { item_put: {} } })).toEqual(['write_without_rule at "item_put": {}']);
    const halfBound = { clerk: { desk: { tools: { item_put: CLEAN } } }, boss: { desk: "all" } };
    expect(faults({ tools: { item_put: {} } }, halfBound)).toEqual([
      'write_without_rule at "item_put": {}',
    ]);
  },
);

verifies("policy.lint", "a role without an agent, and an agent without a role, are found", () => {
  const tools = { item_get: {} };
  expect(faults({ tools }, { clerk: { desk: "all" }, idle: {} })).toEqual([
    'role_without_agent at "idle": {}',
  ]);
  expect(faults({ tools }, {})).toEqual(['agent_without_role at "tools": {']);
});

verifies("policy.lint", "a client that anybody can claim to be, and that may ask, is found", () => {
  const trusted_to_ask = ["an-ide", "doorless-cli", "https://ide.test/client.json", "urn:ide"];
  const native = { client_id: "doorless-cli" };
  const corp = {
    issuer: "https://login.test",
    claims: { roles: "/roles" },
    native,
    trusted_to_ask,
  };
  expect(faults({ tools: { item_get: {} } }, undefined, { issuers: { corp } })).toEqual([
    'public_client_trusted at "doorless-cli",',
    'public_client_trusted at "https://ide.test/client.json",',
  ]);
});
