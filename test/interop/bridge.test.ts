// The bridge between a client that says anything and a doorless that does anything: in one process,
// so that each moment is the test's to choose.
import { PassThrough } from "node:stream";
import { createInterface } from "node:readline";
import { json as bodyOf } from "node:stream/consumers";
import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, expect } from "vitest";
import { SignInFailed } from "../../src/identity/native.ts";
import { Secret } from "../../src/kernel/secret.ts";
import { runBridge } from "../../src/mcp/bridge.ts";
import type { SignedIn } from "../../src/mcp/side.ts";
import { openPeer } from "../setup/hostile-peer.ts";
import type { Peer } from "../setup/hostile-peer.ts";
import { json } from "../setup/hostile-provider.ts";
import { verifies } from "../verifies.ts";
import { MODERN } from "./clients.ts";
import type { Json } from "./clients.ts";

let peer: Peer;
/** What came to the doorless, in order; the end of a transport session as `DELETE`. */
let came: Json[];
let heard: ((message: Json) => void)[];
/** What it does with a request; without, `{}` for each. */
let answer: (message: Json, res: ServerResponse) => unknown;
/** The status of what gets no more than that; `undefined` for what `answer` is for. */
let silent: (message: Json) => number | undefined;

beforeEach(async () => {
  came = [];
  heard = [];
  silent = isNoRequest;
  answer = ({ id }, res) => json(res, 200, { jsonrpc: "2.0", id, result: {} });
  peer = await openPeer();
  peer.serve(async (req, res) => {
    if (req.method === "GET") return res.writeHead(405).end();
    const isEnd = req.method === "DELETE";
    const message = isEnd ? { method: "DELETE" } : ((await bodyOf(req)) as Json);
    const { authorization: as, "mcp-session-id": session } = req.headers;
    const one = { ...message, as, ...(session === undefined ? {} : { session }) };
    came.push(one);
    for (const hear of heard.splice(0)) hear(one);
    const status = silent(one);
    return status === undefined ? answer(one, res) : res.writeHead(status).end();
  });
});

afterEach(() => peer.close());

const isNoRequest = ({ id, method }: Json): 202 | undefined =>
  id === undefined || method === undefined ? 202 : undefined;

const nextThere = (): Promise<Json> => new Promise((resolve) => void heard.push(resolve));

function bridge(who: SignedIn | undefined, drain_ms = 10_000, again_ms = 5) {
  const stdin = new PassThrough();
  const stdout = new PassThrough();
  const notes: string[] = [];
  const refused: unknown[] = [];
  let now = who;
  let away = 0;
  let tell = (): void => undefined;
  const done = runBridge({
    stdin,
    stdout,
    drain_ms,
    again_ms,
    connect: async () => new URL(`${peer.origin}/mcp/desk`),
    onNote: (text) => void notes.push(text),
    tokens: {
      command: "doorless login",
      async current() {
        if (away === 0) return now;
        away--;
        throw new SignInFailed("the provider is away");
      },
      refused: async () => void refused.push(now?.who),
      onChange: (listener) => {
        tell = listener;
        return () => undefined;
      },
    },
  });
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return {
    stdin,
    stdout,
    notes,
    refused,
    done,
    say: (message: object) =>
      void stdin.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`),
    next: async () => JSON.parse(((await lines.next()) as { value: string }).value) as Json,
    become: (next: SignedIn | undefined): void => {
      now = next;
      tell();
    },
    /** So many times, nobody can say who is signed in. */
    goAway: (times: number): void => void (away = times),
  };
}

const ada = { token: new Secret("adas"), who: "ada" };
const bob = { token: new Secret("bobs"), who: "bob" };
const hello = {
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "x", version: "1" },
  },
};
const _meta = {
  "io.modelcontextprotocol/protocolVersion": MODERN,
  "io.modelcontextprotocol/clientCapabilities": {},
};
/** What a stream says. */
const event = (message: object): string =>
  `data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`;
/** Begins a stream. */
const stream = (res: ServerResponse, ...messages: readonly object[]): void => {
  res.writeHead(200, { "content-type": "text/event-stream" });
  res.write(messages.map(event).join(""));
};
const call = { method: "tools/call", params: { name: "x", arguments: {} } };
/** Answers the 2025 handshake, with a transport session that is named like the token. */
const greets = ({ id, as }: Json, res: ServerResponse): void => {
  const headers = { "content-type": "application/json", "mcp-session-id": `of ${String(as)}` };
  const result = { protocolVersion: "2025-11-25" };
  res.writeHead(200, headers).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
};
const methods = () => came.map(({ method }) => method);

verifies(
  "mcp.stdio-bridge",
  "nothing overtakes the handshake, or what came before it",
  async () => {
    const held = Promise.withResolvers<void>();
    answer = async ({ id, method }, res) => {
      if (method === "initialize") await held.promise;
      json(res, 200, { jsonrpc: "2.0", id, result: { protocolVersion: "2025-11-25" } });
    };
    const { say, next, stdin, done } = bridge(ada);
    const first = nextThere();
    say({ id: 1, ...hello });
    say({ method: "notifications/initialized" });
    say({ id: 2, method: "tools/list" });
    expect(await first).toMatchObject({ method: "initialize" });
    expect(methods()).toEqual(["initialize"]);
    held.resolve();
    expect(await next()).toMatchObject({ id: 1 });
    expect(await next()).toMatchObject({ id: 2 });
    expect(methods()).toEqual(["initialize", "notifications/initialized", "tools/list"]);
    stdin.end();
    await done;
  },
);

verifies(
  "mcp.stdio-bridge",
  "what still runs when patience ends is cancelled, by its era",
  async () => {
    for (const isModern of [false, true]) {
      const hungUp = Promise.withResolvers<void>();
      answer = (_message, res) => void res.once("close", () => hungUp.resolve());
      const { say, stdin, done } = bridge(ada, 20);
      const arrived = nextThere();
      say({ id: 7, method: "tools/call", params: { name: "x", ...(isModern ? { _meta } : {}) } });
      await arrived;
      stdin.end();
      await done;
      await hungUp.promise;
      const cancelled = came.find(({ method }) => method === "notifications/cancelled");
      expect(cancelled?.["params"]).toEqual(
        isModern ? undefined : { requestId: 7, reason: "the client closed its end" },
      );
      came.length = 0;
    }
  },
);

verifies("mcp.stdio-bridge", "a request that waits its turn can be cancelled unsent", async () => {
  const held = Promise.withResolvers<void>();
  answer = async ({ id }, res) => {
    await held.promise;
    json(res, 200, { jsonrpc: "2.0", id, result: {} });
  };
  const { say, next, stdin, done } = bridge(ada);
  say({ id: 1, ...hello });
  say({ id: 2, method: "tools/list" });
  say({ method: "notifications/cancelled", params: { requestId: 2 } });
  say({ id: 3, method: "ping" });
  held.resolve();
  expect([await next(), await next()]).toMatchObject([{ id: 1 }, { id: 3 }]);
  expect(methods()).toEqual(["initialize", "ping"]);
  stdin.end();
  await done;
});

verifies("mcp.stdio-bridge", "an answer that breaks off is an error, and no silence", async () => {
  answer = (_message, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(": so far\n\n");
    res.destroy();
  };
  const { say, next, stdin, done } = bridge(ada);
  say({ id: 1, method: "tools/call", params: { name: "x", arguments: {}, _meta } });
  expect(await next()).toMatchObject({
    id: 1,
    error: { data: { error: { code: "internal", effect: "unknown" } } },
  });
  stdin.end();
  await done;
});

verifies(
  ["mcp.stdio-bridge", "sign-in.shared"],
  "who signs in, or another, is greeted anew as herself, and the client told",
  async () => {
    answer = ({ id }, res) =>
      json(res, 200, { jsonrpc: "2.0", id, result: { protocolVersion: "2025-11-25" } });
    const { say, next, stdin, done, become } = bridge(undefined);
    say({ id: 1, ...hello });
    expect(await next()).toMatchObject({ id: 1, result: { serverInfo: { name: "doorless" } } });
    say({ method: "notifications/initialized" });
    say({ id: 2, method: "tools/list" });
    expect(await next()).toMatchObject({ id: 2, result: { tools: [] } });
    expect(came).toEqual([]);
    for (const who of [ada, bob]) {
      become(who);
      expect(await next()).toMatchObject({ method: "notifications/tools/list_changed" });
      const as = `Bearer ${who.token.reveal()}`;
      expect(came).toMatchObject([
        { ...hello, as },
        { method: "notifications/initialized", as },
      ]);
      came.length = 0;
    }
    become(undefined);
    expect(await next()).toMatchObject({ method: "notifications/tools/list_changed" });
    say({ id: 3, method: "tools/call", params: { name: "x", arguments: {} } });
    expect(await next()).toMatchObject({
      id: 3,
      result: { structuredContent: { error: { code: "login_required" } } },
    });
    expect(came).toEqual([]);
    stdin.end();
    await done;
  },
);

verifies(
  ["mcp.stdio-bridge", "sign-in.shared"],
  "a subscription goes along, and its client is told on it, once",
  async () => {
    const streams: ServerResponse[] = [];
    const subscription = { "io.modelcontextprotocol/subscriptionId": 5 };
    answer = (_message, res) => {
      streams.push(res);
      res.writeHead(200, { "content-type": "text/event-stream" });
      const ack = {
        method: "notifications/subscriptions/acknowledged",
        params: { _meta: subscription },
      };
      res.write(`data: ${JSON.stringify({ jsonrpc: "2.0", ...ack })}\n\n`);
    };
    const { say, next, stdin, done, become } = bridge(undefined);
    const notifications = { toolsListChanged: true };
    say({ id: 5, method: "subscriptions/listen", params: { notifications, _meta } });
    expect(await next()).toMatchObject({ method: "notifications/subscriptions/acknowledged" });
    const changed = { method: "notifications/tools/list_changed", params: { _meta: subscription } };
    const there = nextThere();
    become(ada);
    expect(await there).toMatchObject({ id: 5, method: "subscriptions/listen" });
    expect(await next()).toMatchObject(changed);
    // What the doorless says on it afterwards arrives; that it stands was said.
    streams[0]?.write(`data: ${JSON.stringify({ jsonrpc: "2.0", ...changed })}\n\n`);
    expect(await next()).toMatchObject(changed);
    become(undefined);
    expect(await next()).toMatchObject(changed);
    stdin.end();
    await done;
  },
);

verifies(
  "mcp.stdio-bridge",
  "a subscription whose stream ends, or is refused for a while, is taken up again",
  async () => {
    const subscription = { "io.modelcontextprotocol/subscriptionId": 5 };
    const ack = {
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: { _meta: subscription },
    };
    let asked = 0;
    answer = (_message, res) => {
      asked++;
      if (asked === 2 || asked === 3) return res.writeHead(503).end();
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.write(`data: ${JSON.stringify(ack)}\n\n`);
      return asked === 1 ? res.end() : undefined;
    };
    const { say, next, stdin, done } = bridge(ada);
    const notifications = { toolsListChanged: true };
    say({ id: 5, method: "subscriptions/listen", params: { notifications, _meta } });
    expect(await next()).toEqual(ack);
    // Nothing is said of the end; that it stands again is, as a change that may have been missed.
    const params = { _meta: subscription };
    expect(await next()).toMatchObject({ method: "notifications/tools/list_changed", params });
    expect(asked).toBe(4);
    // One that never stood is refused as any request is.
    answer = (_message, res) => res.writeHead(503).end();
    say({ id: 6, method: "subscriptions/listen", params: { notifications, _meta } });
    expect(await next()).toMatchObject({ id: 6, error: { code: 1001 } });
    stdin.end();
    await done;
  },
);

verifies(
  "mcp.stdio-bridge",
  "a call that runs is still answered after another signs in",
  async () => {
    const held = Promise.withResolvers<void>();
    answer = async ({ id, method }, res) => {
      if (method === "tools/call") await held.promise;
      json(res, 200, { jsonrpc: "2.0", id, result: { of: method } });
    };
    const { say, next, stdin, done, become } = bridge(ada);
    const arrived = nextThere();
    say({ id: 1, method: "tools/call", params: { name: "x", arguments: {}, _meta } });
    await arrived;
    become(undefined);
    say({ id: 2, method: "tools/list", params: { _meta } });
    expect(await next()).toMatchObject({ id: 2, result: { tools: [] } });
    held.resolve();
    expect(await next()).toMatchObject({ id: 1, result: { of: "tools/call" } });
    stdin.end();
    await done;
  },
);

verifies("mcp.stdio-bridge", "a client that reads no more is not waited for", async () => {
  answer = () => undefined;
  const { say, stdout, done } = bridge(ada);
  const arrived = nextThere();
  say({ id: 1, method: "tools/call", params: { name: "x", arguments: {}, _meta } });
  await arrived;
  stdout.destroy();
  await done;
});

verifies("mcp.stdio-bridge", "lines that are no messages are answered, and read over", async () => {
  const { stdin, next, notes, done, say } = bridge(ada);
  const lines: readonly [string, number][] = [
    ["not JSON", -32_700],
    ['{"half":', -32_700],
    ["7", -32_600],
    ["[]", -32_600],
    ['{"jsonrpc":"2.0","id":1,"method":7}', -32_600],
  ];
  for (const [line, code] of lines) {
    stdin.write(`${line}\n`);
    expect(await next()).toMatchObject({ jsonrpc: "2.0", id: null, error: { code } });
  }
  expect(notes).toHaveLength(lines.length);
  for (const note of notes) expect(note).not.toMatch(/\n|zod|invalid_/i);
  stdin.write("\n  \r\n");
  say({ id: 2, method: "ping" });
  expect(await next()).toMatchObject({ id: 2 });
  stdin.end();
  await done;
});

verifies(
  "mcp.stdio-bridge",
  "an answer that comes as a stream is the only answer, once the stream ends as well",
  async () => {
    const { say, next, stdin, stdout, done } = bridge(ada);
    const closed = Promise.withResolvers<void>();
    answer = ({ id }, res) => {
      stream(res, { id, result: { of: id } });
      res.once("close", () => closed.resolve()).end();
    };
    say({ id: 1, ...call });
    expect(await next()).toMatchObject({ id: 1, result: { of: 1 } });
    await closed.promise;
    say({ id: 2, ...call });
    expect(await next()).toMatchObject({ id: 2, result: { of: 2 } });
    stdin.end();
    await done;
    stdout.end();
    await expect(next()).rejects.toThrow();
  },
);

const listen = {
  id: 5,
  method: "subscriptions/listen",
  params: { notifications: { toolsListChanged: true }, _meta },
};
const of_five = { _meta: { "io.modelcontextprotocol/subscriptionId": 5 } };
const acknowledged = { method: "notifications/subscriptions/acknowledged", params: of_five };
const changed = { method: "notifications/tools/list_changed" };

verifies(
  "mcp.stdio-bridge",
  "a subscription that broke off outlives a provider that is away for a moment",
  async () => {
    const { say, next, stdin, done, goAway, notes } = bridge(ada);
    let asked = 0;
    answer = (_message, res) => {
      stream(res, acknowledged);
      if (++asked > 1) return;
      goAway(2);
      res.end();
    };
    say(listen);
    expect(await next()).toMatchObject(acknowledged);
    expect(await next()).toMatchObject({ ...changed, params: of_five });
    expect(notes).toEqual(["the provider is away", "the provider is away"]);
    stdin.end();
    await done;
  },
);

/** A 2025 client, with its handshake done. */
async function greeted(who: SignedIn | undefined, again_ms?: number, drain_ms?: number) {
  const one = bridge(who, drain_ms, again_ms);
  one.say({ id: 1, ...hello });
  expect(await one.next()).toMatchObject({ id: 1 });
  one.say({ method: "notifications/initialized" });
  one.say({ id: 2, method: "ping" });
  expect(await one.next()).toMatchObject({ id: 2 });
  came.length = 0;
  return one;
}

verifies(
  ["mcp.stdio-bridge", "sign-in.shared"],
  "a handshake that fails while somebody signs in is repeated with the next message",
  async () => {
    const { say, next, stdin, done, become } = await greeted(undefined, 3_600_000);
    // Refused; an error; half of it; the whole.
    let asked = 0;
    answer = (message, res) => {
      if (message["method"] !== "initialize") {
        json(res, 200, { jsonrpc: "2.0", id: message["id"], result: { there: true } });
      } else if (++asked === 1) {
        res.writeHead(503).end();
      } else if (asked === 2) {
        const error = { code: 7, message: "not now" };
        json(res, 200, { jsonrpc: "2.0", id: message["id"], error });
      } else {
        greets(message, res);
      }
    };
    silent = (message) => {
      const isHalf = message["method"] === "notifications/initialized" && asked === 3;
      return isHalf ? 503 : isNoRequest(message);
    };
    const there = nextThere();
    become(ada);
    expect(await there).toMatchObject({ method: "initialize", as: "Bearer adas" });
    say({ id: 3, method: "tools/list" });
    expect(await next()).toMatchObject({
      id: 3,
      error: { code: 1001, data: { error: { code: "internal" } } },
    });
    say({ id: 4, method: "tools/list" });
    expect(await next()).toMatchObject({
      id: 4,
      error: { code: 1001, data: { error: { code: "identity_unavailable" } } },
    });
    say({ id: 5, method: "tools/list" });
    expect(await next()).toMatchObject(changed);
    expect(await next()).toMatchObject({ id: 5, result: { there: true } });
    stdin.end();
    await done;
    expect(methods().filter((method) => method !== "DELETE")).toEqual([
      "initialize",
      "initialize",
      "initialize",
      "notifications/initialized",
      "initialize",
      "notifications/initialized",
      "tools/list",
    ]);
    // The half one's transport session ended as well.
    expect(methods().filter((method) => method === "DELETE")).toHaveLength(2);
  },
);

verifies(
  ["mcp.stdio-bridge", "sign-in.shared"],
  "a client that says nothing hears of its tools, too, once the handshake succeeds",
  async () => {
    const { next, stdin, done, become, goAway, notes } = await greeted(undefined);
    let asked = 0;
    answer = (message, res) => (++asked < 3 ? res.writeHead(503).end() : greets(message, res));
    goAway(1);
    become(ada);
    expect(await next()).toMatchObject(changed);
    expect(notes).toHaveLength(3);
    expect(asked).toBe(3);
    stdin.end();
    await done;
  },
);
