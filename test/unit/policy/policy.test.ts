// Policy: default deny, explanations that point at the true line, names that lead nowhere.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { loadCatalog } from "../../../src/catalog/load.ts";
import type { Config } from "../../../src/config/load.ts";
import { compilePolicy } from "../../../src/policy/policy.ts";
import { narrow, NO_NARROWING } from "../../../src/policy/surface.ts";
import { verifies } from "../../verifies.ts";
import {
  catalogFolder,
  catalogOf,
  configFrom,
  minimalConfig,
  problemsOf,
  SHOP,
  toolFile,
  withRoles,
  WRITES,
} from "../../setup/minimal.ts";

const catalog = () => catalogOf(toolFile("item_get"), toolFile("item_put", WRITES));
const house = (config: Config = configFrom(minimalConfig())) => ({
  config,
  policy: compilePolicy(config, catalog()),
});

/** The text of the line that a `file:line` place points at. */
function lineAt(config: Config, place: string): string {
  const [, line] = place.split(":");
  return readFileSync(config.file, "utf8").split("\n")[Number(line) - 1]?.trim() ?? "";
}

describe("default deny", () => {
  verifies(
    "surface.default-deny",
    "without a role, or with an unknown one, there is nothing",
    () => {
      const { policy } = house();
      for (const roles of [[], ["owner"], [""], ["CLERK"], ["clerk "]]) {
        expect(policy.surface(withRoles(roles), "desk").list).toEqual([]);
      }
    },
  );

  verifies("surface.default-deny", "a role gives nothing at an agent that it does not name", () => {
    expect(house().policy.surface(withRoles(["clerk", "guest"]), "yard").list).toEqual([]);
  });

  verifies("surface.default-deny", "all means all that the agent lists, and no other tool", () => {
    const roles = { clerk: { yard: "all" } };
    const { policy } = house(configFrom(minimalConfig({ roles })));
    const surface = policy.surface(withRoles(["clerk"]), "yard");
    expect(surface.list.map(({ name }) => name)).toEqual(["item_put"]);
    expect(surface.get("item_get")).toBeUndefined();
    expect(surface.get("item_put")?.approve).toBe("human");
  });

  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"]) {
    verifies("surface.default-deny", `${name} as role, agent or tool gives nothing`, () => {
      const { policy } = house();
      expect(policy.surface(withRoles([name]), "desk").list).toEqual([]);
      expect(policy.surface(withRoles(["clerk"]), name).list).toEqual([]);
      expect(policy.surface(withRoles(["clerk"]), "desk").get(name)).toBeUndefined();
      expect(policy.explain(withRoles([name]), "desk").some(({ allowed }) => allowed)).toBe(false);
      expect(policy.explain(withRoles(["clerk"]), name).some(({ allowed }) => allowed)).toBe(false);
    });
  }

  verifies("surface.drafts", "a draft that an agent lists is absent, and no mistake", () => {
    const files = {
      "item_get.tool.yaml": toolFile("item_get"),
      "item_put.tool.yaml": toolFile("item_put", { ...WRITES, status: "draft" }),
    };
    const policy = compilePolicy(configFrom(minimalConfig()), loadCatalog(catalogFolder(files)));
    const surface = policy.surface(withRoles(["clerk"]), "desk");
    expect(surface.list.map(({ name }) => name)).toEqual(["item_get"]);
    expect(surface.get("item_put")).toBeUndefined();
    expect(policy.explain(withRoles(["clerk"]), "desk").map(({ tool }) => tool)).toEqual([
      "item_get",
    ]);
  });
});

describe("explain", () => {
  verifies("surface.explain", "an allowed tool names the lines of its role and its agent", () => {
    const { config, policy } = house();
    const [get, put] = policy.explain(withRoles(["guest"]), "desk");
    expect(get).toMatchObject({ tool: "item_get", allowed: true });
    const [role = "", agent = ""] = get?.rule.split(", ") ?? [];
    expect(role).toMatch(/^mcp\.config\.json:\d+$/);
    expect(lineAt(config, role)).toBe('"item_get"');
    expect(lineAt(config, agent)).toBe('"item_get": {},');
    expect(put).toMatchObject({ tool: "item_put", allowed: false });
    expect(lineAt(config, put?.rule ?? "")).toBe('"roles": {');
  });

  verifies("surface.explain", "all, a missing tool and a missing agent name their lines", () => {
    const { config, policy } = house();
    const [all] = policy.explain(withRoles(["clerk"]), "desk");
    expect(lineAt(config, all?.rule.split(", ")[0] ?? "")).toBe('"desk": "all"');
    const [unlisted] = policy.explain(withRoles(["clerk"]), "yard");
    expect(unlisted).toMatchObject({ tool: "item_get", allowed: false });
    expect(lineAt(config, unlisted?.rule ?? "")).toBe('"tools": {');
    expect(unlisted?.why).toBe("agent yard does not list it");
    const [nowhere] = policy.explain(withRoles(["clerk"]), "attic");
    expect(lineAt(config, nowhere?.rule ?? "")).toBe('"agents": {');
  });

  verifies("surface.explain", "an approval is said where a call will need one", () => {
    const roles = { clerk: { yard: "all" } };
    const { policy } = house(configFrom(minimalConfig({ roles })));
    const put = policy
      .explain(withRoles(["clerk"]), "yard")
      .find(({ tool }) => tool === "item_put");
    expect(put).toMatchObject({ allowed: true, approve: "human" });
  });

  verifies("surface.explain", "a door carries the same rule as the explanation", () => {
    const { policy } = house();
    // Whoever came first, and in whatever order a token names the roles.
    for (const first of [
      ["guest", "clerk"],
      ["clerk", "nobody", "guest", "clerk"],
    ]) {
      const surface = policy.surface(withRoles(first), "desk");
      for (const { tool, rule, allowed } of policy.explain(withRoles(["clerk", "guest"]), "desk")) {
        expect(allowed).toBe(true);
        expect(surface.get(tool)?.rule).toBe(rule);
      }
    }
  });
});

describe("a configuration that does not fit the catalogue", () => {
  test("is said with pointer and line, all of it together", () => {
    const tools = { item_get: {}, item_burn: {} };
    const config = configFrom(
      minimalConfig({
        agents: { desk: { title: "d", purpose: "p", tools } },
        roles: {},
        connectors: { store: SHOP },
      }),
    );
    const problems = problemsOf(() => compilePolicy(config, catalog()));
    expect(problems.map(({ pointer }) => pointer)).toEqual([
      "/agents/desk/tools/item_burn",
      "/connectors",
      "/connectors/store",
    ]);
    expect(lineAt(config, `x:${problems[0]?.line}`)).toBe('"item_burn": {}');
  });
});

describe("surface", () => {
  const surface = () => house().policy.surface(withRoles(["clerk"]), "desk");

  test("is frozen, sorted, and the same object for the same roles", () => {
    const { policy } = house();
    const one = policy.surface(withRoles(["guest", "clerk"]), "desk");
    expect(policy.surface(withRoles(["clerk", "guest", "clerk"]), "desk")).toBe(one);
    // A role that says nothing of this agent makes no other surface, or tokens could fill memory.
    expect(policy.surface(withRoles(["clerk", "guest", "made-up"]), "desk")).toBe(one);
    expect(one.list.map(({ name }) => name)).toEqual(["item_get", "item_put"]);
    expect(Object.isFrozen(one) && Object.isFrozen(one.list)).toBe(true);
    expect(one.list.every((tool) => Object.isFrozen(tool))).toBe(true);
    expect(Object.isFrozen(one.get("item_get"))).toBe(true);
  });

  test("its fingerprint says which tools, in which version, with which approval", () => {
    const { policy } = house();
    const all = policy.surface(withRoles(["clerk"]), "desk").fingerprint;
    expect(policy.surface(withRoles(["guest"]), "desk").fingerprint).not.toBe(all);
    expect(house().policy.surface(withRoles(["clerk"]), "desk").fingerprint).toBe(all);
  });

  verifies(
    "surface.narrowing",
    "narrowing keeps what both sides have, read-only beats names",
    () => {
      const names = (tools: string[] | undefined, read_only: boolean): string[] =>
        narrow(surface(), {
          tools: tools === undefined ? undefined : new Set(tools),
          read_only,
        }).list.map(({ name }) => name);
      expect(narrow(surface(), NO_NARROWING).list).toHaveLength(2);
      expect(names(["item_put", "item_burn", "__proto__"], false)).toEqual(["item_put"]);
      expect(names([], false)).toEqual([]);
      expect(names(undefined, true)).toEqual(["item_get"]);
      expect(names(["item_put"], true)).toEqual([]);
    },
  );
});
