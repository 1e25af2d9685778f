// An operator's lock: on whom, on what, what runs meanwhile, and what is left of it afterwards.
import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect } from "vitest";
import { askLocal } from "../../src/console/local.ts";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import type { Claims } from "../setup/hostile-provider.ts";
import { callTool, mcpHeaders, post, rpc } from "../setup/mcp-post.ts";
import type { Called } from "../setup/mcp-post.ts";
import { mountDisk, noSmallDisk } from "../setup/small-disk.ts";
import { listed } from "../setup/strangers.ts";
import { stopDesk } from "../setup/stop-desk.ts";
import type { StopDesk } from "../setup/stop-desk.ts";
import { verifies } from "../verifies.ts";

let boundary: Boundary;
let desk: StopDesk;

beforeEach(async () => {
  boundary = await openBoundary({ file: { delegation: { reuse_ms_max: 5000 } } });
  desk = stopDesk(boundary);
});

afterEach(() => boundary.close());

const ada = (): Promise<string> => boundary.token("desk");
const grace = (): Promise<string> => boundary.token("desk", { sub: "grace", sid: "other" });

function call(token: string, tool = "item_get", args: object = { id: "7" }): Promise<Called> {
  return callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, tool, args);
}

const userOf = (subject: string): string => `user:${boundary.provider.issuer}#${subject}`;

/** Holds the API's answer until asked to give it. */
function hold(): { arrived: Promise<void>; release: () => void } {
  const arrived = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  boundary.api.answer = async (res) => {
    arrived.resolve();
    await released.promise;
    if (!res.destroyed) res.writeHead(200).end('{"id":"7","name":"a lamp"}');
  };
  return { arrived: arrived.promise, release: released.resolve };
}

describe("a lock", () => {
  verifies(
    "revocation.lock",
    "on a person stops her and nobody else; the reason is for operators",
    async () => {
      const [hers, others] = [await ada(), await grace()];
      expect((await call(hers)).error).toBeUndefined();
      await desk.lock(userOf("ada"), "ticket 4711");
      const refused = await call(hers);
      expect(refused.status).toBe(200);
      expect(refused.error).toMatchObject({
        code: "locked",
        message: expect.stringMatching(/This user is locked by the operator\.$/),
        effect: "none",
        who_can_fix: "operator",
        details: { scope: "user" },
      });
      expect(refused.text).not.toContain("ticket");
      expect((await desk.locks()).map(({ reason }) => reason)).toEqual(["ticket 4711"]);
      expect(await listed(boundary, "desk", hers)).toEqual({ status: 200, names: [] });
      // A new token of hers is no way round it, and neither is another agent.
      expect((await call(await boundary.token("desk", { sid: "new" }))).error?.code).toBe("locked");
      expect((await listed(boundary, "garage", await boundary.token("garage"))).names).toEqual([]);
      expect((await call(others)).error).toBeUndefined();
      expect(await desk.unlock(userOf("ada"))).toBe(true);
      expect((await call(hers)).error).toBeUndefined();
      expect(await desk.unlock(userOf("ada"))).toBe(false);
    },
  );

  verifies("revocation.lock", "on a session, an agent or everything stops just that", async () => {
    const [hers, elsewhere] = [await ada(), await boundary.token("garage")];
    await call(hers);
    const [session] = await desk.sessions();
    const cases: readonly [what: string, stopsGrace: boolean][] = [
      [`session:${String(session?.["id"])}`, false],
      ["agent:desk", true],
      ["all", true],
    ];
    for (const [what, stopsGrace] of cases) {
      await desk.lock(what);
      expect((await call(hers)).error?.code, what).toBe("locked");
      expect((await call(await grace())).error?.code, what).toBe(stopsGrace ? "locked" : undefined);
      const { names } = await listed(boundary, "garage", elsewhere);
      expect(names.length === 0, what).toBe(what === "all");
      await desk.unlock(what);
      expect((await call(hers)).error, what).toBeUndefined();
    }
  });

  verifies(
    "revocation.lock",
    "on a tool takes it off the list, and a call names the stop",
    async () => {
      const hers = await ada();
      const before = (await listed(boundary, "desk", hers)).names;
      await desk.lock("tool:item_get", "broken");
      const { names } = await listed(boundary, "desk", hers);
      expect(names).toEqual(before.filter((name) => name !== "item_get"));
      expect((await call(hers)).error).toMatchObject({
        code: "locked",
        details: { scope: "tool" },
      });
      expect((await call(hers, "item_find", {})).error?.code).not.toBe("locked");
      // Operators are told what she would be.
      const question = {
        os_user: "a test",
        agent: "desk",
        who: { claims: boundary.claims("desk") },
      };
      const told = async (path: string): Promise<Claims[]> =>
        ((await askLocal(boundary.data, "core", path, question)) as { tools: Claims[] }).tools;
      expect((await told("/surface")).map(({ name }) => name)).toEqual(names);
      const explained = await told("/explain");
      expect(explained.find(({ tool }) => tool === "item_get")).toMatchObject({
        allowed: false,
        why: expect.stringMatching(/^it is stopped now \(locked\); else role staff has /),
      });
      // Whoever never had it learns nothing of the lock.
      const without = await boundary.token("desk", { sub: "joe", org: { tenant: "acme" } });
      const never = (await call(without, "no_such_tool")).text;
      expect((await call(without)).text).toBe(never.replaceAll("no_such_tool", "item_get"));
    },
  );

  verifies(
    "revocation.lock",
    "lets a locked client say hello, and keeps no stream for it",
    async () => {
      const bearer = `Bearer ${await ada()}`;
      await desk.lock("all");
      const url = `${boundary.url}/mcp/desk`;
      const ask = (method: string, params: Record<string, unknown> = {}) =>
        post(
          url,
          { ...mcpHeaders(method), authorization: bearer },
          JSON.stringify(rpc(method, params)),
        );
      expect((await ask("server/discover")).status).toBe(200);
      const stream = await ask("subscriptions/listen", {
        notifications: { toolsListChanged: true },
      });
      expect(stream.status).toBe(503);
      expect(stream.text).toContain('"code":"locked"');
    },
  );

  verifies("revocation.lock", "of what is not there is refused, and says what is", async () => {
    const bad: Readonly<Record<string, RegExp>> = {
      "tool:nothing": /there are: .*item_get/,
      "agent:nothing": /there are: desk/,
      "user:nobody": /ISSUER#SUBJECT, with one of: http/,
      "session:x": /sessions ls/,
      everything: /user:U, session:S, tool:T, agent:A or all/,
      "user:": /user:U/,
      "user:https://elsewhere.test#ada": /nobody is known/,
    };
    for (const [what, why] of Object.entries(bad)) {
      await expect(desk.lock(what), what).rejects.toThrow(why);
    }
    expect(await desk.locks()).toEqual([]);
  });

  verifies("revocation.lock", "is an event that names who set and who lifted it", async () => {
    await call(await ada());
    // By the name that her session told, and by her bare subject.
    await desk.lock("user:Ada L.", "why");
    await desk.unlock("user:ada");
    const events = boundary.ledger().filter(({ event }) => event === "operator");
    expect(events.map(({ detail }) => detail)).toMatchObject([
      { verb: "lock add", os_user: "a test", verified_by_issuer: false, reason: "why" },
      { verb: "lock rm", os_user: "a test", lock: userOf("ada") },
    ]);
  });
});

verifies(
  ["revocation.lock", "revocation.durable"],
  "on a disk that is full to the last byte a lock holds at once, and is kept when there is room",
  async () => {
    const disk = mountDisk(16);
    const file = { ledger: { disk_free_bytes_min: 1_048_576, segment_bytes_max: 65_536 } };
    const own = await openBoundary({ place: disk.path, file });
    try {
      let asked = 0;
      const lock = async (what: string): Promise<{ durable: boolean; recorded: boolean }> => {
        const question = { os_user: "a test", what, reason: "now".repeat(150) };
        asked++;
        const answer = await askLocal(own.data, "core", "/locks/add", question);
        return (answer as { lock: { durable: boolean; recorded: boolean } }).lock;
      };
      const token = `Bearer ${await own.token("desk")}`;
      const called = async (tool = "item_get"): Promise<string | undefined> =>
        (await callTool(`${own.url}/mcp/desk`, token, tool, { id: "7" })).error?.code;
      expect(await called()).toBeUndefined();
      disk.fill();
      own.pass(2000);
      expect(await called()).toBe("audit_unavailable");
      // What is kept for the ends of calls makes room for it.
      expect(await lock("tool:item_find")).toMatchObject({ durable: true, recorded: true });
      const filler = disk.fill();
      // The log has a little room yet, which was made ahead.
      while ((await lock("tool:item_get")).recorded) expect(asked).toBeLessThan(200);
      expect(await called()).toBe("locked");
      expect(await lock("user:Ada L.")).toMatchObject({ durable: false, recorded: false });
      expect(await called("item_list")).toBe("locked");
      rmSync(filler);
      own.pass(2000);
      // With the first call that it takes again, the ledger says what it could not say before.
      const others = `Bearer ${await own.token("desk", { sub: "grace", sid: "other" })}`;
      await callTool(`${own.url}/mcp/desk`, others, "item_rename", { id: "7", name: "x" });
      const kept = new DatabaseSync(`${own.data}/stops.sqlite`, { readOnly: true });
      const rows = kept.prepare("SELECT key FROM locks");
      await expect.poll(() => rows.all().length, { timeout: 60_000 }).toBe(3);
      kept.close();
      const recorded = (): unknown[] =>
        own.ledger().filter(({ detail }) => (detail as Claims)?.["verb"] === "lock add");
      await expect.poll(() => recorded().length, { timeout: 60_000 }).toBe(asked);
      expect(own.fatal).toEqual([]);
    } finally {
      await own.close();
      disk.remove();
    }
  },
  { skip: noSmallDisk },
);

describe("what runs when a lock comes", () => {
  verifies(
    "revocation.running",
    "a read ends as access_revoked and hangs up on the API",
    async () => {
      const held = hold();
      const running = call(await ada());
      await held.arrived;
      await desk.lock(userOf("ada"), "enough");
      // Nobody released the API: doorless itself broke off.
      const ended = await running;
      held.release();
      // Signing in again would help her nothing: the operator lifts it.
      expect(ended.error).toMatchObject({
        code: "access_revoked",
        effect: "none",
        retry: "never",
        who_can_fix: "operator",
        details: { scope: "user" },
      });
      expect(ended.text).not.toContain("enough");
      const outcome = boundary.ledger().findLast(({ kind }) => kind === "outcome");
      expect(outcome).toMatchObject({ outcome: "revoked", error_code: "access_revoked" });
    },
  );

  verifies(
    "revocation.running",
    "a write that was sent may have been done, and says so",
    async () => {
      const held = hold();
      const running = call(await ada(), "item_rename", { id: "7", name: "x" });
      await held.arrived;
      await desk.lock("tool:item_rename");
      expect((await running).error).toMatchObject({ code: "access_revoked", effect: "unknown" });
      held.release();
    },
  );

  verifies(
    "revocation.running",
    "a call that waits for its token sends nothing any more",
    async () => {
      const arrived = Promise.withResolvers<void>();
      const released = Promise.withResolvers<void>();
      boundary.provider.on.token = async (_req, res) => {
        arrived.resolve();
        await released.promise;
        // Whatever is answered now comes too late.
        res.writeHead(500).end();
      };
      const running = call(await ada(), "item_rename", { id: "7", name: "x" });
      await arrived.promise;
      await desk.lock("agent:desk");
      released.resolve();
      expect((await running).error).toMatchObject({ effect: "none" });
      expect(boundary.api.seen).toEqual([]);
    },
  );

  verifies("revocation.streams", "her streams end, others stay and hear list_changed", async () => {
    const open = async (token: string): Promise<ReadableStreamDefaultReader<Uint8Array>> => {
      const response = await fetch(`${boundary.url}/mcp/desk`, {
        method: "POST",
        headers: { ...mcpHeaders("subscriptions/listen"), authorization: `Bearer ${token}` },
        body: JSON.stringify(
          rpc("subscriptions/listen", { notifications: { toolsListChanged: true } }),
        ),
      });
      expect(response.status).toBe(200);
      if (response.body === null) throw new Error("no stream");
      return response.body.getReader();
    };
    const [hers, others] = [await open(await ada()), await open(await grace())];
    const readAll = async (reader: typeof hers, until: RegExp): Promise<string> => {
      let text = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return `${text}(ended)`;
        text += Buffer.from(value).toString("utf8");
        if (until.test(text)) return text;
      }
    };
    await desk.lock(userOf("ada"));
    expect(await readAll(hers, /never/)).toContain("(ended)");
    expect(await readAll(others, /tools\/list_changed/)).toContain("tools/list_changed");
    await others.cancel();
  });

  verifies(
    "revocation.tokens",
    "her kept tokens are dropped, and revoked at the provider",
    async () => {
      const hers = await ada();
      await call(hers);
      await call(hers);
      expect(boundary.provider.hits.token).toBe(1);
      await call(await grace());
      const revoked = boundary.provider.next("revocation");
      await desk.lock(userOf("ada"));
      const form = await revoked;
      expect(form.get("token_type_hint")).toBe("access_token");
      const used = boundary.api.seen[0]?.headers["authorization"];
      expect(used).toBe(`Bearer ${form.get("token")}`);
      await desk.unlock(userOf("ada"));
      await call(hers);
      // Hers was asked for anew; Grace's is still held.
      await call(await grace());
      expect(boundary.provider.hits).toMatchObject({ token: 4, revocation: 1 });
    },
  );
});

describe("a session", () => {
  verifies("revocation.sessions", "is listed with whose it is, and killed for good", async () => {
    const hers = await ada();
    await call(hers);
    const [session] = await desk.sessions();
    expect(session).toMatchObject({
      subject: "ada",
      name: "Ada L.",
      tenant: "acme",
      agent: "desk",
      client_id: "an-ide",
      has_family: true,
      calls: 0,
      streams: 0,
    });
    await desk.kill(String(session?.["id"]));
    for (const token of [hers, await boundary.token("desk", { iat: nowPlus(3) })]) {
      const refused = await call(token);
      expect(refused.status).toBe(401);
      expect(refused.headers.get("www-authenticate")).toContain("revoked");
    }
    // A new sign-in is another session.
    expect((await call(await boundary.token("desk", { sid: "sign-in-2" }))).error).toBeUndefined();
  });

  verifies(
    "revocation.sessions",
    "without a sign-in's name ends with its tokens so far",
    async () => {
      const coarse = (iat: number): Promise<string> =>
        boundary.token("desk", { sid: undefined, iat, exp: iat + 600 });
      const old = await coarse(nowPlus(-2));
      await call(old);
      const [session] = await desk.sessions();
      expect(session).toMatchObject({ has_family: false });
      await desk.kill(String(session?.["id"]));
      expect((await call(old)).status).toBe(401);
      expect((await call(await coarse(nowPlus(2)))).error).toBeUndefined();
    },
  );
});

function nowPlus(seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds;
}
