// docs/policy.md: its example loads with the demo's catalogue, and each line of its table is true.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect } from "vitest";
import { loadCatalog } from "../../../src/catalog/load.ts";
import { compilePolicy } from "../../../src/policy/policy.ts";
import type { Policy } from "../../../src/policy/policy.ts";
import { verifies } from "../../verifies.ts";
import { configFrom, withRoles } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const text = readFileSync(resolve(ROOT, "docs/policy.md"), "utf8");
const MONDAY = Date.parse("2026-03-02T10:00:00Z");

function answer(policy: Policy, roles: string, tool: string, args: Json): string {
  const who = withRoles(roles.split(", "));
  const door = policy.surface(who, "support").get(tool);
  if (door === undefined) return "unknown";
  const verdict = door.judge(args, { who, now_ms: MONDAY, seen: () => [] });
  if (!verdict.allowed) return "refused";
  return verdict.approve === undefined ? "allowed" : "a human";
}

verifies("policy.rules", "the page's example loads, and its table is true line by line", () => {
  const example = JSON.parse(/```json\n([\s\S]*?)```/.exec(text)?.[1] ?? "") as Json;
  const demo = JSON.parse(readFileSync(resolve(ROOT, "mcp.config.json"), "utf8")) as Json;
  const issuers = demo["issuers"] as Record<string, Json>;
  const { client: _, liveness: __, events: ___, ...issuer } = issuers["demo"] ?? {};
  const lasting = { source: "token_lifetime", accepted: true };
  const connectors = { ...(demo["connectors"] as Json) };
  const mail = connectors["mail"] as { delegation: { client: Json } };
  mail.delegation.client = { client_id: "doorless-at-mail" };
  const whole = { ...demo, issuers: { demo: { ...issuer, liveness: lasting } }, ...example };
  const file = { ...whole, people: {}, connectors, isolation: {} };
  const policy = compilePolicy(configFrom(file), loadCatalog(resolve(ROOT, "tools")));
  const rows = [...text.matchAll(/^\| ([a-z, ]+) \| `(\w+) (\{.*\})` \| ([a-z ]+) \|$/gm)];
  expect(rows).toHaveLength(11);
  for (const [, roles = "", tool = "", args = "", says] of rows) {
    const call = [roles, tool, args];
    expect([...call, answer(policy, roles, tool, JSON.parse(args) as Json)]).toEqual([
      ...call,
      says,
    ]);
  }
});
