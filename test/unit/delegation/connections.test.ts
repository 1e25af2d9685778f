// A link while its refresh is under way, cut off, answered with nonsense, or taken away.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished } from "vitest";
import type { Credential } from "../../../src/kernel/principal.ts";
import { verifies } from "../../verifies.ts";
import { credentialOf } from "../../setup/going.ts";
import { openLinks, placeOfPerson, SCOPES } from "../../setup/links.ts";
import type { LinkChanges } from "../../setup/links.ts";
import { testFolder } from "../../setup/minimal.ts";
import { RotatingServer } from "../../setup/rotating-server.ts";
import type { Behaviour } from "../../setup/rotating-server.ts";
import { json } from "../../setup/hostile-provider.ts";

const place = placeOfPerson("ada");
const ada: Credential = credentialOf();

/** A link whose access token has just ended, so that the next call refreshes it. */
async function expired(changes: LinkChanges = {}) {
  const folder = testFolder();
  const server = await RotatingServer.open();
  let now_ms = Date.now();
  const clock = { now: () => now_ms, monotonic: () => performance.now() };
  const links = openLinks(folder, server.issuer, { clock, ...changes });
  onTestFinished(async () => {
    await links.close();
    await server.close();
  });
  const { access_token, refresh_token } = server.grant("ada");
  const about = { scopes: SCOPES, account: undefined, account_label: undefined };
  const granted = { access_token, refresh_token, lifetime_s: 60, ...about };
  await links.connections.connect(place, granted);
  server.lifetime_s = 60;
  const pass = (ms: number): void => void (now_ms += ms);
  pass(61_000);
  const token = () => links.connections.token(ada, "mail", SCOPES);
  const codeOf = async () => {
    const got = await token();
    return got.ok ? "ok" : got.refusal.code;
  };
  return { ...links, server, token, codeOf, pass, folder, refresh_token };
}

verifies("connections.refresh", "many callers share one refresh, and its result", async () => {
  const { token, server } = await expired();
  const got = await Promise.all(Array.from({ length: 20 }, token));
  const tokens = got.map((one) => (one.ok ? one.value.token.reveal() : one.refusal.code));
  expect(new Set(tokens).size).toBe(1);
  expect(server.accepts(tokens[0] ?? "")).toBe("ada");
  expect({ refreshes: server.refreshes, reuses: server.reuses }).toEqual({
    refreshes: 1,
    reuses: 0,
  });
});

verifies(
  "connections.disconnect",
  "a disconnect during a refresh stays, and what the refresh got is revoked upstream",
  async () => {
    const { codeOf, server, connections, vault } = await expired();
    const held = Promise.withResolvers<void>();
    server.gate = held.promise;
    const refreshing = codeOf();
    await until(async () => (await connections.look(place))?.state === "in_doubt");
    expect(await connections.disconnect(place, "the test")).toMatchObject({ was_connected: true });
    server.gate = undefined;
    held.resolve();
    expect(await refreshing).toBe("connection_required");
    expect(await vault.open(place)).toBeUndefined();
    expect(server.isLive("ada")).toBe(false);
    expect(await codeOf()).toBe("connection_required");
  },
);

verifies(
  "connections.doubt",
  "a refresh token whose answer was lost is asked about, and never sent again once it was used",
  async () => {
    const { codeOf, server } = await expired();
    // Rotated, and the answer never arrives.
    let sent = 0;
    server.on.token = async (_req, res) => {
      sent++;
      server.grant("ada");
      res.destroy();
    };
    expect(await codeOf()).toBe("delegation_unavailable");
    server.on.introspect = (_req, res) => json(res, 200, { active: false });
    expect(await codeOf()).toBe("connection_required");
    expect(await codeOf()).toBe("connection_required");
    expect(sent).toBe(1);
  },
);

verifies("connections.doubt", "one that the server still holds good is used, once", async () => {
  const { codeOf, server } = await expired();
  server.on.token = (_req, res) => void res.destroy();
  expect(await codeOf()).toBe("delegation_unavailable");
  // It cannot be asked: nothing is sent, and nothing is given up.
  server.on.introspect = (_req, res) => json(res, 500, {});
  server.on.token = () => expect.unreachable("sent while in doubt");
  expect(await codeOf()).toBe("delegation_unavailable");
  server.on = {};
  expect(await codeOf()).toBe("ok");
  expect(server.reuses).toBe(0);
});

verifies(
  "connections.doubt",
  "where the server forgives a repetition, it is repeated",
  async () => {
    const { codeOf, server } = await expired({ refresh: "grace" });
    server.on.token = (_req, res) => void res.destroy();
    expect(await codeOf()).toBe("delegation_unavailable");
    server.on = { introspect: () => expect.unreachable("asked for nothing") };
    expect(await codeOf()).toBe("ok");
  },
);

const text =
  (status: number, type: string, body: string): Behaviour =>
  (_req, res) => {
    res.writeHead(status, { "content-type": type });
    res.end(body);
  };
const granted =
  (changes: object): Behaviour =>
  (_req, res) =>
    json(res, 200, { access_token: "at", token_type: "Bearer", expires_in: 60, ...changes });

/** What the server says to a refresh; what the caller is told, then and once it behaves again. */
const MATRIX: readonly (readonly [string, Behaviour, string, string])[] = [
  ["500 in HTML", text(500, "text/html", "<h1>oops</h1>"), "delegation_unavailable", "ok"],
  ["503 without a word", text(503, "text/plain", ""), "delegation_unavailable", "ok"],
  ["429", (_q, s) => json(s, 429, { error: "slow_down" }), "delegation_unavailable", "ok"],
  ["404", text(404, "text/html", "nothing"), "delegation_unavailable", "ok"],
  [
    "a redirect",
    (_q, s) => void s.writeHead(302, { location: "/elsewhere" }).end(),
    "delegation_unavailable",
    "ok",
  ],
  ["200 in HTML", text(200, "text/html", "<h1>sign in</h1>"), "delegation_unavailable", "ok"],
  ["200 and nothing", text(200, "application/json", ""), "delegation_unavailable", "ok"],
  [
    "200 and half of it",
    text(200, "application/json", '{"access_token":"a'),
    "delegation_unavailable",
    "ok",
  ],
  ["200 and a number", text(200, "application/json", "7"), "delegation_unavailable", "ok"],
  ["no access token", granted({ access_token: undefined }), "delegation_unavailable", "ok"],
  ["an access token of a wrong type", granted({ access_token: 7 }), "delegation_unavailable", "ok"],
  ["no token type", granted({ token_type: undefined }), "delegation_unavailable", "ok"],
  ["a token of another kind", granted({ token_type: "mac" }), "delegation_unavailable", "ok"],
  ["a broken connection", (_q, s) => void s.destroy(), "delegation_unavailable", "ok"],
  [
    "invalid_grant",
    (_q, s) => json(s, 400, { error: "invalid_grant" }),
    "connection_required",
    "connection_required",
  ],
  [
    "invalid_client",
    (_q, s) => json(s, 401, { error: "invalid_client" }),
    "delegation_refused",
    "ok",
  ],
  [
    "invalid_scope",
    (_q, s) => json(s, 400, { error: "invalid_scope" }),
    "delegation_refused",
    "ok",
  ],
];

for (const [what, behaviour, now, later] of MATRIX) {
  verifies(
    "connections.failures",
    `a server that answers ${what}: ${now}, then ${later}`,
    async () => {
      const { codeOf, server, token } = await expired();
      server.on.token = behaviour;
      expect(await codeOf()).toBe(now);
      server.on = {};
      expect(await codeOf()).toBe(later);
      if (later !== "ok") return;
      const got = await token();
      expect(got.ok && server.accepts(got.value.token.reveal())).toBe("ada");
    },
  );
}

verifies("connections.failures", "a server that is down, or whose metadata is wrong", async () => {
  for (const bad of [text(500, "text/html", "x"), text(200, "application/json", "{}")]) {
    const { codeOf, server } = await expired();
    server.on.discovery = bad;
    expect(await codeOf()).toBe("delegation_unavailable");
    server.on = {};
    expect(await codeOf()).toBe("ok");
  }
  const { codeOf, server } = await expired();
  await server.close();
  expect(await codeOf()).toBe("delegation_unavailable");
});

/** RFC 7009 section 2.2: the status is the answer, and what stands beside it is ignored. */
const REVOCATIONS: readonly (readonly [string, Behaviour, "yes" | "failed"])[] = [
  ["500", text(500, "text/html", "oops"), "failed"],
  ["400 without a word", text(400, "application/json", ""), "failed"],
  ["a broken connection", (_q, s) => void s.destroy(), "failed"],
  ["a redirect", (_q, s) => void s.writeHead(302, { location: "/x" }).end(), "failed"],
  ["200 and nothing", text(200, "application/json", ""), "yes"],
  ["200 in HTML", text(200, "text/html", "<h1>done</h1>"), "yes"],
];

for (const [what, behaviour, said] of REVOCATIONS) {
  verifies(
    ["connections.disconnect", "connections.failures"],
    `a server that answers ${what} to a revocation: ${said}, and the link is gone`,
    async () => {
      const { connections, server, codeOf } = await expired();
      server.on.revoke = behaviour;
      const done = await connections.disconnect(place, "the test");
      expect(done).toEqual({ was_connected: true, revoked_upstream: said });
      expect(await codeOf()).toBe("connection_required");
    },
  );
}

verifies(
  "connections.failures",
  "a server that flaps loses no link, and reuses nothing",
  async () => {
    const { codeOf, server, pass } = await expired();
    for (let round = 0; round < 8; round++) {
      const isUp = round % 2 === 1;
      server.on = isUp ? {} : { token: text(502, "text/plain", "bad gateway") };
      expect(await codeOf()).toBe(isUp ? "ok" : "delegation_unavailable");
      if (isUp) pass(61_000);
    }
    expect({ refreshes: server.refreshes, reuses: server.reuses }).toEqual({
      refreshes: 4,
      reuses: 0,
    });
  },
);

verifies("connections.refresh", "less scope than a tool needs asks the person again", async () => {
  const { connections, pass } = await expired();
  pass(-61_000);
  const got = await connections.token(ada, "mail", ["mail:send", "mail:read"]);
  expect(got).toMatchObject({
    ok: false,
    refusal: { code: "connection_required", reason: expect.stringMatching(/^It allows less/) },
  });
});

verifies(
  "connections.once",
  "an invitation lives ten minutes, is used once, and is made once",
  async () => {
    const { connections, pass } = await expired();
    const { invitations } = connections;
    const code = await invitations.invite(place, "corp");
    expect(await invitations.invite(place, "corp")).toBe(code);
    expect(code).not.toMatch(/acme|mail/);
    const used = await Promise.all([invitations.use(code), invitations.use(code)]);
    expect(used.filter(Boolean)).toHaveLength(1);
    const next = await invitations.invite(place, "corp");
    expect(next).not.toBe(code);
    pass(599_999);
    expect(await invitations.look(next)).toBeDefined();
    pass(1);
    expect(await invitations.look(next)).toBeUndefined();
    expect(await invitations.use(next)).toBeUndefined();
  },
);

verifies("vault.swapped-row", "a row whose owner was edited is listed as damaged", async () => {
  const { connections, folder, store } = await expired();
  expect((await connections.list()).map(({ state }) => state)).toEqual(["connected"]);
  const db = new DatabaseSync(join(folder, "vault.sqlite"));
  for (const column of ["subject", "tenant", "issuer", "connector"]) {
    const before = (await store.list())[0]?.[column as "subject"] ?? null;
    db.prepare(`UPDATE links SET ${column} = 'another'`).run();
    expect(await connections.list()).toMatchObject([{ [column]: "another", state: "damaged" }]);
    db.prepare(`UPDATE links SET ${column} = ?`).run(before);
  }
  expect((await connections.list()).map(({ state }) => state)).toEqual(["connected"]);
  db.close();
});

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}
