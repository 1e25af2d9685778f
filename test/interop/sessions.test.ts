// Sessions of the older revisions, and cancellation in both eras: whose call stops, and when.
import { afterAll, beforeAll, expect, vi } from "vitest";
import { verifies } from "../verifies.ts";
import { connectHttp } from "./clients.ts";
import type { ClientKind, Json } from "./clients.ts";
import { openWatchedHouse } from "./recorder.ts";
import type { WatchedHouse } from "./recorder.ts";
import { initialize, jsonOf, modernWire, olderWire, resumeOlderWire, send } from "./wire.ts";
import type { Reply } from "./wire.ts";

const DEAL = { name: "crm_get_deal", arguments: { id: 42 } };
const DEAL_PATH = "/crm/deals/42";

let house: WatchedHouse;
let sales: string;

beforeAll(async () => {
  house = await openWatchedHouse();
  sales = house.urlOf("sales");
});

afterAll(() => house.close());

/** What a client can tell apart: everything but the clock. */
function visible({ status, raw_headers, body }: Reply) {
  const isDate = (i: number): boolean => raw_headers[i - 1]?.toLowerCase() === "date";
  return { status, body, headers: raw_headers.filter((_, i) => !isDate(i)) };
}

/** The record of a call, once it has ended. */
async function ended(call_id: string, outcome: string): Promise<Json> {
  return vi.waitFor(
    async () => {
      const record = (await house.record(call_id)) ?? {};
      expect(record).toMatchObject({ call_id, outcome });
      return record;
    },
    { timeout: 10_000, interval: 100 },
  );
}

function callIdOf(seen: { headers: NodeJS.Dict<string | string[]> }): string {
  return String(seen.headers["x-request-id"]);
}

verifies(
  "mcp.older-session",
  "initialize opens a session that announces list_changed and has a stream for it",
  async () => {
    const token = await house.token("mia", "sales");
    const headers = {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    };
    const opened = await send({ url: sales, headers, body: initialize() });
    const session = String(opened.headers["mcp-session-id"]);
    expect(session).toMatch(/^[\x21-\x7e]{16,}$/);
    expect(jsonOf(opened)["result"]).toMatchObject({
      protocolVersion: "2025-11-25",
      capabilities: { tools: { listChanged: true } },
      serverInfo: { name: "doorless" },
    });
    const hangUp = new AbortController();
    const stream = await fetch(sales, {
      headers: { ...headers, accept: "text/event-stream", "mcp-session-id": session },
      signal: hangUp.signal,
    });
    expect(stream.status).toBe(200);
    expect(stream.headers.get("content-type")).toMatch(/^text\/event-stream/);
    hangUp.abort();
  },
);

verifies(
  "mcp.session-not-yours",
  "another's session id answers like one that never was",
  async () => {
    const mia = await olderWire(sales, await house.token("mia", "sales"));
    const strangers = [
      { who: "another person", url: sales, token: await house.token("omar", "sales") },
      { who: "another sign-in of hers", url: sales, token: await house.token("mia", "sales") },
      {
        who: "another agent of hers",
        url: house.urlOf("research"),
        token: await house.token("mia", "research"),
      },
    ];
    for (const { who, url, token } of strangers) {
      const theirs = resumeOlderWire(url, token, mia.session);
      const never = resumeOlderWire(url, token, crypto.randomUUID());
      const answers = async ({ ask, notify, end, session }: typeof theirs) => {
        const headers = { authorization: `Bearer ${token}`, "mcp-session-id": session };
        const accept = { ...headers, accept: "text/event-stream" };
        return {
          who,
          list: visible(await ask("tools/list")),
          call: visible(await ask("tools/call", DEAL)),
          cancel: visible(await notify("notifications/cancelled", { requestId: 7 })),
          stream: visible(await send({ url, method: "GET", headers: accept })),
          end: visible(await end()),
        };
      };
      const got = await answers(theirs);
      expect(got).toEqual(await answers(never));
      const { who: _, ...each } = got;
      expect(Object.values(each).map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    }
    // Nobody ended it, and it is still hers.
    expect(jsonOf(await mia.ask("tools/call", DEAL))).toHaveProperty("result.structuredContent.id");
  },
);

verifies("mcp.older-session", "DELETE ends a session, for its owner alone", async () => {
  const token = await house.token("mia", "sales");
  const one = await olderWire(sales, token);
  const other = await olderWire(sales, token);
  expect((await one.end()).status).toBe(200);
  expect((await one.ask("tools/list")).status).toBe(404);
  expect((await one.end()).status).toBe(404);
  expect((await other.ask("tools/list")).status).toBe(200);
});

const CANCELLED_BY: readonly ClientKind[] = ["v1", "v2 pinned"];

for (const kind of CANCELLED_BY) {
  verifies(
    ["mcp.older-session", "mcp.both-eras"],
    `cancelling with a ${kind} client stops a slow read, and the log says so`,
    async () => {
      const client = await connectHttp(kind, sales, await house.token("mia", "sales"));
      const held = house.recorder.hold(DEAL_PATH);
      const cancel = new AbortController();
      const call = client.call(DEAL.name, DEAL.arguments, { signal: cancel.signal });
      const call_id = callIdOf(await held.arrived);
      cancel.abort("enough");
      await expect(call).rejects.toThrow(/enough/);
      // Without anybody releasing it: doorless itself hangs up on the API.
      await held.hungUp;
      held.release();
      expect(await ended(call_id, "cancelled")).toMatchObject({ effect: "none" });
      // The session outlives the call.
      expect((await client.call(DEAL.name, DEAL.arguments)).isError).toBe(false);
      await client.close();
    },
  );
}

verifies("mcp.both-eras", "a closed request is a cancellation in 2026-07-28", async () => {
  const wire = modernWire(sales, await house.token("mia", "sales"));
  const held = house.recorder.hold(DEAL_PATH);
  const hangUp = new AbortController();
  const call = wire.ask("tools/call", DEAL, { signal: hangUp.signal });
  const call_id = callIdOf(await held.arrived);
  hangUp.abort();
  await expect(call).rejects.toThrow();
  await held.hungUp;
  held.release();
  await ended(call_id, "cancelled");
});

verifies("mcp.older-session", "a lost connection is none in the older revisions", async () => {
  const wire = await olderWire(sales, await house.token("mia", "sales"));
  const held = house.recorder.hold(DEAL_PATH);
  const hangUp = new AbortController();
  const call = wire.ask("tools/call", DEAL, { signal: hangUp.signal });
  const call_id = callIdOf(await held.arrived);
  hangUp.abort();
  await expect(call).rejects.toThrow();
  // Whatever the server would do about it, it has done when it has answered something else.
  expect((await wire.ask("tools/list", {}, { id: 8 })).status).toBe(200);
  held.release();
  await ended(call_id, "ok");
});

verifies("mcp.older-session", "nobody cancels another's call by its id", async () => {
  const mia = await olderWire(sales, await house.token("mia", "sales"));
  const omar = await olderWire(sales, await house.token("omar", "sales"));
  const held = house.recorder.hold(DEAL_PATH);
  const call = mia.ask("tools/call", DEAL, { id: 7 });
  await held.arrived;
  expect((await omar.notify("notifications/cancelled", { requestId: 7 })).status).toBe(202);
  expect((await omar.ask("tools/list", {}, { id: 7 })).status).toBe(200);
  held.release();
  expect(jsonOf(await call)).toMatchObject({ id: 7, result: { structuredContent: { id: 42 } } });
});

verifies(
  "mcp.older-session",
  "a write that was sent runs to its end, cancelled or not",
  async () => {
    for (const kind of CANCELLED_BY) {
      const client = await connectHttp(kind, sales, await house.token("mia", "sales"));
      const held = house.recorder.hold(DEAL_PATH);
      const cancel = new AbortController();
      const args = { id: 42, stage: "proposal" };
      const call = client.call("crm_update_deal_stage", args, { signal: cancel.signal });
      const call_id = callIdOf(await held.arrived);
      cancel.abort("enough");
      await expect(call).rejects.toThrow(/enough/);
      expect((await client.names()).length).toBeGreaterThan(0);
      held.release();
      expect(await ended(call_id, "ok")).toMatchObject({ effect: "done" });
      await client.close();
      const audit = (await (await fetch(`${house.world.api}/audit`)).json()) as Json[];
      const row = audit.find(({ request_id }) => request_id === call_id);
      expect(row).toMatchObject({ subject: "mia", method: "PATCH", status: 200 });
    }
  },
);

// The example configuration leaves `transport_sessions_per_user_max` at its default.
const SESSIONS_PER_USER = 16;

verifies("mcp.older-session", "a person's oldest session makes room, nobody else's", async () => {
  const token = await house.token("omar", "sales");
  const bystander = await olderWire(sales, await house.token("mia", "sales"));
  const open = () => olderWire(sales, token);
  // Omar's earlier ones, of other tests, are older still and go first.
  const mine = [];
  for (let i = 0; i < SESSIONS_PER_USER; i++) mine.push(await open());
  const [first, second] = mine;
  if (first === undefined || second === undefined) throw new Error("no sessions");
  expect((await first.ask("tools/list")).status).toBe(200);
  await open();
  // `first` was used after `second`: it is the younger one.
  expect((await second.ask("tools/list")).status).toBe(404);
  for (const session of [first, ...mine.slice(2)]) {
    expect((await session.ask("tools/list")).status).toBe(200);
  }
  expect((await bystander.ask("tools/list")).status).toBe(200);
});
