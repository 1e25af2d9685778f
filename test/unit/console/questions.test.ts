// What an operator asks: surface, explain, who; for people of the file and for claims.
import { describe, expect } from "vitest";
import { BadQuestion, personNamed, personWithClaims } from "../../../src/console/people.ts";
import { askExplain, askSurface, askWho } from "../../../src/console/questions.ts";
import type { House } from "../../../src/console/house.ts";
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

function house(item_get: Json = {}): House {
  const people = {
    ada: { issuer: "corp", roles: ["clerk"] },
    bob: { issuer: "corp", roles: ["guest"] },
    eve: { issuer: "corp", roles: [] },
  };
  const config = configFrom(minimalConfig({ people }));
  const catalog = catalogOf(
    toolFile("item_get", item_get),
    toolFile("item_put", WRITES),
    toolFile("item_new", { ...WRITES, status: "draft" }),
  );
  return { config, catalog, policy: compilePolicy(config, catalog) };
}

const names = (tools: readonly { readonly name: string }[]): string[] =>
  tools.map(({ name }) => name);

describe("surface", () => {
  verifies("surface.explain", "shows the tools that this person's session would have", () => {
    const at = house();
    const seen = (who: string): string[] =>
      names(askSurface(at, "desk", personNamed(at.config, who)).tools);
    expect(seen("ada")).toEqual(["item_get", "item_put"]);
    expect(seen("bob")).toEqual(["item_get"]);
    expect(seen("eve")).toEqual([]);
  });

  verifies("surface.explain", "claims are mapped as a token's would be, or refused", () => {
    const at = house();
    const guest = personWithClaims(at.config, { sub: "x", roles: ["guest"] });
    expect(names(askSurface(at, "desk", guest).tools)).toEqual(["item_get"]);
    const iss = "https://login.test";
    expect(personWithClaims(at.config, { iss, roles: "clerk" }).roles).toEqual(["clerk"]);
    for (const claims of [null, [], "x", { iss: "https://evil.test" }, { sub: "c", azp: "c" }]) {
      expect(() => personWithClaims(at.config, claims)).toThrow(BadQuestion);
    }
  });

  verifies("surface.explain", "an unknown person or agent is said, with those there are", () => {
    const at = house();
    expect(() => personNamed(at.config, "zed")).toThrow(/there: ada, bob, eve/);
    expect(() => personNamed(at.config, "constructor")).toThrow(BadQuestion);
    expect(() => askSurface(at, "__proto__", { label: "x", ...withRoles([]) })).toThrow(
      BadQuestion,
    );
    expect(() => askSurface(at, "attic", { label: "x", ...withRoles([]) })).toThrow(/desk, yard/);
  });
});

describe("explain", () => {
  verifies("surface.explain", "says of each tool whether and by which rule", () => {
    const at = house();
    const { tools, limits } = askExplain(at, "desk", personNamed(at.config, "bob"));
    expect(limits.calls_per_user).toEqual({ calls: 600, per_s: 60, burst: 120 });
    expect(tools.map(({ tool, allowed }) => [tool, allowed])).toEqual([
      ["item_get", true],
      ["item_put", false],
    ]);
    for (const { rule } of tools) expect(rule).toMatch(/^mcp\.config\.json:\d+/);
  });

  verifies("surface.explain", "with arguments says whether such a call would pass", () => {
    const at = house();
    const ada = personNamed(at.config, "ada");
    const judged = (args: unknown) => askExplain(at, "desk", ada, "item_get", args).tools[0];
    expect(judged({ id: 7 })?.allowed).toBe(true);
    expect(judged({ id: "7" })).toMatchObject({
      allowed: false,
      why: "its input schema: /id: expected integer",
    });
    expect(judged({})?.allowed).toBe(false);
  });

  verifies("surface.explain", "says no where an argument cannot stand in its request", () => {
    const id = { in: "path", schema: { type: "string", maxLength: 50_000 } };
    const at = house({ input: { id } });
    const ada = personNamed(at.config, "ada");
    const judged = (arg: string) =>
      askExplain(at, "desk", ada, "item_get", { id: arg }).tools[0]?.allowed;
    expect(judged("seven")).toBe(true);
    for (const arg of ["", "..", "\ud800", "x".repeat(20_000)]) expect(judged(arg)).toBe(false);
  });

  verifies(["surface.explain", "surface.drafts"], "a draft and a stranger are told apart", () => {
    const at = house();
    const ada = personNamed(at.config, "ada");
    expect(() => askExplain(at, "desk", ada, "item_new")).toThrow(/only a draft/);
    expect(() => askExplain(at, "desk", ada, "item_old")).toThrow(/not in the catalogue/);
  });

  verifies("surface.explain", "who says per agent and role who can call a tool", () => {
    const who = (tool: string) =>
      askWho(house(), tool).callers.map(({ agent, role, people }) => [agent, role, people]);
    expect(who("item_get")).toEqual([
      ["desk", "clerk", ["ada"]],
      ["desk", "guest", ["bob"]],
    ]);
    expect(who("item_put")).toEqual([["desk", "clerk", ["ada"]]]);
  });
});
