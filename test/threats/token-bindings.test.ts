// Which agent a token belongs to, and which tenant and roles it gives (DESIGN section 2, agent).
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { askLocal } from "../../src/console/local.ts";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import type { Claims } from "../setup/hostile-provider.ts";
import { callTool } from "../setup/mcp-post.ts";
import { expectRefused, listed } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

const BY_SCOPE = "https://shared.test/by-scope";
const BY_CLIENT = "https://shared.test/by-client";

let boundary: Boundary;

beforeAll(async () => {
  boundary = await openBoundary();
});

beforeEach(() => boundary.api.behave());

afterAll(() => boundary.close());

async function refuse(agent: string, changes: Claims): Promise<void> {
  await expectRefused(boundary, agent, await boundary.token("desk", changes));
}

async function admit(agent: string, changes: Claims): Promise<string[]> {
  const { status, names } = await listed(boundary, agent, await boundary.token("desk", changes));
  expect(status).toBe(200);
  return names;
}

const own = (...agents: string[]): string[] => agents.map((name) => `${boundary.url}/mcp/${name}`);

describe("an agent with its own audience", () => {
  verifies("auth.one-agent", "takes its own tokens and no other agent's", async () => {
    await admit("garage", { aud: own("garage") });
    await refuse("garage", { aud: own("desk") });
    await refuse("garage", { aud: BY_SCOPE, scope: "agent:a" });
    await refuse("garage", { aud: BY_CLIENT, client_id: "client-a" });
  });

  verifies("auth.one-agent", "refuses a token that fits a second agent too", async () => {
    for (const agent of ["desk", "garage"]) await refuse(agent, { aud: own("desk", "garage") });
    await refuse("desk", { aud: [...own("desk"), BY_SCOPE], scope: "agent:a" });
    await refuse("scope_a", { aud: [...own("desk"), BY_SCOPE], scope: "agent:a" });
    await refuse("client_b", { aud: [...own("desk"), BY_CLIENT], client_id: "client-b" });
  });
});

describe("agents that share an audience and have a scope each", () => {
  verifies("auth.one-agent", "take a token with their scope, among others", async () => {
    await admit("scope_a", { aud: BY_SCOPE, scope: "agent:a" });
    await admit("scope_b", { aud: BY_SCOPE, scope: "openid agent:b profile" });
  });

  verifies("auth.one-agent", "refuse a token with both scopes, at either agent", async () => {
    for (const scope of ["agent:a agent:b", "agent:b agent:a"]) {
      await refuse("scope_a", { aud: BY_SCOPE, scope });
      await refuse("scope_b", { aud: BY_SCOPE, scope });
    }
  });

  verifies("auth.one-agent", "refuse a token with no scope, or not quite theirs", async () => {
    const scopes = [undefined, "", "agent:b", "agent:A", "agent:a2", "agent", "xagent:a", 7, {}];
    for (const scope of scopes) await refuse("scope_a", { aud: BY_SCOPE, scope });
    await refuse("scope_a", { aud: BY_SCOPE, scope: "agent:b", scp: "agent:a" });
    await refuse("scope_a", { aud: BY_SCOPE, scp: "agent:a" });
  });
});

describe("agents that share an audience and list their clients", () => {
  verifies("auth.one-agent", "take a token of a listed client", async () => {
    await admit("client_a", { aud: BY_CLIENT, client_id: "client-aa" });
    await refuse("client_b", { aud: BY_CLIENT, client_id: undefined, azp: "client-b" });
  });

  verifies("auth.one-agent", "refuse the other's client, and one that nobody lists", async () => {
    for (const client_id of ["client-b", "client-c", "CLIENT-A", "client-a "]) {
      await refuse("client_a", { aud: BY_CLIENT, client_id });
    }
    await refuse("client_a", { aud: BY_CLIENT, client_id: "client-b", azp: "client-a" });
    await refuse("client_a", { aud: BY_CLIENT, client_id: ["client-a"] });
  });
});

const everything = (): Promise<string[]> => admit("desk", {});

describe("the tenant", () => {
  verifies("auth.claim-pointers", "of a foreign tenant's token is refused", async () => {
    for (const tenant of ["globex", "ACME", "acme ", "", 7, ["acme"], { acme: true }, null]) {
      await refuse("desk", { org: { tenant, roles: ["staff"] } });
    }
  });

  verifies("auth.claim-pointers", "is read at its pointer and nowhere else", async () => {
    await admit("desk", { tenant: "globex" });
    await callTool(`${boundary.url}/mcp/desk`, `Bearer ${await boundary.token("desk")}`, "x", {});
    expect(boundary.ledger().at(-1)).toMatchObject({ tenant: "acme", subject: "ada" });
  });
});

describe("the roles", () => {
  verifies("auth.claim-pointers", "may be a list or one string", async () => {
    const all = await everything();
    expect(all).toContain("item_get");
    expect(await admit("desk", { org: { tenant: "acme", roles: "staff" } })).toEqual(all);
    expect(await admit("desk", { org: { tenant: "acme", roles: ["x", "staff"] } })).toEqual(all);
    expect(await admit("desk", { org: { tenant: "acme", roles: "reader" } })).toEqual(["item_get"]);
  });

  const NO_ROLE: Readonly<Record<string, unknown>> = {
    "roles that are not there": undefined,
    "an empty list": [],
    null: null,
    "a number": 1,
    "an object with the role as key": { staff: true },
    "a list of other things": [1, null, ["staff"], { name: "staff" }],
    "two roles in one string": "staff reader",
    "a role in capitals": ["STAFF"],
    "names of the language": ["__proto__", "constructor", "toString", "hasOwnProperty"],
  };
  for (const [what, roles] of Object.entries(NO_ROLE)) {
    verifies("auth.claim-pointers", `read from ${what} open no door`, async () => {
      const org = roles === undefined ? { tenant: "acme" } : { tenant: "acme", roles };
      expect(await admit("desk", { org })).toEqual([]);
    });
  }

  verifies("auth.claim-pointers", "beside the pointer count for nothing", async () => {
    const org = { tenant: "acme" };
    const beside = { org, roles: ["staff"], realm_access: { roles: ["staff"] } };
    expect(await admit("desk", beside)).toEqual([]);
    expect(await admit("desk", { org: org, "/org/roles": ["staff"] })).toEqual([]);
  });

  verifies(
    "auth.claim-pointers",
    "come with a readable name: no control characters, at most 100",
    async () => {
      const odd = `a\u202ename\u0007${"x".repeat(300)}`;
      await callTool(
        `${boundary.url}/mcp/desk`,
        `Bearer ${await boundary.token("desk", { name: odd })}`,
        "item_get",
        { id: "7" },
      );
      const filter = { agent: "desk", limit: 1 };
      const asked = { os_user: "a test", filter };
      const { records } = (await askLocal(boundary.data, "core", "/audit", asked)) as {
        records: { user: string }[];
      };
      const user = records[0]?.user ?? "";
      expect(user).toMatch(/^anamex{93,}$/);
      expect(user.length).toBeLessThanOrEqual(100);
    },
  );
});

describe("the actor chain", () => {
  verifies("auth.jwt-strict", "is recorded, and refused where it is malformed", async () => {
    const act = { sub: "ide", act: { sub: "planner" } };
    const bearer = `Bearer ${await boundary.token("desk", { act })}`;
    await callTool(`${boundary.url}/mcp/desk`, bearer, "item_get", { id: "7" });
    const intent = boundary.ledger().findLast(({ kind }) => kind === "intent");
    expect(intent).toMatchObject({ subject: "ada", actor_chain: ["ide", "planner"] });
    await boundary.api.behave();
    await refuse("desk", { act: { sub: "stranger" } });
    await refuse("desk", { act: { sub: "ide", act: { sub: "stranger" } } });
    const deep = {
      sub: "ide",
      act: { sub: "ide", act: { sub: "ide", act: { sub: "ide", act: { sub: "ide" } } } },
    };
    for (const wrong of [null, "ide", [], {}, { sub: "" }, { sub: 1 }, deep]) {
      await refuse("desk", { act: wrong });
    }
  });
});
