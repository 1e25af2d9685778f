// Lists: names, toolsets and effects; what excludes beats what includes, wherever it stands.
import { expect } from "vitest";
import type { Catalog } from "../../../src/catalog/definition.ts";
import { compilePolicy } from "../../../src/policy/policy.ts";
import type { Who } from "../../../src/policy/who.ts";
import { verifies } from "../../verifies.ts";
import {
  catalogOf,
  configFrom,
  minimalConfig,
  problemsOf,
  toolFile,
  withRoles,
  WRITES,
} from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";

const DESTROYS = {
  operation: "DELETE /items/{id}",
  effects: { readOnly: false, destructive: true, idempotent: true, openWorld: false },
};
let read: Catalog | undefined;
const catalog = (): Catalog =>
  (read ??= catalogOf(
    toolFile("item_get"),
    toolFile("item_find"),
    toolFile("item_put", WRITES),
    toolFile("item_burn", DESTROYS),
  ));

function namesFor(agent: Json, roles: Json, who: Who): string[] {
  const agents = { desk: { title: "d", purpose: "p", ...agent } };
  const policy = compilePolicy(configFrom(minimalConfig({ agents, roles })), catalog());
  const surface = policy.surface(who, "desk");
  const explained = policy.explain(who, "desk").filter(({ allowed }) => allowed);
  expect(explained.map(({ tool }) => tool)).toEqual(surface.list.map(({ name }) => name));
  return surface.list.map(({ name }) => name);
}

const CLERK = withRoles(["clerk"]);
const ALL = { clerk: { desk: "all" } };

verifies("policy.lists", "a list names tools, a toolset, or tools by what they do", () => {
  const names = (tools: Json): string[] => namesFor({ tools }, ALL, CLERK);
  expect(names({ "toolset:shop": {} })).toEqual(["item_burn", "item_find", "item_get", "item_put"]);
  expect(names({ "effect:read": {} })).toEqual(["item_find", "item_get"]);
  expect(names({ "effect:write": {} })).toEqual(["item_put"]);
  expect(names({ "effect:destroy": {}, item_get: {} })).toEqual(["item_burn", "item_get"]);
  expect(names({})).toEqual([]);
});

verifies("policy.lists", "exclude beats include, and read-only beats all", () => {
  const tools = { "toolset:shop": {}, item_put: {} };
  const names = (agent: Json): string[] => namesFor({ tools, ...agent }, ALL, CLERK);
  expect(names({ exclude: ["item_put"] })).toEqual(["item_burn", "item_find", "item_get"]);
  expect(names({ exclude: ["effect:read"] })).toEqual(["item_burn", "item_put"]);
  expect(names({ exclude: ["toolset:shop"] })).toEqual([]);
  expect(names({ read_only: true })).toEqual(["item_find", "item_get"]);
});

verifies("policy.lists", "what one role denies, no other role gives", () => {
  const roles = {
    clerk: { desk: "all" },
    careful: { desk: { tools: ["item_get"], exclude: ["item_burn"] } },
    reader: { desk: { tools: "all", read_only: true } },
  };
  const names = (...held: string[]): string[] =>
    namesFor({ tools: { "toolset:shop": {} } }, roles, withRoles(held));
  expect(names("careful")).toEqual(["item_get"]);
  expect(names("clerk", "careful")).toEqual(["item_find", "item_get", "item_put"]);
  expect(names("clerk", "reader")).toEqual(["item_find", "item_get"]);
});

verifies("policy.lists", "a role selects among its agent's tools only", () => {
  const roles = { clerk: { desk: ["effect:read", "item_put"] } };
  expect(namesFor({ tools: { item_get: {}, item_put: {} } }, roles, CLERK)).toEqual([
    "item_get",
    "item_put",
  ]);
});

verifies("policy.lists", "a scope that a rule names is needed, and gives nothing by itself", () => {
  const tools = { item_get: {}, item_put: { scope: "items:write" } };
  const at = (scopes: string[], roles: Json = ALL) =>
    namesFor({ tools }, roles, { ...CLERK, scopes });
  expect(at([])).toEqual(["item_get"]);
  expect(at(["items:write "])).toEqual(["item_get"]);
  expect(at(["items:write"])).toEqual(["item_get", "item_put"]);
  expect(at(["items:write"], {})).toEqual([]);
});

verifies("policy.mistakes", "a selector that leads nowhere stops the start", () => {
  const tools = { "toolset:shup": {}, "toolset:shop": {} };
  const agents = { desk: { title: "d", purpose: "p", tools, exclude: ["item_brn"] } };
  const roles = { clerk: { desk: ["no_such"] } };
  const config = configFrom(minimalConfig({ agents, roles }));
  expect(problemsOf(() => compilePolicy(config, catalog())).map(({ pointer }) => pointer)).toEqual([
    "/agents/desk/tools/toolset:shup",
    "/agents/desk/exclude/0",
    "/roles/clerk/desk/0",
  ]);
});
