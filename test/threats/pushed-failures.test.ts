// What providers push, while something about it fails: the sender's keys, or the message itself.
// Each cell is a right answer or "send it again", and nobody is ended, or kept in, unverified.
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, vi } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { json, newKey, nowS } from "../setup/hostile-provider.ts";
import type { Behaviour, Claims, SigningKey } from "../setup/hostile-provider.ts";
import { callTool } from "../setup/mcp-post.ts";
import { STACK } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

const LOGOUT = "http://schemas.openid.net/event/backchannel-logout";
const REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
const AUDIENCE = "https://doors.test/events/ssf";
const FORM = "application/x-www-form-urlencoded";
const SET = "application/secevent+jwt";

const ISSUER = {
  liveness: { source: "events", accepted: true },
  events: {
    backchannel_logout: { client_id: "doorless" },
    shared_signals: { audience: AUDIENCE },
  },
};

let boundary: Boundary;

beforeAll(async () => {
  boundary = await openBoundary({ issuer: ISSUER });
});

afterEach(async () => {
  boundary.provider.behave();
  await boundary.provider.up();
});

afterAll(async () => {
  await boundary.close();
  vi.useRealTimers();
});

interface Channel {
  /** The HTTP status that says: it holds. */
  readonly taken: number;
  readonly message: (sub: string, changes?: Claims, key?: SigningKey) => Promise<string>;
  readonly send: (message: string, type?: string, to?: Boundary) => Promise<Response>;
}

function post(path: string, type: string, body: string, to = boundary): Promise<Response> {
  const init = { method: "POST", headers: { "content-type": type }, body };
  return fetch(`${to.url}/events/${path}`, init);
}

const aboutNow = (aud: string): Claims => {
  return { iss: boundary.provider.issuer, aud, iat: nowS(), jti: randomUUID() };
};

const CHANNELS: Readonly<Record<string, Channel>> = {
  "back-channel logout": {
    taken: 200,
    message: (sub, changes = {}, key = boundary.provider.key) => {
      const claims = { ...aboutNow("doorless"), exp: nowS() + 120, sub, events: { [LOGOUT]: {} } };
      return boundary.provider.sign({ ...claims, ...changes }, { typ: "logout+jwt" }, key);
    },
    send: (message, type = FORM, to = boundary) => {
      const body = type === FORM ? String(new URLSearchParams({ logout_token: message })) : message;
      return post("backchannel-logout", type, body, to);
    },
  },
  "shared signals": {
    taken: 202,
    message: (sub, changes = {}, key = boundary.provider.key) => {
      const sub_id = { format: "iss_sub", iss: boundary.provider.issuer, sub };
      const claims = { ...aboutNow(AUDIENCE), sub_id, events: { [REVOKED]: {} } };
      return boundary.provider.sign({ ...claims, ...changes }, { typ: "secevent+jwt" }, key);
    },
    send: (message, type = SET, to = boundary) => post("ssf", type, message, to),
  },
};

let people = 0;

async function someone() {
  const sub = `person-${++people}`;
  const token = await boundary.token("desk", { sub, sid: `of-${sub}` });
  const call = () =>
    callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_get", { id: "7" });
  expect((await call()).error).toBeUndefined();
  return { sub, isIn: async () => (await call()).status === 200 };
}

let ahead_s = 0;

/** The wall clock moves on: what was fetched may be asked for again. */
function later(seconds: number): void {
  ahead_s += seconds;
  vi.useRealTimers();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ahead_s * 1000 });
}

/** From now on the provider signs events with a key that nobody has fetched yet. */
async function rotated(): Promise<SigningKey> {
  const { provider } = boundary;
  const next = await newKey(`key-${randomUUID()}`);
  provider.jwks = { keys: [provider.key.jwk, next.jwk] };
  later(6);
  return next;
}

const reply =
  (status: number, body: string, type = "application/json"): Behaviour =>
  (_req, res) =>
    res.writeHead(status, { "content-type": type }).end(body);

const KEYS: Readonly<Record<string, Behaviour | "down">> = {
  "at a provider that is down": "down",
  "as 500": reply(500, "{}"),
  "as a page": reply(200, "<html>Sign in</html>", "text/html"),
  "as an empty body": reply(200, ""),
  "as half a document": reply(200, '{"keys":['),
  "as a list": reply(200, "[]"),
  "as a document without keys": reply(200, "{}"),
  "that break off": (_req, res) => {
    res.writeHead(200, { "content-type": "application/json", "content-length": "900" });
    res.write('{"keys":[');
    res.destroy();
  },
};

const MESSAGES: Readonly<Record<string, (token: string) => [message: string, type?: string]>> = {
  "that is empty": () => [""],
  "that is a page": () => ["<html>Bad gateway</html>"],
  "that lost its end": (token) => [token.slice(0, -20)],
  "that lost its signature": (token) => [token.slice(0, token.lastIndexOf(".") + 1)],
  "that lost its beginning": (token) => [token.slice(20)],
  "of another media type": (token) => [token, "application/jwt"],
  "as JSON": (token) => [JSON.stringify({ logout_token: token }), "application/json"],
};

for (const [name, { taken, message, send }] of Object.entries(CHANNELS)) {
  async function expectToComeAgain(sent: Promise<Response>): Promise<void> {
    const answer = await sent;
    expect(answer.status).toBe(503);
    expect(await answer.text()).not.toMatch(STACK);
  }

  describe(name, () => {
    for (const [what, behaviour] of Object.entries(KEYS)) {
      verifies(
        ["revocation.pushed", "bad-input.provider"],
        `whose sender's keys come ${what} is to be sent again`,
        async () => {
          const one = await someone();
          const token = await message(one.sub, {}, await rotated());
          if (behaviour === "down") await boundary.provider.down();
          else boundary.provider.on.jwks = behaviour;
          await expectToComeAgain(send(token));
          boundary.provider.on = {};
          await boundary.provider.up();
          // Nothing was believed meanwhile; sent again, it is verified, and holds.
          expect(await one.isIn()).toBe(true);
          expect((await send(token)).status).toBe(taken);
          expect(await one.isIn()).toBe(false);
        },
      );
    }

    for (const [what, spoil] of Object.entries(MESSAGES)) {
      verifies("revocation.pushed", `${what} is refused, and ends nothing`, async () => {
        const one = await someone();
        const answer = await send(...spoil(await message(one.sub)));
        expect(answer.status).toBe(400);
        expect(await answer.text()).not.toMatch(STACK);
        expect(await one.isIn()).toBe(true);
      });
    }

    verifies(
      ["revocation.pushed", "bad-input.provider"],
      "signed with a key of this very moment is to be sent again",
      async () => {
        const one = await someone();
        await rotated();
        // The keys are fetched for this one, and it is not among them.
        expect((await send(await message(one.sub, {}, await newKey("key-none")))).status).toBe(400);
        const next = await newKey(`key-${randomUUID()}`);
        boundary.provider.jwks = { keys: [boundary.provider.key.jwk, next.jwk] };
        const token = await message(one.sub, {}, next);
        await expectToComeAgain(send(token));
        later(6);
        expect((await send(token)).status).toBe(taken);
        expect(await one.isIn()).toBe(false);
      },
    );

    verifies(
      ["revocation.pushed", "bad-input.provider"],
      "signed with a key that was withdrawn is refused",
      async () => {
        const one = await someone();
        const old = await rotated();
        const token = await message(one.sub, {}, old);
        boundary.provider.jwks = { keys: [boundary.provider.key.jwk] };
        later(301);
        const again = await someone();
        later(6);
        expect((await send(await message(again.sub, {}, old))).status).toBe(400);
        later(6);
        expect((await send(token)).status).toBe(400);
        expect(await again.isIn()).toBe(true);
      },
    );

    verifies("revocation.pushed", "that is old ends nothing that began later", async () => {
      const one = await someone();
      const stale = { iat: nowS() - 60 };
      expect((await send(await message(one.sub, stale))).status).toBe(taken);
      expect(await one.isIn()).toBe(true);
    });

    verifies(
      ["revocation.pushed", "bad-input.provider"],
      "from a sender that flaps holds each time that it verifies",
      async () => {
        for (let round = 0; round < 6; round++) {
          const one = await someone();
          const token = await message(one.sub, {}, await rotated());
          const isUp = round % 2 === 1;
          boundary.provider.on = isUp ? {} : { jwks: reply(502, "bad gateway", "text/plain") };
          const { status } = await send(token);
          boundary.provider.on = {};
          expect([status, await one.isIn()]).toEqual(isUp ? [taken, false] : [503, true]);
        }
      },
    );
  });
}

verifies(
  ["revocation.pushed", "bad-input.provider"],
  "a sender whose keys never come is given up, and is to send again, by either way",
  async () => {
    const [one, next] = [await someone(), await rotated()];
    boundary.provider.on.jwks = () => undefined;
    const sent = Object.values(CHANNELS).map(async ({ message, send }) =>
      send(await message(one.sub, {}, next)),
    );
    expect((await Promise.all(sent)).map(({ status }) => status)).toEqual([503, 503]);
    boundary.provider.on = {};
    expect(await one.isIn()).toBe(true);
  },
  { timeout_ms: 30_000 },
);

verifies(
  ["revocation.pushed", "bad-input.provider"],
  "a doorless that never reached the provider asks for an event again",
  async () => {
    const fresh = await openBoundary({ issuer: ISSUER });
    try {
      fresh.provider.on.discovery = (_req, res) => json(res, 500, {});
      for (const { message, send } of Object.values(CHANNELS)) {
        const claims = { iss: fresh.provider.issuer };
        const token = await message("ada", claims, fresh.provider.key);
        expect((await send(token, undefined, fresh)).status).toBe(503);
      }
    } finally {
      await fresh.close();
    }
  },
);
