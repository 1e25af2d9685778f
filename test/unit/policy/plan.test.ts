// A plan: everybody who gains, loses or finds other rules, and nobody else.
import { expect } from "vitest";
import type { Catalog } from "../../../src/catalog/definition.ts";
import { planOf } from "../../../src/policy/plan.ts";
import { compilePolicy } from "../../../src/policy/policy.ts";
import { verifies } from "../../verifies.ts";
import {
  catalogOf,
  configFrom,
  minimalConfig,
  toolFile,
  withRoles,
  WRITES,
} from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";

let read: Catalog | undefined;
const catalog = (): Catalog =>
  (read ??= catalogOf(toolFile("item_get"), toolFile("item_put", WRITES)));

function policyWith(tools: Json, roles: Json) {
  const agents = { desk: { title: "d", purpose: "p", tools } };
  return compilePolicy(configFrom(minimalConfig({ agents, roles })), catalog());
}

const BOTH = { item_get: {}, item_put: {} };
const ROLES = { clerk: { desk: ["item_get"] }, boss: { desk: "all" } };
const PEOPLE = ["clerk", "boss", "nobody"].map((role) => {
  const who = withRoles([role]);
  return { label: role, before: who, after: who };
});

function changes(tools: Json, roles: Json = ROLES) {
  const plan = planOf(policyWith(BOTH, ROLES), policyWith(tools, roles), PEOPLE);
  const said = plan.changes.map(({ person, gained, lost, changed }) => {
    const names = (list: typeof gained): string[] => list.map(({ tool }) => tool);
    return { person, gained: names(gained), lost: names(lost), changed: names(changed) };
  });
  return { said, gains_writes: plan.gains_writes };
}

verifies("policy.plan", "the same policy changes nobody's tools", () => {
  expect(changes(BOTH)).toEqual({ said: [], gains_writes: false });
});

verifies("policy.plan", "who gains a tool that writes is found, and counted as such", () => {
  const { said, gains_writes } = changes(BOTH, { ...ROLES, clerk: { desk: "all" } });
  expect(said).toEqual([{ person: "clerk", gained: ["item_put"], lost: [], changed: [] }]);
  expect(gains_writes).toBe(true);
});

verifies("policy.plan", "a refusal that one of her roles no longer makes is a change", () => {
  const rules = [{ when: { id: { minimum: 2 } }, refuse: "The first only." }];
  const both = withRoles(["boss", "clerk"]);
  const before = { ...ROLES, clerk: { desk: { tools: { item_put: { rules } } } } };
  const person = { label: "both", before: both, after: both };
  const plan = planOf(policyWith(BOTH, before), policyWith(BOTH, ROLES), [person]);
  expect(plan.changes.map(({ changed }) => changed.map(({ tool }) => tool))).toEqual([
    ["item_put"],
  ]);
});

verifies("policy.plan", "who loses or only gains a read is found, and is no such thing", () => {
  const less = changes({ item_get: {} }, { ...ROLES, nobody: { desk: "all" } });
  expect(less).toEqual({
    said: [
      { person: "boss", gained: [], lost: ["item_put"], changed: [] },
      { person: "nobody", gained: ["item_get"], lost: [], changed: [] },
    ],
    gains_writes: false,
  });
});

verifies("policy.plan", "a tool that keeps its name and changes its rules is found", () => {
  const bound = { item_get: {}, item_put: { arguments: { id: { maximum: 5 } } } };
  expect(changes(bound).said).toEqual([
    { person: "boss", gained: [], lost: [], changed: ["item_put"] },
  ]);
  const asked = { item_get: {}, item_put: { approve: "human" } };
  expect(changes(asked).said.map(({ changed }) => changed)).toEqual([["item_put"]]);
});

verifies("policy.plan", "each change names the rule that makes it", () => {
  const after = policyWith({ item_get: {} }, ROLES);
  const [change] = planOf(policyWith(BOTH, ROLES), after, PEOPLE).changes;
  const [lost] = change?.lost ?? [];
  const explained = after.explain(withRoles(["boss"]), "desk").find((e) => e.tool === "item_put");
  expect(lost).toMatchObject({ tool: "item_put", effect: "write", rule: explained?.rule });
});
