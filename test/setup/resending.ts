// An agent that sends its writes again: with a key, without, and on connections that it cuts.
import { once } from "node:events";
import { expect } from "vitest";
import type { Boundary } from "./boundary.ts";
import { ITEM } from "./hostile-peer.ts";
import { mcpHeaders, post, rpc, toolCall } from "./mcp-post.ts";
import { Line } from "./raw-http.ts";

export interface Write {
  readonly args: Readonly<Record<string, unknown>>;
  readonly tool?: string;
  readonly key?: unknown;
  readonly agent?: string;
}

export interface Sent {
  readonly status: number;
  /** The whole JSON-RPC message, as text. */
  readonly text: string;
  readonly content: unknown;
  readonly result: Record<string, unknown> | undefined;
  readonly error: Record<string, unknown> | undefined;
  readonly protocol_error: Record<string, unknown> | undefined;
  readonly call_id: string;
  /** The call whose answer this is, where it says that it is another's. */
  readonly first: string | undefined;
}

type Headers = Record<string, string>;

const ACCEPT = "application/json, text/event-stream";

export class Sender {
  private readonly boundary: Boundary;
  private readonly token: string;
  /** Of a session of 2025-11-25; nothing in 2026-07-28. */
  private readonly legacy: Headers | undefined;
  private id = 1;

  private constructor(boundary: Boundary, token: string, legacy?: Headers) {
    this.boundary = boundary;
    this.token = token;
    this.legacy = legacy;
  }

  static modern(boundary: Boundary, token: string): Sender {
    return new Sender(boundary, token);
  }

  static async legacy(boundary: Boundary, token: string): Promise<Sender> {
    const plain = { "content-type": "application/json", accept: ACCEPT };
    const authorization = `Bearer ${token}`;
    const params = {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "a test", version: "0" },
    };
    const body = { jsonrpc: "2.0", id: 1, method: "initialize", params };
    const url = `${boundary.url}/mcp/desk`;
    const posted = await post(url, { ...plain, authorization }, JSON.stringify(body));
    const id = posted.headers.get("mcp-session-id") ?? "";
    const its = { ...plain, "mcp-session-id": id, "mcp-protocol-version": "2025-11-25" };
    return new Sender(boundary, token, its);
  }

  async send(write: Write): Promise<Sent> {
    const { url, headers, body } = this.requestOf(write);
    return read(await post(url, headers, body));
  }

  /** Sends it, and cuts the connection when `when` resolves. Resolves when both ends have it so. */
  async sendAndCut(write: Write, when: Promise<unknown>): Promise<void> {
    const { url, headers, body } = this.requestOf(write);
    const { pathname, host, origin } = new URL(url);
    const line = await Line.open(origin);
    const said = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    const bytes = Buffer.byteLength(body);
    const head = [
      `POST ${pathname} HTTP/1.1`,
      `Host: ${host}`,
      ...said,
      `Content-Length: ${bytes}`,
    ];
    line.send(`${head.join("\r\n")}\r\n\r\n${body}`);
    await when;
    const closed = once(line.socket, "close");
    // The server ends its half when it has seen the end of this one, and not before.
    line.socket.end();
    await closed;
  }

  private requestOf({ args, tool = "item_rename", key, agent = "desk" }: Write) {
    const meta = key === undefined ? {} : { "doorless/idempotency_key": key };
    const authorization = `Bearer ${this.token}`;
    const url = `${this.boundary.url}/mcp/${agent}`;
    if (this.legacy === undefined) {
      const headers = { ...mcpHeaders("tools/call", tool), authorization };
      return { url, headers, body: JSON.stringify(toolCall(tool, args, meta)) };
    }
    const params = { name: tool, arguments: args, _meta: meta };
    const body = { ...(rpc("tools/call") as object), id: ++this.id, params };
    return { url, headers: { ...this.legacy, authorization }, body: JSON.stringify(body) };
  }
}

function read({ status, text, message }: Awaited<ReturnType<typeof post>>): Sent {
  const result = message?.["result"] as Record<string, unknown> | undefined;
  const structured = result?.["structuredContent"] as Record<string, unknown> | undefined;
  const meta = (result?.["_meta"] ?? {}) as Record<string, unknown>;
  const isError = result?.["isError"] === true;
  return {
    status,
    text,
    content: result?.["content"],
    result: isError ? undefined : structured,
    error: isError ? (structured?.["error"] as Record<string, unknown>) : undefined,
    protocol_error: message?.["error"] as Record<string, unknown> | undefined,
    call_id: String(meta["doorless/call_id"]),
    first: meta["doorless/replayed"] === true ? String(meta["doorless/first_call_id"]) : undefined,
  };
}

export interface HeldAnswer {
  /** The API has the request, and its change is made. */
  readonly arrived: Promise<void>;
  readonly release: () => void;
}

/** The API makes the next change and answers when it is told to; later ones at once. */
export function holdAnswer(boundary: Boundary): HeldAnswer {
  const arrived = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  boundary.api.answer = async (res) => {
    boundary.api.answer = undefined;
    arrived.resolve();
    await released.promise;
    if (res.destroyed) return;
    res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(ITEM));
  };
  return { arrived: arrived.promise, release: released.resolve };
}

/** The very answer of the first, under another call's id. */
export function expectReplay(again: Sent, first: Sent): void {
  expect(again.first).toBe(first.call_id);
  expect(again.call_id).not.toBe(first.call_id);
  expect([again.content, again.result, again.error]).toEqual([
    first.content,
    first.result,
    first.error,
  ]);
}
