// Discovery and keys from a provider that is down, slow, wrong or hostile: nobody comes in who
// should not, everything ends in bounded time, and honest again is good again.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, vi } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { flood, FLOOD_TAKEN_MAX, flooded, openPeer } from "../setup/hostile-peer.ts";
import type { Peer } from "../setup/hostile-peer.ts";
import { discovery, json, newKey, nowS } from "../setup/hostile-provider.ts";
import type { Behaviour, Claims } from "../setup/hostile-provider.ts";
import { callTool } from "../setup/mcp-post.ts";
import type { Called } from "../setup/mcp-post.ts";
import { expectRefused, STACK } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

let boundary: Boundary;
let attacker: Peer;
let attacker_hits = 0;

beforeAll(async () => {
  attacker = await openPeer();
  attacker.serve(async (_req, res) => {
    attacker_hits++;
    json(res, 200, { keys: [(await newKey("key-1")).jwk] });
  });
});

afterAll(() => attacker.close());

// What a provider said is kept, so each test has a doorless that never asked.
beforeEach(async () => {
  attacker_hits = 0;
  boundary = await openBoundary();
});

afterEach(async () => {
  vi.useRealTimers();
  await boundary.close();
});

let serial = 0;

/** One call by a new token of Ada's: no answer can come from what was verified before. */
async function call(changes: Claims = {}): Promise<Called> {
  const bearer = `Bearer ${await boundary.token("desk", { jti: `t${serial++}`, ...changes })}`;
  return callTool(`${boundary.url}/mcp/desk`, bearer, "item_get", { id: "7" });
}

function expectUnavailable(called: Called): void {
  expect(called.status).toBe(503);
  expect(JSON.parse(called.text)).toMatchObject({
    error: { code: "identity_unavailable", retry: "after", who_can_fix: "operator" },
  });
  expect(called.headers.get("retry-after")).toMatch(/^\d+$/);
  expect(called.headers.get("www-authenticate")).toBeNull();
  expect(called.text).not.toMatch(STACK);
  expect(boundary.api.seen).toEqual([]);
  expect(boundary.ledger().filter(({ kind }) => kind !== "event")).toEqual([]);
}

/** Honest again, and the second is over in which a failure is not asked about again. */
async function recover(): Promise<void> {
  boundary.provider.behave();
  await boundary.provider.up();
  boundary.pass(1001);
  expect((await call()).result).toEqual({ id: "7", name: "a lamp" });
}

const reply =
  (status: number, body: string, type = "application/json"): Behaviour =>
  (_req, res) =>
    res.writeHead(status, { "content-type": type }).end(body);

/** A document like the honest one, with changes. */
const saying =
  (changes: Claims): Behaviour =>
  (_req, res) =>
    json(res, 200, { ...discovery(boundary.provider), ...changes });

const huge: Behaviour = (_req, res) => {
  res.writeHead(200, { "content-type": "application/json" }).write("[");
  flood(res);
};

const redirect = (where: () => string): Behaviour => {
  return (_req, res) => res.writeHead(302, { location: where() }).end();
};

const DISCOVERY: Readonly<Record<string, Behaviour>> = {
  HTML: reply(200, "<html>Sign in</html>", "text/html"),
  "an empty body": reply(200, ""),
  "half a document": reply(200, '{"issuer":"'),
  "a list": reply(200, "[]"),
  null: reply(200, "null"),
  "an empty document": reply(200, "{}"),
  "404": reply(404, "{}"),
  "500": reply(500, "{}"),
  "another issuer": saying({ issuer: "https://elsewhere.test" }),
  "no issuer": saying({ issuer: undefined }),
  "no jwks_uri": saying({ jwks_uri: undefined }),
  "a jwks_uri that is no URL": saying({ jwks_uri: "nowhere" }),
  "a jwks_uri in a file": saying({ jwks_uri: "file:///etc/passwd" }),
  "a jwks_uri in a data URL": saying({ jwks_uri: 'data:application/json,{"keys":[]}' }),
  "a jwks_uri at the cloud's metadata": saying({ jwks_uri: "http://169.254.169.254/keys" }),
  "a redirect to the attacker": redirect(() => `${attacker.origin}/`),
  "an endless document": huge,
  "that it is the demo's provider": saying({ doorless_demo: true }),
};

describe("discovery", () => {
  for (const [what, behaviour] of Object.entries(DISCOVERY)) {
    verifies(
      "bad-input.provider",
      `that answers ${what} lets nobody in, until mended`,
      async () => {
        boundary.provider.on.discovery = behaviour;
        const before = flooded();
        expectUnavailable(await call());
        expect(flooded() - before).toBeLessThan(FLOOD_TAKEN_MAX);
        expect(attacker_hits).toBe(0);
        await recover();
      },
    );
  }

  verifies(
    "bad-input.provider",
    "at a provider that is down lets nobody in, until up",
    async () => {
      await boundary.provider.down();
      expectUnavailable(await call());
      await recover();
    },
  );

  verifies("bad-input.provider", "that fails is not asked again for every request", async () => {
    boundary.provider.on.discovery = reply(500, "{}");
    const many = await Promise.all(Array.from({ length: 30 }, () => call()));
    for (const one of many) expectUnavailable(one);
    // oidc and oauth forms of the address may both be tried, once.
    expect(boundary.provider.hits.discovery).toBeLessThanOrEqual(2);
  });
});

const JWKS: Readonly<Record<string, Behaviour>> = {
  HTML: reply(200, "<html></html>", "text/html"),
  "an empty body": reply(200, ""),
  "half a document": reply(200, '{"keys":['),
  null: reply(200, "null"),
  "a list": reply(200, "[]"),
  "keys that are no list": reply(200, '{"keys":{}}'),
  "keys that are no objects": reply(200, '{"keys":[1,null]}'),
  "404": reply(404, "{}"),
  "500": reply(500, "{}"),
  "a redirect to the attacker": redirect(() => `${attacker.origin}/jwks`),
  "an endless document": huge,
};

describe("the keys", () => {
  for (const [what, behaviour] of Object.entries(JWKS)) {
    verifies("bad-input.provider", `as ${what} let nobody in, until mended`, async () => {
      boundary.provider.on.jwks = behaviour;
      const before = flooded();
      expectUnavailable(await call());
      expect(flooded() - before).toBeLessThan(FLOOD_TAKEN_MAX);
      expect(attacker_hits).toBe(0);
      await recover();
    });
  }

  verifies("bad-input.provider", "that break off are no keys", async () => {
    boundary.provider.on.jwks = (_req, res) => {
      res.writeHead(200, { "content-type": "application/json", "content-length": "9000" });
      res.write('{"keys":[');
      res.destroy();
    };
    expectUnavailable(await call());
    await recover();
  });

  const broken = { kty: "EC", crv: "P-256", kid: "key-1", alg: "ES256", x: "A", y: "A" };
  const twin = async (): Promise<unknown> => (await newKey("key-1")).jwk;
  verifies("bad-input.provider", "that are broken or ambiguous let nobody in", async () => {
    for (const keys of [[broken], [boundary.provider.key.jwk, await twin()]]) {
      boundary.provider.jwks = { keys };
      expect([401, 503]).toContain((await call()).status);
      expect(boundary.api.seen).toEqual([]);
      boundary.provider.behave();
      // They are kept for five minutes, since nothing says that they are not the right ones.
      later(301);
      expect((await call()).status).toBe(200);
      later(301);
      boundary.api.seen.length = 0;
    }
  });

  verifies("bad-input.provider", "with a symmetric one verify nothing with it", async () => {
    const { provider } = boundary;
    const secret = Buffer.from("a secret that everybody can read").toString("base64url");
    provider.jwks = { keys: [{ kty: "oct", kid: "key-1", alg: "HS256", k: secret }] };
    await expectRefused(boundary, "desk", await boundary.token("desk"));
  });
});

verifies(
  "bad-input.provider",
  "a provider that flaps lets people in when it answers, and nobody in between",
  async () => {
    const { provider } = boundary;
    for (let round = 0; round < 6; round++) {
      const isUp = round % 2 === 1;
      const broken = reply(502, "bad gateway", "text/plain");
      // What was kept is too old: both are asked for again.
      boundary.pass(601_000);
      later(301 * (round + 1));
      provider.on = isUp ? {} : { [round % 4 === 0 ? "discovery" : "jwks"]: broken };
      expect((await call({ iat: nowS(), exp: nowS() + 600 })).status).toBe(isUp ? 200 : 503);
    }
    expect(boundary.api.seen).toHaveLength(3);
  },
);

/** The wall clock, some seconds ahead. */
function later(seconds: number): void {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + seconds * 1000 });
}

describe("a provider that hangs", () => {
  verifies("bad-input.provider", "is given up in bounded time, wherever it hangs", async () => {
    const second = await openBoundary();
    const never = (): void => undefined;
    boundary.provider.on.discovery = never;
    second.provider.on.jwks = never;
    const began = performance.now();
    const bearer = `Bearer ${await second.token("desk")}`;
    const [first, other] = await Promise.all([
      call(),
      callTool(`${second.url}/mcp/desk`, bearer, "item_get", { id: "7" }),
    ]);
    await second.close();
    expectUnavailable(first);
    expect(other.status).toBe(503);
    expect(performance.now() - began).toBeLessThan(15_000);
  });
});

describe("keys that change", () => {
  verifies("auth.jwt-strict", "in traffic are taken up, and the old ones refused", async () => {
    const { provider } = boundary;
    expect((await call()).status).toBe(200);
    const old = provider.key;
    const next = await newKey("key-2");
    provider.key = next;
    provider.jwks = { keys: [next.jwk] };
    later(6);
    expect((await call()).status).toBe(200);
    expect(provider.hits.jwks).toBe(2);
    boundary.api.seen.length = 0;
    const stale = await provider.sign(boundary.claims("desk"), {}, old);
    const url = `${boundary.url}/mcp/desk`;
    const called = await callTool(url, `Bearer ${stale}`, "item_get", { id: "7" });
    expect(called.status).toBe(401);
    expect(boundary.api.seen).toEqual([]);
  });

  verifies("bad-input.provider", "are kept while the provider is down, but not long", async () => {
    const { provider } = boundary;
    expect((await call()).status).toBe(200);
    await provider.down();
    boundary.api.seen.length = 0;
    // Who it is can be told; a downstream token cannot be had.
    const called = await call();
    expect(called.status).toBe(200);
    expect(called.error).toMatchObject({ code: "delegation_unavailable", effect: "none" });
    later(301);
    expect((await call()).status).toBe(503);
    expect(boundary.api.seen).toEqual([]);
    vi.useRealTimers();
    await recover();
  });
});
