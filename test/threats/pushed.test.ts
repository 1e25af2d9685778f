// What providers push: a logout token and a security event end what they name, forged ones nothing.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { newKey, nowS } from "../setup/hostile-provider.ts";
import type { Claims } from "../setup/hostile-provider.ts";
import { callTool } from "../setup/mcp-post.ts";
import { STACK } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

const LOGOUT = "http://schemas.openid.net/event/backchannel-logout";
const CAEP = "https://schemas.openid.net/secevent/caep/event-type";
const RISC = "https://schemas.openid.net/secevent/risc/event-type";
const AUDIENCE = "https://doors.test/events/ssf";
const SHOWN = "Bearer the-transmitters-own-secret";

let boundary: Boundary;

beforeAll(async () => {
  boundary = await openBoundary({
    issuer: {
      liveness: { source: "events", accepted: true },
      events: {
        backchannel_logout: { client_id: "doorless" },
        shared_signals: { audience: AUDIENCE, authorization: "env:SIGNALS" },
      },
    },
    environment: { SIGNALS: SHOWN },
  });
});

beforeEach(async () => {
  boundary.provider.behave();
  await boundary.provider.up();
  await boundary.api.behave();
});

afterAll(() => boundary.close());

let people = 0;

/** Somebody who comes in, until somebody says that she may not. */
async function someone(changes: Claims = {}) {
  const sub = `person-${++people}`;
  const sid = `sign-in-of-${sub}`;
  const token = await boundary.token("desk", { sub, sid, ...changes });
  const call = () =>
    callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_get", { id: "7" });
  expect((await call()).error).toBeUndefined();
  return { sub, sid, isIn: async () => (await call()).status === 200 };
}

function push(path: string, type: string, body: string, headers: Record<string, string> = {}) {
  const init = { method: "POST", headers: { "content-type": type, ...headers }, body };
  return fetch(`${boundary.url}/events/${path}`, init);
}

const FORM = "application/x-www-form-urlencoded";
const SET = "application/secevent+jwt";

const logout = (token: string) =>
  push("backchannel-logout", FORM, new URLSearchParams({ logout_token: token }).toString());

const signal = (token: string, authorization = SHOWN) => push("ssf", SET, token, { authorization });

function logoutToken(claims: Claims, header: Claims = {}, key = boundary.provider.key) {
  const { issuer } = boundary.provider;
  const body = { iss: issuer, aud: "doorless", iat: nowS(), exp: nowS() + 120, jti: randomUUID() };
  const whole = { ...body, events: { [LOGOUT]: {} }, ...claims };
  return boundary.provider.sign(whole, { typ: "logout+jwt", ...header }, key);
}

function securityEvent(claims: Claims, header: Claims = {}, key = boundary.provider.key) {
  const { issuer } = boundary.provider;
  const body = { iss: issuer, aud: AUDIENCE, iat: nowS(), jti: randomUUID() };
  return boundary.provider.sign({ ...body, ...claims }, { typ: "secevent+jwt", ...header }, key);
}

const issSub = (sub: string) => ({ format: "iss_sub", iss: boundary.provider.issuer, sub });

describe("a logout token", () => {
  verifies("revocation.pushed", "that names a person ends what she had, and no more", async () => {
    const [hers, others] = [await someone(), await someone()];
    const answer = await logout(await logoutToken({ sub: hers.sub }));
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cache-control")).toContain("no-store");
    expect([await hers.isIn(), await others.isIn()]).toEqual([false, true]);
    // Signed in again a second later, she is in.
    const again = { sub: hers.sub, iat: nowS() + 2 };
    const token = await boundary.token("desk", again);
    const url = `${boundary.url}/mcp/desk`;
    const called = await callTool(url, `Bearer ${token}`, "item_get", { id: "7" });
    expect(called.error).toBeUndefined();
    const event = boundary.ledger().findLast(({ event: name }) => name === "revoked");
    expect(event).toMatchObject({ detail: { subject: hers.sub, event: "backchannel-logout" } });
  });

  verifies("revocation.pushed", "that names a sign-in alone ends just that", async () => {
    const [first, second] = [await someone(), await someone()];
    expect((await logout(await logoutToken({ sid: first.sid }))).status).toBe(200);
    expect([await first.isIn(), await second.isIn()]).toEqual([false, true]);
  });

  const bad: Readonly<Record<string, (sub: string) => Promise<string>>> = {
    "of another type": (sub) => logoutToken({ sub }, { typ: "at+jwt" }),
    "of no type": (sub) => logoutToken({ sub }, { typ: undefined }),
    "for another client": (sub) => logoutToken({ sub, aud: "somebody-else" }),
    "of another issuer": (sub) => logoutToken({ sub, iss: "https://elsewhere.test" }),
    "by another key": async (sub) => logoutToken({ sub }, {}, await newKey("key-1")),
    "with a nonce": (sub) => logoutToken({ sub, nonce: "n" }),
    "without its event": (sub) => logoutToken({ sub, events: {} }),
    "with an event that is no object": (sub) => logoutToken({ sub, events: { [LOGOUT]: true } }),
    "without iat": (sub) => logoutToken({ sub, iat: undefined }),
    "of the future": (sub) => logoutToken({ sub, iat: nowS() + 3600, exp: nowS() + 7200 }),
    "that expired": (sub) => logoutToken({ sub, iat: nowS() - 300, exp: nowS() - 100 }),
    "without jti": (sub) => logoutToken({ sub, jti: undefined }),
    "that names nobody": () => logoutToken({}),
    "that is no token": async () => "nonsense",
  };
  for (const [what, forge] of Object.entries(bad)) {
    verifies("revocation.pushed", `${what} is refused, and ends nothing`, async () => {
      const one = await someone();
      const answer = await logout(await forge(one.sub));
      expect(answer.status).toBe(400);
      const text = await answer.text();
      expect(JSON.parse(text)).toMatchObject({ error: "invalid_request" });
      expect(text).not.toMatch(STACK);
      expect(await one.isIn()).toBe(true);
    });
  }

  verifies("revocation.pushed", "elsewhere than alone in a form is refused", async () => {
    const one = await someone();
    const token = await logoutToken({ sub: one.sub });
    const twice = `logout_token=${token}&logout_token=${token}`;
    const posts = [
      push("backchannel-logout", FORM, ""),
      push("backchannel-logout", FORM, twice),
      push("backchannel-logout", "application/json", JSON.stringify({ logout_token: token })),
      push(`backchannel-logout?logout_token=${token}`, FORM, ""),
    ];
    for (const answer of await Promise.all(posts)) expect(answer.status).toBe(400);
    expect((await fetch(`${boundary.url}/events/backchannel-logout`)).status).toBe(405);
    const huge = await push("backchannel-logout", FORM, "x".repeat(70_000));
    expect(huge.status).toBe(413);
    expect(await one.isIn()).toBe(true);
  });

  verifies("revocation.pushed", "that nobody can verify just now is to be sent again", async () => {
    const fresh = await openBoundary({
      issuer: { events: { backchannel_logout: { client_id: "doorless" } } },
    });
    fresh.provider.on.jwks = (_req, res) => res.writeHead(500).end();
    const body = { iss: fresh.provider.issuer, aud: "doorless", iat: nowS(), jti: "1", sub: "ada" };
    const events = { [LOGOUT]: {} };
    const token = await fresh.provider.sign({ ...body, events }, { typ: "logout+jwt" });
    const form = new URLSearchParams({ logout_token: token }).toString();
    const init = { method: "POST", headers: { "content-type": FORM }, body: form };
    const answer = await fetch(`${fresh.url}/events/backchannel-logout`, init);
    expect(answer.status).toBe(503);
    // Nobody sends security events there: the door does not exist.
    const none = await fetch(`${fresh.url}/events/ssf`, {
      ...init,
      headers: { "content-type": SET },
    });
    expect(none.status).toBe(404);
    await fresh.close();
  });
});

describe("a security event", () => {
  const ending = [
    `${CAEP}/session-revoked`,
    `${CAEP}/credential-change`,
    `${RISC}/account-disabled`,
  ];
  for (const uri of ending) {
    const name = uri.slice(uri.lastIndexOf("/") + 1);
    verifies("revocation.pushed", `${name} ends what its subject had`, async () => {
      const [hers, others] = [await someone(), await someone()];
      const sent = await signal(
        await securityEvent({ sub_id: issSub(hers.sub), events: { [uri]: {} } }),
      );
      expect([sent.status, await sent.text()]).toEqual([202, ""]);
      expect([await hers.isIn(), await others.isIn()]).toEqual([false, true]);
    });
  }

  const uri = `${CAEP}/session-revoked`;
  verifies("revocation.pushed", "names its subject in each of the ways that we know", async () => {
    const ways: readonly ((one: { sub: string; sid: string }) => Claims)[] = [
      ({ sub }) => ({ sub_id: { format: "opaque", id: sub }, events: { [uri]: {} } }),
      ({ sub }) => ({ events: { [uri]: { subject: issSub(sub) } } }),
      ({ sub }) => ({ sub_id: { format: "complex", user: issSub(sub) }, events: { [uri]: {} } }),
      ({ sid }) => ({
        sub_id: { format: "complex", session: { format: "opaque", id: sid } },
        events: { [uri]: {} },
      }),
    ];
    for (const way of ways) {
      const one = await someone();
      expect((await signal(await securityEvent(way(one)))).status).toBe(202);
      expect(await one.isIn()).toBe(false);
    }
  });

  verifies("revocation.pushed", "about something else is taken, and changes nothing", async () => {
    const one = await someone();
    const verification = "https://schemas.openid.net/secevent/ssf/event-type/verification";
    for (const other of [verification, `${CAEP}/device-compliance-change`]) {
      const token = await securityEvent({ sub_id: issSub(one.sub), events: { [other]: {} } });
      expect((await signal(token)).status).toBe(202);
    }
    expect(await one.isIn()).toBe(true);
  });

  const bad: Readonly<Record<string, [err: string, forge: (sub: string) => Promise<string>]>> = {
    "for another receiver": [
      "invalid_audience",
      (sub) => event(sub, { aud: "https://elsewhere.test" }),
    ],
    "of another issuer": ["invalid_issuer", (sub) => event(sub, { iss: "https://elsewhere.test" })],
    "by another key": [
      "invalid_key",
      async (sub) => securityEvent(eventOf(sub), {}, await newKey("key-1")),
    ],
    "of another type": ["invalid_request", (sub) => securityEvent(eventOf(sub), { typ: "at+jwt" })],
    "of the future": ["invalid_request", (sub) => event(sub, { iat: nowS() + 3600 })],
    "without iat": ["invalid_request", (sub) => event(sub, { iat: undefined })],
    "without events": ["invalid_request", (sub) => event(sub, { events: undefined })],
    "about a subject elsewhere": [
      "invalid_request",
      (sub) => event(sub, { sub_id: { format: "iss_sub", iss: "https://b.test", sub } }),
    ],
    "about an e-mail address": [
      "invalid_request",
      (sub) => event(sub, { sub_id: { format: "email", email: `${sub}@acme.test` } }),
    ],
    "about nobody": ["invalid_request", (sub) => event(sub, { sub_id: undefined })],
  };
  const eventOf = (sub: string): Claims => ({ sub_id: issSub(sub), events: { [uri]: {} } });
  const event = (sub: string, changes: Claims): Promise<string> =>
    securityEvent({ ...eventOf(sub), ...changes });
  for (const [what, [err, forge]] of Object.entries(bad)) {
    verifies("revocation.pushed", `${what} is refused as ${err}, and ends nothing`, async () => {
      const one = await someone();
      const answer = await signal(await forge(one.sub));
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ err });
      expect(await one.isIn()).toBe(true);
    });
  }

  verifies("revocation.pushed", "without the transmitter's secret is refused", async () => {
    const one = await someone();
    const token = await event(one.sub, {});
    for (const shown of ["", "Bearer x", SHOWN.toUpperCase()]) {
      const answer = await signal(token, shown);
      expect(await answer.json()).toMatchObject({ err: "authentication_failed" });
    }
    const asForm = await push("ssf", FORM, token, { authorization: SHOWN });
    expect(asForm.status).toBe(400);
    expect(await one.isIn()).toBe(true);
    expect((await signal(token)).status).toBe(202);
    expect(await one.isIn()).toBe(false);
  });

  verifies("revocation.pushed", "counts whole seconds, whatever it and the token say", async () => {
    const iat = nowS() + 0.75;
    const one = await someone({ iat: iat + 0.125 });
    expect((await signal(await event(one.sub, { iat }))).status).toBe(202);
    expect(await one.isIn()).toBe(false);
  });

  verifies("revocation.pushed", "sent twice, or late, ends no more than it did", async () => {
    const one = await someone();
    const token = await event(one.sub, { iat: nowS() - 3600 });
    expect((await signal(token)).status).toBe(202);
    // It was issued before her token was: that one is of a later sign-in.
    expect(await one.isIn()).toBe(true);
    const now = await event(one.sub, {});
    await signal(now);
    expect(await one.isIn()).toBe(false);
    expect((await signal(now)).status).toBe(202);
  });
});

verifies("revocation.running", "a running call hears of a pushed event at once", async () => {
  const sub = "runner";
  const arrived = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  boundary.api.answer = async (res) => {
    arrived.resolve();
    await released.promise;
    res.destroy();
  };
  const bearer = `Bearer ${await boundary.token("desk", { sub })}`;
  const running = callTool(`${boundary.url}/mcp/desk`, bearer, "item_get", { id: "7" });
  await arrived.promise;
  await logout(await logoutToken({ sub }));
  expect((await running).error).toMatchObject({
    code: "access_revoked",
    effect: "none",
    retry: "after_user_action",
    who_can_fix: "user",
  });
  released.resolve();
});
