// A bridge has two sides: a doorless over HTTP, as somebody who is signed in; and, while nobody is,
// a server of its own that has nothing but the way to sign in.
import { setTimeout as sleep } from "node:timers/promises";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { JSONRPCMessage } from "@modelcontextprotocol/client";
import { McpServer } from "@modelcontextprotocol/server";
import type { CallToolResult, Transport } from "@modelcontextprotocol/server";
import { serveStdio } from "@modelcontextprotocol/server/stdio";
import { refusal, refusalToError } from "../kernel/errors.ts";
import type { ToolError } from "../kernel/errors.ts";
import type { Secret } from "../kernel/secret.ts";
import { cancelledBy } from "./message.ts";

export interface SignedIn {
  readonly token: Secret;
  /** Names this one sign-in: another person's, or a later one, is another. */
  readonly who: string;
}

/** Where the bridge has its tokens from: one that was given, or the stored sign-in. */
export interface TokenSource {
  /** The token to send now; `undefined` where nobody is signed in, or no longer. */
  current(): Promise<SignedIn | undefined>;
  /** The server did not take it. */
  refused(): Promise<void>;
  /** Hears when somebody else is signed in, or nobody any more. Answers with how to stop. */
  onChange(tell: () => void): () => void;
  /** What the person runs to sign in. */
  readonly command: string;
}

/** Whoever goes does not wait for a server that answers no more. */
const ENDING_MS = 4000;

/** What to do with one request, as long as it runs. */
interface Asking {
  readonly signal: AbortSignal;
  /** No more will come of it, whether it was answered or not. */
  readonly onEnd: () => void;
}

export interface Side {
  /** Whose it is; `undefined` where nobody is signed in. */
  readonly who: string | undefined;
  /** Sends one message on. Rejects where it cannot be, or was not taken. */
  send(message: JSONRPCMessage, asking?: Asking): Promise<void>;
  /** The revision that a 2025 handshake agreed on. */
  setProtocolVersion(version: string): void;
  close(): Promise<void>;
}

/** Gets whatever comes from a side, in order. */
export type Hear = (message: JSONRPCMessage, side: Side) => void;

/** The doorless at `url`, as `who`. */
export async function openUpstream(
  url: URL,
  who: string,
  tokens: TokenSource,
  hear: Hear,
): Promise<Side> {
  /** The last token of hers: what she began is cancelled and ended with it, and nothing else. */
  let last: Secret | undefined;
  /** What is being said to it that has no answer. */
  const said = new Set<Promise<void>>();
  const http = new StreamableHTTPClientTransport(url, {
    authProvider: {
      async token() {
        const now = await tokens.current();
        // A session of hers must not go on as somebody else's.
        if (now?.who !== who) return undefined;
        last = now.token;
        return last.reveal();
      },
      async onUnauthorized() {
        // The next person's token is not the one that was refused.
        if ((await tokens.current())?.who === who) await tokens.refused();
      },
    },
    fetch(input, init) {
      if (!isEnding(init)) return fetch(input, init);
      const headers = new Headers(init?.headers);
      const isLeft = !headers.has("authorization");
      if (isLeft && last !== undefined) headers.set("authorization", `Bearer ${last.reveal()}`);
      return fetch(input, { ...init, headers, signal: AbortSignal.timeout(ENDING_MS) });
    },
  });
  const side: Side = {
    who,
    async send(message, asking) {
      if (asking !== undefined) {
        const { signal, onEnd } = asking;
        return http.send(message, { requestSignal: signal, onRequestStreamEnd: onEnd });
      }
      const sent = http.send(message);
      said.add(sent);
      return sent.finally(() => said.delete(sent));
    },
    setProtocolVersion: (version) => http.setProtocolVersion(version),
    async close() {
      // What is said is let arrive, but for no longer than an ending may take.
      await Promise.race([Promise.allSettled(said), sleep(ENDING_MS, undefined, { ref: false })]);
      await http.terminateSession().catch(() => undefined);
      await http.close();
    },
  };
  http.onmessage = (message) => hear(message, side);
  await http.start();
  return side;
}

/** Whether it does no more than cancel a request, or end a transport session. */
function isEnding({ method, body }: RequestInit = {}): boolean {
  if (method === "DELETE") return true;
  return typeof body === "string" && cancelledBy(JSON.parse(body) as JSONRPCMessage) !== undefined;
}

/** Nobody, in every era: no tools, and how to sign in. */
export function openSignedOut(command: string, hear: Hear, onNote: (text: string) => void): Side {
  const channel: Transport = {
    start: async () => undefined,
    send: async (message) => hear(message, side),
    close: async () => undefined,
  };
  const handle = serveStdio(() => signedOutServer(command), {
    transport: channel,
    onerror: (error) => onNote(`not understood: ${error.message}`),
  });
  const side: Side = {
    who: undefined,
    async send(message, asking) {
      channel.onmessage?.(message);
      if (!("id" in message)) return;
      const params = { requestId: message.id };
      asking?.signal.addEventListener("abort", () => {
        channel.onmessage?.({ jsonrpc: "2.0", method: "notifications/cancelled", params });
      });
    },
    setProtocolVersion: () => undefined,
    close: () => handle.close(),
  };
  return side;
}

function signedOutServer(command: string): McpServer {
  const error = signedOutError(command);
  const info = { name: "doorless", title: "doorless (nobody is signed in)", version: "0" };
  const mcp = new McpServer(info, {
    capabilities: { tools: { listChanged: true } },
    instructions: error.message,
  });
  const nothing = { tools: [], ttlMs: 0, cacheScope: "private" as const };
  mcp.server.setRequestHandler("tools/list", () => nothing);
  mcp.server.setRequestHandler("tools/call", (): CallToolResult => ({
    isError: true,
    content: [{ type: "text", text: `${error.code}: ${error.message}` }],
    structuredContent: { error },
  }));
  return mcp;
}

function signedOutError(command: string): ToolError {
  const reason =
    `Run \`${command}\` in a terminal. The tools are there then, or, where a client does not ask ` +
    "for them again, once this server is restarted in it.";
  return refusalToError(refusal("login_required", { reason }));
}
