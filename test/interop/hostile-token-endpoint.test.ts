// Token exchange at a provider that refuses, fails or answers with somebody else's token: the call
// fails with its own error, nothing is sent to the API, and both halves of the record exist.
import { afterAll, beforeAll, beforeEach, describe, expect, vi } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { json, newKey, nowS } from "../setup/hostile-provider.ts";
import type { Behaviour, Claims } from "../setup/hostile-provider.ts";
import { flood, FLOOD_TAKEN_MAX, flooded, openPeer } from "../setup/hostile-peer.ts";
import type { Peer } from "../setup/hostile-peer.ts";
import { callTool } from "../setup/mcp-post.ts";
import type { Called } from "../setup/mcp-post.ts";
import { expectNoEcho, STACK } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

let boundary: Boundary;
let attacker: Peer;
let attacker_hits = 0;
let token: string;

beforeAll(async () => {
  boundary = await openBoundary();
  attacker = await openPeer();
  attacker.serve((_req, res) => {
    attacker_hits++;
    json(res, 200, {});
  });
  token = await boundary.token("desk");
});

beforeEach(async () => {
  vi.useRealTimers();
  boundary.provider.behave();
  await boundary.provider.up();
  await boundary.api.behave();
});

afterAll(async () => {
  await attacker.close();
  await boundary.close();
});

const TOOL = "item_rename";
const call = (): Promise<Called> =>
  callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, TOOL, { id: "7", name: "x" });

/** What the token endpoint does, and the one error that it must become. */
interface Case {
  readonly code: string;
  readonly issue?: () => Promise<Boundary["provider"]["issue"]> | Boundary["provider"]["issue"];
  readonly token?: Behaviour;
  readonly setUp?: () => Promise<void> | void;
}

const claims = (code: string, changes: () => Claims): Case => ({
  code,
  issue: () => ({ claims: changes() }),
});

const answer = (code: string, changes: () => Claims | Promise<Claims>): Case => ({
  code,
  issue: async () => ({ answer: await changes() }),
});

const reply = (code: string, status: number, body: unknown, headers: Claims = {}): Case => ({
  code,
  token: (_req, res) => {
    res.writeHead(status, { "content-type": "application/json", ...(headers as object) });
    res.end(typeof body === "string" ? body : JSON.stringify(body));
  },
});

const error = (code: string, said: string, status = 400): Case =>
  reply(code, status, { error: said, error_description: "at /srv/idp/exchange.js:12:34 secret" });

const MISMATCH = "identity_mismatch";
const REFUSED = "delegation_refused";
const UNAVAILABLE = "delegation_unavailable";
const api = "https://api.test/shop";
const ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token";

const WRONG_TOKEN: Readonly<Record<string, Case>> = {
  "another user's": claims(MISMATCH, () => ({ sub: "bob" })),
  "a user's whose name differs in case": claims(MISMATCH, () => ({ sub: "Ada" })),
  "nobody's": claims(MISMATCH, () => ({ sub: undefined })),
  "a client's own": claims(MISMATCH, () => ({ sub: "ada", client_id: "ada" })),
  "doorless's own": claims(MISMATCH, () => ({ sub: "doorless" })),
  "one of client credentials": claims(MISMATCH, () => ({ gty: "client-credentials" })),
  "one for another API": claims(MISMATCH, () => ({ aud: "https://api.test/other" })),
  "one for two APIs": claims(MISMATCH, () => ({ aud: [api, "https://api.test/other"] })),
  "one for nobody": claims(MISMATCH, () => ({ aud: undefined })),
  "one for the agent": claims(MISMATCH, () => ({ aud: `${boundary.url}/mcp/desk` })),
  "one with more scope": claims(MISMATCH, () => ({ scope: "items:write admin" })),
  "one with less scope": claims(REFUSED, () => ({ scope: "" })),
  "one with another scope": claims(MISMATCH, () => ({ scope: "items:read" })),
  "one that expired": claims(MISMATCH, () => ({ exp: nowS() - 60 })),
  "one without an end": claims(MISMATCH, () => ({ exp: undefined })),
  "one not valid yet": claims(MISMATCH, () => ({ nbf: nowS() + 600 })),
  "another issuer's": claims(MISMATCH, () => ({ iss: "https://elsewhere.test" })),
  "an opaque one": answer(MISMATCH, () => ({ access_token: "opaque-garbage" })),
  "an unsigned one": answer(MISMATCH, () => ({ access_token: "e30.e30." })),
  "one of a stranger's key": answer(MISMATCH, async () => ({
    access_token: await boundary.provider.sign(
      { iss: boundary.provider.issuer, sub: "ada", aud: api, exp: nowS() + 60 },
      {},
      await newKey("key-1"),
    ),
  })),
  "the one we sent, passed back": answer(MISMATCH, () => ({ access_token: token })),
  "one without issued_token_type": answer(MISMATCH, () => ({ issued_token_type: undefined })),
  "one with an id token's nonce": claims(MISMATCH, () => ({ nonce: "n" })),
  "one with a logout token's events": claims(MISMATCH, () => ({ events: {} })),
  "one that is no access token by its type": {
    code: MISMATCH,
    issue: () => ({ header: { typ: "JWT" } }),
  },
  "an id token": answer(MISMATCH, () => ({ issued_token_type: ID_TOKEN })),
};

const WRONG_ANSWER: Readonly<Record<string, Case>> = {
  invalid_grant: error("reauth_required", "invalid_grant"),
  invalid_client: error(REFUSED, "invalid_client", 401),
  "invalid_client with a challenge": reply(REFUSED, 401, "", { "www-authenticate": "Basic" }),
  invalid_target: error(REFUSED, "invalid_target"),
  invalid_scope: error(REFUSED, "invalid_scope"),
  unauthorized_client: error(REFUSED, "unauthorized_client"),
  "an error with markup for a code": error(REFUSED, "<script>alert(1)</script>"),
  "500": reply(UNAVAILABLE, 500, "<h1>at /srv/idp/server.js:1:1</h1>"),
  "503": reply(UNAVAILABLE, 503, {}),
  "HTML with 200": reply(UNAVAILABLE, 200, "<html>", { "content-type": "text/html" }),
  "an empty body": reply(UNAVAILABLE, 200, ""),
  "half an answer": reply(UNAVAILABLE, 200, '{"access_token":"'),
  "a list": reply(UNAVAILABLE, 200, []),
  "an empty object": reply(UNAVAILABLE, 200, {}),
  "no token": answer(UNAVAILABLE, () => ({ access_token: undefined })),
  "a token that is no string": answer(UNAVAILABLE, () => ({ access_token: { a: 1 } })),
  "a redirect to the attacker": {
    code: UNAVAILABLE,
    token: (_req, res) => res.writeHead(307, { location: `${attacker.origin}/token` }).end(),
  },
  "100 MB": {
    code: UNAVAILABLE,
    token: (_req, res) => {
      res.writeHead(200, { "content-type": "application/json", "content-length": 100_000_000 });
      flood(res);
    },
  },
  "half, and then nothing but a reset": {
    code: UNAVAILABLE,
    token: (_req, res) => {
      res.writeHead(200, { "content-type": "application/json", "content-length": 500 });
      res.write('{"access_token":');
      res.socket?.resetAndDestroy();
    },
  },
  "a refused connection": { code: UNAVAILABLE, setUp: () => boundary.provider.down() },
};

async function expectFailure(failing: Case): Promise<Called> {
  await failing.setUp?.();
  boundary.provider.issue = (await failing.issue?.()) ?? {};
  if (failing.token !== undefined) boundary.provider.on.token = failing.token;
  const before = flooded();
  const called = await call();
  expect(flooded() - before).toBeLessThan(FLOOD_TAKEN_MAX);
  expect(called.status).toBe(200);
  expect(called.error).toMatchObject({ code: failing.code, effect: "none" });
  expect(boundary.api.seen).toEqual([]);
  expect(attacker_hits).toBe(0);
  const halves = boundary.ledger().filter(({ call_id }) => call_id === called.call_id);
  expect(halves).toMatchObject([
    { kind: "intent", tool: TOOL, subject: "ada", target: "item:7" },
    { kind: "outcome", outcome: "auth_failed", effect: "none", error_code: failing.code },
  ]);
  expect(halves[1]).toMatchObject({ downstream: [], result: null });
  return called;
}

function expectNoLeak({ text }: Called): void {
  expect(text).not.toMatch(STACK);
  expect(text).not.toMatch(/srv|secret|script|opaque|<h1>|elsewhere/);
  expectNoEcho(token, text, boundary.logged(), JSON.stringify(boundary.ledger()));
}

describe("the provider issues", () => {
  for (const [what, failing] of Object.entries(WRONG_TOKEN)) {
    verifies(["identity.exchange-checked", "errors.effect"], `${what}: not used`, async () => {
      expectNoLeak(await expectFailure(failing));
    });
  }

  verifies("identity.exchange-checked", "the right token: used, and it alone", async () => {
    const { result } = await call();
    expect(result).toEqual({ id: "7", name: "a lamp" });
    const [seen] = boundary.api.seen;
    expect(seen?.headers.authorization).toMatch(/^Bearer eyJ/);
    expect(seen?.headers.authorization).not.toContain(token);
    const form = boundary.provider.forms.at(-1);
    expect(form?.get("subject_token")).toBe(token);
    expect(form?.get("resource")).toBe(api);
    expect(form?.get("scope")).toBe("items:write");
  });
});

describe("the provider answers", () => {
  for (const [what, failing] of Object.entries(WRONG_ANSWER)) {
    verifies(
      ["identity.fails-without-user", "bad-input.provider", "errors.no-leak"],
      `${what}: the call fails, says so, and works again afterwards`,
      async () => {
        expectNoLeak(await expectFailure(failing));
        boundary.provider.behave();
        await boundary.provider.up();
        expect((await call()).result).toEqual({ id: "7", name: "a lamp" });
      },
    );
  }

  verifies("identity.fails-without-user", "now and then: each call by itself", async () => {
    for (let round = 0; round < 6; round++) {
      const isUp = round % 2 === 1;
      boundary.provider.on = isUp ? {} : { token: (_req, res) => json(res, 502, {}) };
      expect((await call()).error?.code).toBe(isUp ? undefined : UNAVAILABLE);
    }
    expect(boundary.api.seen).toHaveLength(3);
  });

  verifies("identity.fails-without-user", "never: given up in bounded time", async () => {
    const began = performance.now();
    await expectFailure({ code: UNAVAILABLE, token: () => undefined });
    expect(performance.now() - began).toBeLessThan(15_000);
  });

  verifies("identity.fails-without-user", "nothing: no token of before is used", async () => {
    expect((await call()).result).toBeDefined();
    await boundary.api.behave();
    await expectFailure(error("reauth_required", "invalid_grant"));
    await expectFailure({ code: UNAVAILABLE, setUp: () => boundary.provider.down() });
  });

  verifies(
    "bad-input.provider",
    "no keys any more: nobody is accused of a wrong token",
    async () => {
      expect((await call()).result).toBeDefined();
      await boundary.api.behave();
      // The keys are too old, and who Ada is was verified a moment ago.
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 301_000 });
      boundary.provider.on.jwks = (_req, res) => json(res, 500, {});
      await expectFailure({ code: UNAVAILABLE });
      vi.useRealTimers();
    },
  );
});
