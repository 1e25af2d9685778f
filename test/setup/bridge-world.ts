// A doorless that does what a test says, and bridges to it whose client is the test.
import { PassThrough } from "node:stream";
import { createInterface } from "node:readline";
import { json as bodyOf } from "node:stream/consumers";
import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, expect } from "vitest";
import { SignInFailed } from "../../src/identity/native.ts";
import { Secret } from "../../src/kernel/secret.ts";
import { runBridge } from "../../src/mcp/bridge.ts";
import type { SignedIn } from "../../src/mcp/side.ts";
import { MODERN } from "../interop/clients.ts";
import type { Json } from "../interop/clients.ts";
import { openPeer } from "./hostile-peer.ts";
import type { Peer } from "./hostile-peer.ts";
import { json } from "./hostile-provider.ts";

export const ada = { token: new Secret("adas"), who: "ada" };
export const bob = { token: new Secret("bobs"), who: "bob" };
export const hello = {
  method: "initialize",
  params: {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "x", version: "1" },
  },
};
export const _meta = {
  "io.modelcontextprotocol/protocolVersion": MODERN,
  "io.modelcontextprotocol/clientCapabilities": {},
};
/** What a stream says. */
export const event = (message: object): string =>
  `data: ${JSON.stringify({ jsonrpc: "2.0", ...message })}\n\n`;
/** Begins a stream. */
export const stream = (res: ServerResponse, ...messages: readonly object[]): void => {
  res.writeHead(200, { "content-type": "text/event-stream" });
  res.write(messages.map(event).join(""));
};
export const call = { method: "tools/call", params: { name: "x", arguments: {} } };
/** Answers the 2025 handshake, with a transport session that is named like the token. */
export const greets = ({ id, as }: Json, res: ServerResponse): void => {
  const headers = { "content-type": "application/json", "mcp-session-id": `of ${String(as)}` };
  const result = { protocolVersion: "2025-11-25" };
  res.writeHead(200, headers).end(JSON.stringify({ jsonrpc: "2.0", id, result }));
};
export const listen = {
  id: 5,
  method: "subscriptions/listen",
  params: { notifications: { toolsListChanged: true }, _meta },
};
export const of_five = { _meta: { "io.modelcontextprotocol/subscriptionId": 5 } };
export const acknowledged = { method: "notifications/subscriptions/acknowledged", params: of_five };
export const changed = { method: "notifications/tools/list_changed" };

export const isNoRequest = ({ id, method }: Json): 202 | undefined =>
  id === undefined || method === undefined ? 202 : undefined;

/** One for all tests of a file, new for each. */
export function bridgeWorld() {
  let peer: Peer;
  let heard: ((message: Json) => void)[] = [];
  const world = {
    /** What came to the doorless, in order; the end of a transport session as `DELETE`. */
    came: [] as Json[],
    /** What it does with a request; without, `{}` for each. */
    answer: (({ id }, res) => json(res, 200, { jsonrpc: "2.0", id, result: {} })) as Answers,
    /** The status of what gets no more than that; `undefined` for what `answer` is for. */
    silent: isNoRequest as (message: Json) => number | undefined,
    get origin(): string {
      return peer.origin;
    },
    next: (): Promise<Json> => new Promise((resolve) => void heard.push(resolve)),
    methods: () => world.came.map(({ method }) => method),
    bridge: (who: SignedIn | undefined, drain_ms?: number, again_ms?: number) =>
      openBridge(() => peer.origin, who, drain_ms, again_ms),
    /** A 2025 client, with its handshake done. */
    async greeted(who: SignedIn | undefined, again_ms?: number, drain_ms?: number) {
      const one = world.bridge(who, drain_ms, again_ms);
      one.say({ id: 1, ...hello });
      expect(await one.next()).toMatchObject({ id: 1 });
      one.say({ method: "notifications/initialized" });
      one.say({ id: 2, method: "ping" });
      expect(await one.next()).toMatchObject({ id: 2 });
      world.came.length = 0;
      return one;
    },
  };
  const { answer } = world;
  beforeEach(async () => {
    heard = [];
    Object.assign(world, { came: [], silent: isNoRequest, answer });
    peer = await openPeer();
    peer.serve(async (req, res) => {
      if (req.method === "GET") return res.writeHead(405).end();
      const isEnd = req.method === "DELETE";
      const message = isEnd ? { method: "DELETE" } : ((await bodyOf(req)) as Json);
      const { authorization: as, "mcp-session-id": session } = req.headers;
      const one = { ...message, as, ...(session === undefined ? {} : { session }) };
      world.came.push(one);
      for (const hear of heard.splice(0)) hear(one);
      const status = world.silent(one);
      return status === undefined ? world.answer(one, res) : res.writeHead(status).end();
    });
  });
  afterEach(() => peer.close());
  return world;
}

type Answers = (message: Json, res: ServerResponse) => unknown;

function openBridge(
  origin: () => string,
  who: SignedIn | undefined,
  drain_ms = 10_000,
  again_ms = 5,
) {
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
    connect: async () => new URL(`${origin()}/mcp/desk`),
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
