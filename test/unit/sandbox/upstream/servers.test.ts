// Whose a local MCP server is: one session's and nobody else's, so many and no more, and no longer
// than its session.
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect } from "vitest";
import { Servers } from "../../../../src/sandbox/upstream/servers.ts";
import type { Seat, ServersOptions } from "../../../../src/sandbox/upstream/servers.ts";
import type { StdioServer } from "../../../../src/sandbox/upstream/stdio-server.ts";
import { stdioUpstream } from "../../../../src/sandbox/upstream/stdio.ts";
import { scriptedServer } from "../../../setup/scripted-server.ts";
import type { Script, ScriptedServer } from "../../../setup/scripted-server.ts";
import { upstreamTurn } from "../../../setup/upstream-turn.ts";
import { verifies } from "../../../verifies.ts";

const NEVER = new AbortController().signal;
const SILENT = { greet: false };

type Answer = (message: Readonly<Record<string, unknown>>, script: Script) => void;

const open: Servers[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

function world(limits: Partial<ServersOptions> = {}, answer?: Answer, options = {}) {
  const started: ScriptedServer[] = [];
  const servers = new Servers({
    servers_max: 10,
    servers_per_user_max: 3,
    idle_ms_max: 60_000,
    ...limits,
  });
  open.push(servers);
  const seat = (user: string | undefined): Seat =>
    servers.seat(user, () => {
      const scripted = scriptedServer(answer, options);
      started.push(scripted);
      return scripted.server;
    });
  return { servers, started, seat };
}

async function running(seat: Seat): Promise<StdioServer> {
  const server = await seat.started(NEVER);
  if (!server.ok) throw new Error(`refused: ${server.refusal.code}`);
  return server.value;
}

describe("a seat", () => {
  verifies(
    "servers.session",
    "has one process, whoever asks at once, and no other seat's",
    async () => {
      const { started, seat } = world();
      const [mine, another] = [seat("mia"), seat("mia")];
      const [a, b] = await Promise.all([running(mine), running(mine)]);
      expect(a).toBe(b);
      expect(await running(mine)).toBe(a);
      expect(await running(another)).not.toBe(a);
      expect(started).toHaveLength(2);
    },
  );

  verifies("servers.session", "has another process where its own is gone", async () => {
    const { servers, started, seat } = world();
    const mine = seat("mia");
    const first = await running(mine);
    started[0]?.script.exit("exit code 1");
    await first.gone;
    expect([mine.running, servers.count]).toEqual([undefined, 0]);
    expect(await running(mine)).not.toBe(first);
  });

  verifies(
    "servers.session",
    "ends at once with what runs in it, and starts nothing then",
    async () => {
      const { servers, started, seat } = world();
      const [mine, others] = [seat("mia"), seat("omar")];
      const [server, other] = [await running(mine), await running(others)];
      const asked = server.ask("tools/call", {}, NEVER);
      await mine.close();
      expect(await asked).toMatchObject({ ok: false, sent: true, refusal: { code: "cancelled" } });
      expect([server.alive, other.alive, servers.count]).toEqual([false, true, 1]);
      expect(await mine.started(NEVER)).toMatchObject({ ok: false });
      expect(started).toHaveLength(2);
    },
  );

  verifies(
    "servers.session",
    "that ended while it waited for its turn starts nothing",
    async () => {
      const { servers, started, seat } = world({}, undefined, SILENT);
      // Four start at once and never get ready; the fifth waits.
      const seats = ["a", "b", "c", "d", "e"].map(seat);
      const waiting = seats.map((one) => one.started(NEVER));
      await turn();
      expect([started.length, servers.count]).toEqual([4, 5]);
      const closing = seats.toReversed().map((one) => one.close());
      for (const one of await Promise.all(waiting)) {
        expect(one).toMatchObject({ ok: false, refusal: { code: "cancelled" } });
      }
      await Promise.all(closing);
      expect([started.length, servers.count]).toEqual([4, 0]);
    },
  );

  verifies("servers.session", "is one of so many per user that have a process", async () => {
    const { seat } = world({ servers_per_user_max: 2 });
    const [first, second, third] = [seat("mia"), seat("mia"), seat("mia")];
    const server = await running(first);
    await second.use(async () => {
      await first.use(async () => {
        await running(second);
        const refused = await third.started(NEVER);
        expect(refused).toMatchObject({ refusal: { code: "capacity", retry_after_ms: 500 } });
        await running(seat("omar"));
      });
      // An idle one makes room; it is never one that is at work.
      await running(third);
      expect([server.alive, second.running === undefined]).toEqual([false, false]);
    });
  });

  verifies("servers.session", "is one of so many in all; the longest idle makes room", async () => {
    const { seat } = world({ servers_max: 2 });
    const [first, second] = [seat("a"), seat(undefined)];
    const servers = [await running(first), await running(second)];
    await first.use(() =>
      second.use(async () => {
        expect(await seat("c").started(NEVER)).toMatchObject({ refusal: { code: "capacity" } });
      }),
    );
    await first.use(() => Promise.resolve());
    await running(seat("c"));
    expect(servers.map(({ alive }) => alive)).toEqual([true, false]);
  });

  verifies("servers.session", "has no process any more after the stop, and gets none", async () => {
    const { servers, started, seat } = world();
    const mine = seat("mia");
    const server = await running(mine);
    await servers.close();
    expect(server.alive).toBe(false);
    expect((await mine.started(NEVER)).ok).toBe(false);
    expect((await seat("mia").started(NEVER)).ok).toBe(false);
    expect(started).toHaveLength(1);
  });

  verifies(
    "servers.session",
    "whose process does not start says so, and takes no place",
    async () => {
      const { servers, started, seat } = world({}, undefined, SILENT);
      const waiting = seat("mia").started(NEVER);
      await turn();
      started[0]?.script.exit("exit code 9");
      const start = await waiting;
      expect(start).toMatchObject({ ok: false, refusal: { code: "isolation_unavailable" } });
      expect(start.ok ? "" : start.refusal.cause).toMatch(/did not start.*exit code 9/);
      expect(servers.count).toBe(0);
    },
  );

  verifies(
    ["servers.session", "servers.protocol"],
    "has a process only when it has greeted, however long that takes",
    async () => {
      const { started, seat } = world({}, undefined, SILENT);
      const mine = seat("mia");
      const abort = new AbortController();
      const first = mine.started(abort.signal);
      await turn();
      abort.abort();
      await first;
      expect(mine.running).toBeUndefined();
      const methods = (): unknown[] => (started[0]?.heard ?? []).map(({ method }) => method);
      const listed = stdioUpstream(mine, "local").list(upstreamTurn());
      await turn();
      expect(methods()).toEqual(["initialize"]);
      const id = started[0]?.heard[0]?.["id"];
      started[0]?.script.say({ id, result: { protocolVersion: "2025-11-25" } });
      while (methods().length < 3) await turn();
      expect(methods()).toEqual(["initialize", "notifications/initialized", "tools/list"]);
      await mine.close();
      expect((await listed).ok).toBe(false);
    },
  );

  verifies("servers.session", "is not waited for by who hung up; who did not gets it", async () => {
    const { started, seat } = world({}, undefined, SILENT);
    const mine = seat("mia");
    const abort = new AbortController();
    const [one, other] = [mine.started(abort.signal), mine.started(NEVER)];
    await turn();
    abort.abort();
    expect(await one).toMatchObject({ ok: false, refusal: { code: "cancelled" } });
    const id = started[0]?.heard[0]?.["id"];
    started[0]?.script.say({ id, result: { protocolVersion: "2025-11-25" } });
    expect((await other).ok).toBe(true);
  });
});

describe("a local server's tools", () => {
  const schema = { type: "object" };
  const tool = (name: string) => ({ name, inputSchema: schema, icons: [1] });

  verifies("servers.protocol", "are all its pages', without what is no part of them", async () => {
    const { seat, started } = world({}, ({ id, params }, { say }) => {
      const { cursor } = params as { cursor?: string };
      const page = { tools: [tool(cursor ?? "first")] };
      say({ id, result: cursor === "last" ? page : { ...page, nextCursor: "last" } });
    });
    const upstream = stdioUpstream(seat("mia"), "local");
    const turn_of_ours = upstreamTurn();
    expect(await upstream.list(turn_of_ours)).toEqual({
      ok: true,
      value: ["first", "last"].map((name) => ({ name, inputSchema: schema })),
    });
    expect(started).toHaveLength(1);
    expect(turn_of_ours.attempts).toEqual(
      [1, 2].map(() => ({ method: "tools/list", url: "stdio:local", request_id: "call-1" })),
    );
  });

  const LISTS: Readonly<Record<string, readonly [(page: number) => object, RegExp]>> = {
    "pages without end": [(page) => ({ tools: [], nextCursor: String(page) }), /that ends/],
    "one tool twice": [() => ({ tools: [tool("a"), tool("a")] }), /a list of tools/],
    "no tools": [() => ({ prompts: [] }), /a list of tools/],
    "a tool without a schema": [() => ({ tools: [{ name: "a" }] }), /a list of tools/],
  };
  for (const [what, [result, says]] of Object.entries(LISTS)) {
    verifies("servers.protocol", `are not ${what}`, async () => {
      let page = 0;
      const { seat } = world({}, ({ id }, { say }) => say({ id, result: result(page++) }));
      const listed = await stdioUpstream(seat("mia"), "local").list(upstreamTurn());
      expect(listed).toMatchObject({ ok: false, refusal: { code: "downstream_error" } });
      expect(listed.ok ? "" : listed.refusal.reason).toMatch(says);
    });
  }
});

describe("a call of a local server", () => {
  const answering: Answer = ({ id, method }, { say, exit }) => {
    if (method === "tools/list") say({ id, result: { tools: [] } });
    else if (method === "tools/call") exit("exit code 1");
  };

  verifies("servers.effect", "is not made of a process that nobody looked at", async () => {
    const { seat, started } = world({}, answering);
    const upstream = stdioUpstream(seat("mia"), "local");
    expect(await upstream.call("a", {}, upstreamTurn())).toMatchObject({ sent: false, gone: true });
    expect(started).toHaveLength(0);
  });

  verifies(
    "servers.effect",
    "in which it ends may have reached it; the next one cannot",
    async () => {
      const { seat } = world({}, answering);
      const upstream = stdioUpstream(seat("mia"), "local");
      await upstream.list(upstreamTurn());
      const called = await upstream.call("a", {}, upstreamTurn());
      const code = "downstream_unavailable";
      expect(called).toMatchObject({ ok: false, sent: true, gone: true, refusal: { code } });
      const next = await upstream.call("a", {}, upstreamTurn());
      expect(next).toMatchObject({ ok: false, sent: false, gone: true, refusal: { code } });
    },
  );

  verifies("servers.protocol", "answers no more bytes than the tool may", async () => {
    const { seat } = world({}, ({ id, method }, { say }) => {
      if (method === "tools/list") say({ id, result: { tools: [] } });
      if (method !== "tools/call") return;
      say({ id, result: { content: [{ type: "text", text: "x".repeat(2000) }] } });
    });
    const upstream = stdioUpstream(seat("mia"), "local");
    await upstream.list(upstreamTurn());
    const called = await upstream.call("a", {}, upstreamTurn({ bytes_max: 1000 }));
    expect(called).toMatchObject({ ok: false, sent: true, refusal: { code: "downstream_error" } });
    expect((await upstream.call("a", {}, upstreamTurn({ bytes_max: 4000 }))).ok).toBe(true);
  });

  verifies("servers.effect", "whose session may not go on is not sent", async () => {
    const { seat, started } = world({}, answering);
    const upstream = stdioUpstream(seat("mia"), "local");
    await upstream.list(upstreamTurn());
    const ended = upstreamTurn({ signals: [AbortSignal.abort()] });
    expect(await upstream.call("a", {}, ended)).toMatchObject({ ok: false, sent: false });
    await upstream.close();
    expect(await upstream.call("a", {}, upstreamTurn())).toMatchObject({ sent: false });
    const methods = started[0]?.heard.map(({ method }) => method);
    expect(methods).not.toContain("tools/call");
  });
});
