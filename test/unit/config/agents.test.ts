// Agents and tokens: the three ways to bind them, and what would fit two agents at once.
import { describe, expect, test } from "vitest";
import { audienceOf } from "../../../src/config/cross-check.ts";
import { verifies } from "../../verifies.ts";
import { configFrom, minimalConfig, problemsOf } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";

const SHARED = "https://api.test";

function withTokens(tokens: Readonly<Record<string, Json>>): Json {
  const agents = Object.entries(tokens).map(([name, its]) => [
    name,
    { title: name, purpose: "x", tokens: its, tools: {} },
  ]);
  return minimalConfig({ agents: Object.fromEntries(agents) as Json, roles: {} });
}

function overlapsOf(tokens: Readonly<Record<string, Json>>): string[] {
  return problemsOf(() => configFrom(withTokens(tokens))).map(
    ({ pointer, message }) => `${pointer}: ${message}`,
  );
}

const scope = (name: string): Json => ({ audience: SHARED, scope: name });
const clients = (...names: string[]): Json => ({ audience: SHARED, clients: names });

describe("bindings", () => {
  verifies("config.agent-bindings", "own audience, scope and clients stand side by side", () => {
    const config = configFrom(
      withTokens({
        own: { audience: "own" },
        scope_a: scope("agent:a"),
        scope_b: scope("agent:b"),
        client_a: { audience: "https://other.test", clients: ["x", "y"] },
        client_b: { audience: "https://other.test", clients: ["z"] },
      }),
    );
    const audiences = Object.entries(config.agents).map(([name, agent]) =>
      audienceOf(config, name, agent),
    );
    const [own, ...shared] = audiences;
    expect(own).toBe("https://doors.test/mcp/own");
    expect(shared).toEqual([SHARED, SHARED, "https://other.test", "https://other.test"]);
  });

  verifies("config.agent-bindings", "without a word an agent's audience is its own URL", () => {
    const config = configFrom(minimalConfig());
    expect(config.agents["desk"]?.tokens).toEqual({ audience: "own" });
  });

  verifies("config.agent-bindings", "a shared audience alone binds nothing, and is refused", () => {
    const [problem] = problemsOf(() => configFrom(withTokens({ a: { audience: SHARED } })));
    expect(problem?.pointer).toBe("/agents/a/tokens");
    const both = { audience: SHARED, scope: "s", clients: ["c"] };
    expect(problemsOf(() => configFrom(withTokens({ a: both })))).toHaveLength(1);
    const none = { audience: SHARED, clients: [] };
    expect(problemsOf(() => configFrom(withTokens({ a: none })))).toHaveLength(1);
  });
});

describe("overlaps", () => {
  for (const [what, tokens, says] of [
    ["the same scope", { a: scope("s"), b: scope("s") }, /both want the scope s/],
    ["a client in common", { a: clients("x", "y"), b: clients("y") }, /both list the client y/],
    ["a scope and clients", { a: scope("s"), b: clients("x") }, /told apart in different ways/],
    [
      "another agent's own URL, by scope",
      { a: { audience: "own" }, b: { audience: "https://doors.test/mcp/a", scope: "s" } },
      /told apart in different ways/,
    ],
    [
      "another agent's own URL, by client",
      { a: { audience: "own" }, b: { audience: "https://doors.test/mcp/a", clients: ["c"] } },
      /told apart in different ways/,
    ],
  ] as const) {
    verifies(["config.agent-overlap", "auth.one-agent"], `${what} stops the start`, () => {
      const found = overlapsOf(tokens);
      expect(found).toHaveLength(1);
      expect(found[0]).toMatch(/^\/agents\/b\/tokens: one token could match .* "a"/);
      expect(found[0]).toMatch(says);
    });
  }

  verifies("config.agent-overlap", "each pair is said", () => {
    expect(overlapsOf({ a: scope("s"), b: scope("s"), c: scope("s") })).toHaveLength(3);
  });

  test("different audiences never overlap, whatever else is equal", () => {
    expect(
      overlapsOf({
        a: { audience: "https://one.test", scope: "s" },
        b: { audience: "https://two.test", scope: "s" },
        c: { audience: "https://three.test", clients: ["x"] },
      }),
    ).toEqual([]);
  });
});
