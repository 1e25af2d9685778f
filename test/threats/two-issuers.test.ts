// Two providers at once: whose token, whose tenant, whose keys; one name at both is two people.
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { doorless } from "../interop/command.ts";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { defined, newKey, openProvider } from "../setup/hostile-provider.ts";
import type { Claims, HostileProvider } from "../setup/hostile-provider.ts";
import { callTool } from "../setup/mcp-post.ts";
import { stopDesk } from "../setup/stop-desk.ts";
import { expectRefused, listed } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

let boundary: Boundary;
let second: HostileProvider;

beforeAll(async () => {
  second = await openProvider();
  boundary = await openBoundary({
    more_issuers: {
      second: {
        issuer: second.issuer,
        algorithms: ["ES256"],
        claims: { tenant: "/org/tenant", roles: "/org/roles" },
        tenants: ["globex"],
        client: { client_id: "doorless", client_secret: "env:SECRET" },
        allow_private_addresses: true,
      },
    },
    bend: (config) => {
      const { garage, ...others } = config.agents;
      if (garage === undefined) throw new Error("no garage");
      return { ...config, agents: { ...others, garage: { ...garage, issuers: ["own"] } } };
    },
  });
});

beforeEach(() => boundary.api.behave());

afterAll(async () => {
  await boundary.close();
  await second.close();
});

const GLOBEX = { tenant: "globex", roles: ["staff"] };

/** A token of the second provider's, honest but for the changes. */
function theirs(changes: Claims = {}, key = second.key): Promise<string> {
  const claims = { ...boundary.claims("desk"), iss: second.issuer, org: GLOBEX, ...changes };
  return second.sign(defined(claims), {}, key);
}

const call = (token: string) =>
  callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_get", { id: "7" });

describe("two issuers at once", () => {
  verifies("auth.issuers", "each speaks for its own people, tenants and tokens", async () => {
    for (const token of [await boundary.token("desk"), await theirs()]) {
      expect((await call(token)).error).toBeUndefined();
    }
    const lines = boundary.ledger().filter(({ kind }) => kind === "intent");
    expect(lines.map(({ issuer, tenant }) => [issuer, tenant])).toEqual([
      [boundary.provider.issuer, "acme"],
      [second.issuer, "globex"],
    ]);
    // Each person's downstream token was asked for where she signs in.
    expect([boundary.provider.hits.token, second.hits.token]).toEqual([1, 1]);
  });

  verifies("auth.issuers", "neither speaks for the other's tenants", async () => {
    await expectRefused(boundary, "desk", await theirs({ org: { ...GLOBEX, tenant: "acme" } }));
    await expectRefused(boundary, "desk", await boundary.token("desk", { org: GLOBEX }));
  });

  verifies(
    "auth.issuers",
    "a key of one signs nothing of the other's, whatever its kid",
    async () => {
      // Both publish key-1.
      expect(second.key.kid).toBe(boundary.provider.key.kid);
      await expectRefused(boundary, "desk", await theirs({}, boundary.provider.key));
      const asOurs = boundary.claims("desk");
      await expectRefused(boundary, "desk", await second.sign(defined(asOurs)));
      await expectRefused(boundary, "desk", await theirs({}, await newKey("key-1")));
    },
  );

  verifies("auth.issuers", "no header chooses tenant, issuer or role", async () => {
    const headers = {
      "x-tenant": "acme",
      "x-issuer": boundary.provider.issuer,
      "x-roles": "admin",
    };
    const response = await fetch(`${boundary.url}/mcp/desk`, {
      method: "POST",
      headers: { ...headers, authorization: `Bearer ${await theirs()}`, "content-type": "text/x" },
      body: "{}",
    });
    await response.text();
    const record = boundary.ledger().findLast(({ kind }) => kind === "refusal");
    expect(record).toMatchObject({ issuer: second.issuer, tenant: "globex" });
  });

  verifies("auth.issuers", "an agent that names its issuers takes no other's", async () => {
    const aud = `${boundary.url}/mcp/garage`;
    expect((await listed(boundary, "garage", await boundary.token("garage"))).status).toBe(200);
    await expectRefused(boundary, "garage", await theirs({ aud }));
  });

  verifies(["auth.issuers", "revocation.lock"], "one name at both is two people", async () => {
    const desk = stopDesk(boundary);
    const [ours, others] = [await boundary.token("desk"), await theirs()];
    for (const token of [ours, others]) await call(token);
    await expect(desk.lock("user:ada")).rejects.toThrow(/fits 2 people: .*#ada, .*#ada/);
    await desk.lock(`user:${second.issuer}#ada`);
    expect((await call(ours)).error).toBeUndefined();
    expect((await call(others)).error?.code).toBe("locked");
    await desk.unlock(`user:${second.issuer}#ada`);
  });

  verifies("sign-in.issuer", "whoever signs in says at which; none is guessed", async () => {
    const config = join(dirname(boundary.data), "mcp.config.json");
    const login = (...args: readonly string[]) =>
      doorless(["login", "desk", "--config", config, "--no-browser", ...args]);
    const both = `${boundary.provider.issuer} ${second.issuer}`;
    const [none, other, byUrl, byHost] = await Promise.all([
      login(),
      login("--issuer", "https://elsewhere.test"),
      login("--issuer", second.issuer),
      login("--issuer", new URL(boundary.provider.issuer).host),
    ]);
    for (const { code, stderr } of [none, other]) {
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(both) });
    }
    // These take no program that nobody registered; which one was asked is what is seen.
    expect(byUrl).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`at ${second.issuer}`),
    });
    const at = `at ${boundary.provider.issuer}`;
    expect(byHost).toMatchObject({ code: 3, stderr: expect.stringContaining(at) });
  });

  verifies(
    ["auth.issuers", "bad-input.provider"],
    "one that is down takes nobody else along",
    async () => {
      const fresh = await openBoundary({
        more_issuers: {
          gone: {
            issuer: "http://127.0.0.1:1",
            claims: { roles: "/org/roles" },
            allow_private_addresses: true,
          },
        },
      });
      const lost = await fresh.token("desk", { iss: "http://127.0.0.1:1" });
      const url = `${fresh.url}/mcp/desk`;
      expect((await callTool(url, `Bearer ${lost}`, "item_get", { id: "7" })).status).toBe(503);
      const bearer = `Bearer ${await fresh.token("desk")}`;
      expect((await callTool(url, bearer, "item_get", { id: "7" })).error).toBeUndefined();
      await fresh.close();
    },
  );
});

describe("an exclusive agent", () => {
  let alone: Boundary;

  beforeAll(async () => {
    alone = await openBoundary({
      bend: (config) => {
        const { desk } = config.agents;
        if (desk === undefined) throw new Error("no desk");
        return { ...config, agents: { ...config.agents, desk: { ...desk, exclusive: true } } };
      },
    });
  });

  afterAll(() => alone.close());

  const at = async (agent: string, changes: Claims = {}) => {
    const bearer = `Bearer ${await alone.token(agent, changes)}`;
    return callTool(`${alone.url}/mcp/${agent}`, bearer, "item_get", { id: "7" });
  };

  verifies(
    "auth.exclusive",
    "keeps the same user's other agents out, both ways round",
    async () => {
      expect((await at("desk")).error).toBeUndefined();
      expect((await at("garage")).error).toMatchObject({
        code: "agent_in_use",
        details: { agent: "desk" },
        retry_after_ms: expect.any(Number),
      });
      // Another client of hers, and another person, are another model's context.
      expect((await at("garage", { client_id: "other-ide" })).error).toBeUndefined();
      expect((await at("garage", { sub: "grace" })).error).toBeUndefined();
      alone.pass(901_000);
      expect((await at("garage")).error).toBeUndefined();
      expect((await at("desk")).error?.code).toBe("agent_in_use");
      // Agents that are not exclusive do not mind each other.
      expect(
        (await at("client_a", { aud: "https://shared.test/by-client", client_id: "client-a" }))
          .error,
      ).toBeUndefined();
    },
  );
});
