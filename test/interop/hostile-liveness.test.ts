// The identity side fails while it is asked who is still welcome: introspection, a probing exchange
// and revocation, each down, slow, broken, stale and flapping. Each cell is a right answer or a
// structured refusal, and nothing runs without an answer.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { flood, FLOOD_TAKEN_MAX, flooded } from "../setup/hostile-peer.ts";
import { discovery, json } from "../setup/hostile-provider.ts";
import type { Behaviour, Claims } from "../setup/hostile-provider.ts";
import { callTool } from "../setup/mcp-post.ts";
import type { Called } from "../setup/mcp-post.ts";
import { listed, STACK } from "../setup/strangers.ts";
import { stopDesk } from "../setup/stop-desk.ts";
import { verifies } from "../verifies.ts";

// Of real time too: a machine that stands still for a second must not make an honest answer late.
const BOUND_MS = 4000;

const reply =
  (status: number, body: string, type = "application/json"): Behaviour =>
  (_req, res) =>
    res.writeHead(status, { "content-type": type }).end(body);

const breaksOff: Behaviour = (_req, res) => {
  res.writeHead(200, { "content-type": "application/json", "content-length": "900" });
  res.write('{"active":');
  res.destroy();
};

const never: Behaviour = () => undefined;

const huge: Behaviour = (_req, res) => {
  res.writeHead(200, { "content-type": "application/json" }).write("[");
  flood(res);
};

/** What either question may be answered with, and is no answer. */
const NO_ANSWER: Readonly<Record<string, Behaviour>> = {
  nothing: never,
  "500": reply(500, "{}"),
  "503 with a page": reply(503, "<html>Maintenance</html>", "text/html"),
  "404": reply(404, "{}"),
  "a redirect": (_req, res) => res.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
  HTML: reply(200, "<html>Sign in</html>", "text/html"),
  "an empty body": reply(200, ""),
  "half a document": reply(200, '{"active":tr'),
  "a body that breaks off": breaksOff,
  null: reply(200, "null"),
  "a list": reply(200, "[true]"),
  "an empty object": reply(200, "{}"),
  "an endless document": huge,
  "its client's credentials refused": reply(401, '{"error":"invalid_client"}'),
};

const SOURCES = {
  introspection: {
    liveness: { source: "introspection", bound_ms: BOUND_MS },
    endpoint: "introspection",
    out: reply(200, '{"active":false}'),
    wrong: {
      "active as text": reply(200, '{"active":"true"}'),
      "active as a number": reply(200, '{"active":1}'),
      "another user": reply(200, '{"active":true,"sub":"bob"}'),
      "another issuer": reply(200, '{"active":true,"iss":"https://elsewhere.test"}'),
    },
  },
  exchange: {
    liveness: { source: "exchange", bound_ms: BOUND_MS, connector: "shop", scopes: ["items:read"] },
    endpoint: "token",
    out: reply(400, '{"error":"invalid_grant"}'),
    wrong: {
      "another error": reply(400, '{"error":"invalid_scope"}'),
      "a token that is none": reply(
        200,
        '{"access_token":"x","token_type":"Bearer","issued_token_type":' +
          '"urn:ietf:params:oauth:token-type:access_token"}',
      ),
    },
  },
} as const;

for (const [name, { liveness, endpoint, out, wrong }] of Object.entries(SOURCES)) {
  describe(`asked by ${name}`, () => {
    let boundary: Boundary;
    let serial = 0;

    beforeAll(async () => {
      boundary = await openBoundary({ issuer: { liveness } });
    });

    afterAll(() => boundary.close());

    beforeEach(() => boundary.api.behave());

    afterEach(async () => {
      boundary.provider.behave();
      await boundary.provider.up();
    });

    const tokenOf = (changes: Claims = {}): Promise<string> =>
      boundary.token("desk", { jti: `${name}-${serial++}`, ...changes });
    const call = (token: string): Promise<Called> =>
      callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_get", { id: "7" });

    function expectUnavailable(called: Called): void {
      expect(called.status).toBe(503);
      expect(JSON.parse(called.text)).toMatchObject({
        error: { code: "identity_unavailable", retry: "after", effect: "none" },
      });
      expect(called.headers.get("retry-after")).toMatch(/^\d+$/);
      expect(called.text).not.toMatch(STACK);
      expect(boundary.api.seen).toEqual([]);
    }

    for (const [what, behaviour] of Object.entries({ ...NO_ANSWER, ...wrong })) {
      verifies(
        ["bad-input.provider", "revocation.asked"],
        `${what} is no answer: nobody comes in, until mended`,
        async () => {
          const token = await tokenOf();
          const before = flooded();
          boundary.provider.on[endpoint] = behaviour;
          expectUnavailable(await call(token));
          expect(flooded() - before).toBeLessThan(FLOOD_TAKEN_MAX);
          boundary.provider.behave();
          boundary.pass(501);
          expect((await call(token)).result).toEqual({ id: "7", name: "a lamp" });
        },
      );
    }

    verifies(
      ["bad-input.provider", "revocation.asked"],
      "a provider that goes down lets nobody go on beyond the bound",
      async () => {
        const token = await tokenOf();
        expect((await call(token)).error).toBeUndefined();
        await boundary.provider.down();
        boundary.pass(BOUND_MS);
        boundary.api.seen.length = 0;
        expectUnavailable(await call(token));
      },
    );

    verifies("revocation.asked", "whoever is out is a stranger within the bound", async () => {
      const token = await tokenOf();
      expect((await call(token)).error).toBeUndefined();
      boundary.provider.on[endpoint] = out;
      boundary.pass(BOUND_MS);
      boundary.api.seen.length = 0;
      const refused = await call(token);
      expect(refused.status).toBe(401);
      expect(refused.headers.get("www-authenticate")).toContain("revoked");
      expect((await listed(boundary, "desk", token)).status).toBe(401);
      expect(boundary.api.seen).toEqual([]);
    });

    verifies(
      ["bad-input.provider", "revocation.asked"],
      "a provider that flaps is believed when it answers, and never in between",
      async () => {
        const token = await tokenOf();
        for (let round = 0; round < 6; round++) {
          const isUp = round % 2 === 0;
          boundary.provider.on = isUp
            ? {}
            : { [endpoint]: reply(502, "bad gateway", "text/plain") };
          boundary.pass(BOUND_MS + 501);
          expect((await call(token)).status).toBe(isUp ? 200 : 503);
        }
      },
    );

    verifies("revocation.running", "a call under way is asked about again, and ended", async () => {
      const token = await tokenOf();
      const arrived = Promise.withResolvers<void>();
      const released = Promise.withResolvers<void>();
      boundary.api.answer = async (res) => {
        arrived.resolve();
        await released.promise;
        res.destroy();
      };
      const running = call(token);
      await arrived.promise;
      boundary.provider.on[endpoint] = out;
      boundary.pass(BOUND_MS / 2);
      const ended = await running;
      released.resolve();
      expect(ended.error).toMatchObject({ code: "access_revoked", effect: "none" });
    });

    verifies("revocation.stated", "the record says how, and within what", async () => {
      await call(await tokenOf());
      const intent = boundary.ledger().findLast(({ kind }) => kind === "intent");
      expect(intent?.["liveness"]).toEqual({ source: name, bound_ms: BOUND_MS });
      const started = boundary.ledger().find(({ event }) => event === "started");
      expect(started).toMatchObject({
        detail: { liveness: { own: { source: name, bound_ms: BOUND_MS } } },
      });
    });
  });
}

describe("a session that was ended here", () => {
  let boundary: Boundary;

  beforeAll(async () => {
    boundary = await openBoundary({ issuer: { liveness: SOURCES.introspection.liveness } });
  });

  afterAll(() => boundary.close());

  const call = (token: string): Promise<Called> =>
    callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_get", { id: "7" });

  async function idOf(sub: string): Promise<string> {
    const sessions = await stopDesk(boundary).sessions();
    return String(sessions.find((one) => one["subject"] === sub)?.["id"]);
  }

  verifies("revocation.sessions", "is over without a word of the provider's", async () => {
    const token = await boundary.token("desk");
    await call(token);
    await stopDesk(boundary).kill(await idOf("ada"));
    const asked = boundary.provider.hits.introspection;
    boundary.pass(BOUND_MS);
    expect((await call(token)).status).toBe(401);
    expect(boundary.provider.hits.introspection).toBe(asked);
  });

  verifies("revocation.lock", "whoever is locked is not asked about, either", async () => {
    const token = await boundary.token("desk", { sub: "eve", sid: "eves" });
    await call(token);
    await stopDesk(boundary).lock(`user:${boundary.provider.issuer}#eve`);
    const asked = boundary.provider.hits.introspection;
    boundary.pass(BOUND_MS);
    expect((await call(token)).error?.code).toBe("locked");
    expect(boundary.provider.hits.introspection).toBe(asked);
  });

  verifies("revocation.sessions", "is over, also while the provider thinks about it", async () => {
    const claims = { sub: "grace", sid: "hers" };
    await call(await boundary.token("desk", claims));
    const session = await idOf("grace");
    const released = Promise.withResolvers<void>();
    const asked = boundary.provider.next("introspection");
    boundary.provider.on.introspection = async (_req, res) => {
      await released.promise;
      json(res, 200, { active: true });
    };
    boundary.api.seen.length = 0;
    const coming = call(await boundary.token("desk", { ...claims, jti: "another" }));
    await asked;
    await stopDesk(boundary).kill(session);
    released.resolve();
    expect((await coming).status).toBe(401);
    expect(boundary.api.seen).toEqual([]);
    boundary.provider.behave();
  });
});

describe("a token that is probed for", () => {
  verifies(
    "ledger.intent-first",
    "is thrown away: what is used comes after the intent",
    async () => {
      const { liveness } = SOURCES.exchange;
      const boundary = await openBoundary({ issuer: { liveness } });
      const issued: string[] = [];
      const honest = boundary.provider.sign.bind(boundary.provider);
      boundary.provider.sign = async (...given) => {
        const token = await honest(...given);
        issued.push(token);
        return token;
      };
      const token = await boundary.token("desk");
      await callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_get", { id: "7" });
      const [, probe, used] = issued;
      expect(issued).toHaveLength(3);
      const [seen] = boundary.api.seen;
      expect(seen?.headers["authorization"]).toBe(`Bearer ${used}`);
      expect(seen?.headers["authorization"]).not.toContain(probe);
      await boundary.close();
    },
  );
});

describe("revoking a dropped token upstream", () => {
  const FAILS: Readonly<Record<string, Behaviour>> = {
    "500": reply(500, "{}"),
    HTML: reply(200, "<html></html>", "text/html"),
    "that it cannot": reply(400, '{"error":"unsupported_token_type"}'),
    "half an answer": breaksOff,
    "an empty body": reply(200, ""),
    "a list": reply(200, "[]"),
    nothing: never,
  };
  for (const [what, behaviour] of Object.entries(FAILS)) {
    verifies(
      ["bad-input.provider", "revocation.tokens"],
      `answered with ${what} keeps no lock from holding`,
      async () => {
        const boundary = await openBoundary({ file: { delegation: { reuse_ms_max: 5000 } } });
        const token = await boundary.token("desk");
        const call = () =>
          callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_get", { id: "7" });
        await call();
        boundary.provider.on.revocation = behaviour;
        const asked = boundary.provider.next("revocation");
        await stopDesk(boundary).lock("all");
        await asked;
        expect((await call()).error?.code).toBe("locked");
        // Forgotten here, whatever became of it there.
        await stopDesk(boundary).unlock("all");
        await call();
        expect(boundary.provider.hits.token).toBe(2);
        expect(boundary.fatal).toEqual([]);
        await boundary.close();
      },
    );
  }

  verifies("revocation.tokens", "is tried for who is out by the provider's own word", async () => {
    const { liveness, out } = SOURCES.introspection;
    const boundary = await openBoundary({
      issuer: { liveness },
      file: { delegation: { reuse_ms_max: 5000 } },
    });
    const { provider, api } = boundary;
    const tokens = [await boundary.token("desk"), await boundary.token("desk", { sub: "bob" })];
    const call = (token = "") =>
      callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_get", { id: "7" });
    for (const token of tokens) await call(token);
    provider.on.introspection = out;
    const revoked = provider.next("revocation");
    boundary.pass(BOUND_MS);
    expect((await call(tokens[0])).status).toBe(401);
    const form = await revoked;
    expect(api.seen[0]?.headers["authorization"]).toBe(`Bearer ${form.get("token")}`);
    // Asked again and again, he is out once; nobody has asked about the other.
    boundary.pass(501);
    expect((await call(tokens[0])).status).toBe(401);
    expect(provider.hits.revocation).toBe(1);
    await boundary.close();
  });

  verifies("revocation.tokens", "is not tried where the provider has no endpoint", async () => {
    const boundary = await openBoundary({ file: { delegation: { reuse_ms_max: 5000 } } });
    boundary.provider.on.discovery = (_req, res) =>
      json(res, 200, { ...discovery(boundary.provider), revocation_endpoint: undefined });
    const bearer = `Bearer ${await boundary.token("desk")}`;
    await callTool(`${boundary.url}/mcp/desk`, bearer, "item_get", { id: "7" });
    await stopDesk(boundary).lock("all");
    expect(boundary.provider.hits.revocation).toBe(0);
    await boundary.close();
  });
});
