// The stdio bridge: one client's messages to a doorless over HTTP, and back. No policy, no vault,
// no ledger is in here; whoever replaces it gains nothing (DESIGN section 5).
import { once } from "node:events";
import { SdkHttpError, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { UnauthorizedError } from "@modelcontextprotocol/client";
import type { JSONRPCMessage } from "@modelcontextprotocol/client";
import { McpServer } from "@modelcontextprotocol/server";
import type { CallToolResult } from "@modelcontextprotocol/server";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { refusal, refusalToError } from "../kernel/errors.ts";
import type { ErrorCode, ToolError } from "../kernel/errors.ts";
import type { Secret } from "../kernel/secret.ts";

const PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion";
const REFUSED = 1001;

/** Where the bridge has its tokens from: one that was given, or the stored sign-in. */
export interface TokenSource {
  /** The token to send now; `undefined` where nobody is signed in, or no longer. */
  current(): Promise<Secret | undefined>;
  /** The server did not take it. */
  refused(): Promise<void>;
  /** What the person runs to sign in. */
  readonly command: string;
}

export interface BridgeOptions {
  readonly url: URL;
  readonly tokens: TokenSource;
  readonly onNote: (text: string) => void;
}

/** Runs until the client closes its end. */
export async function runBridge(options: BridgeOptions): Promise<void> {
  const { url, tokens } = options;
  const stdio = new StdioServerTransport();
  const http = new StreamableHTTPClientTransport(url, {
    authProvider: {
      token: async () => (await tokens.current())?.reveal(),
      onUnauthorized: () => tokens.refused(),
    },
  });
  const bridge = new Bridge(stdio, http, options);
  const closed = new Promise<void>((resolve) => {
    stdio.onclose = resolve;
  });
  await http.start();
  await stdio.start();
  await closed;
  await bridge.end();
}

type Id = string | number;

class Bridge {
  private readonly stdio: StdioServerTransport;
  private readonly http: StreamableHTTPClientTransport;
  private readonly tokens: TokenSource;
  private readonly onNote: (text: string) => void;
  /** Requests of 2026-07-28 under way: there, cancelling is closing the request. */
  private readonly running = new Map<Id, AbortController>();
  private initialize_id: Id | undefined;

  constructor(
    stdio: StdioServerTransport,
    http: StreamableHTTPClientTransport,
    { tokens, onNote }: BridgeOptions,
  ) {
    this.stdio = stdio;
    this.http = http;
    this.tokens = tokens;
    this.onNote = onNote;
    stdio.onmessage = (message) => void this.up(message);
    stdio.onerror = (error) => onNote(`not understood: ${error.message}`);
    http.onmessage = (message) => this.down(message);
  }

  async end(): Promise<void> {
    for (const controller of this.running.values()) controller.abort();
    await this.http.terminateSession().catch(() => undefined);
    await this.http.close();
  }

  private async up(message: JSONRPCMessage): Promise<void> {
    if (this.cancels(message)) return;
    const id = "method" in message && "id" in message ? message.id : undefined;
    if (id !== undefined && "method" in message && message.method === "initialize") {
      this.initialize_id = id;
    }
    const controller = new AbortController();
    if (id !== undefined && isModern(message)) this.running.set(id, controller);
    try {
      if ((await this.tokens.current()) === undefined) return this.answerSignedOut(message);
      await this.http.send(message, { requestSignal: controller.signal });
    } catch (error) {
      if (id !== undefined && !controller.signal.aborted) this.answerFailure(id, error);
    }
  }

  private cancels(message: JSONRPCMessage): boolean {
    if (!("method" in message) || message.method !== "notifications/cancelled") return false;
    const id = (message.params as { requestId?: Id } | undefined)?.requestId;
    const controller = id === undefined ? undefined : this.running.get(id);
    if (id === undefined || controller === undefined) return false;
    this.running.delete(id);
    controller.abort();
    return true;
  }

  private down(message: JSONRPCMessage): void {
    if (!("method" in message) && message.id !== undefined) {
      this.running.delete(message.id);
      if (message.id === this.initialize_id && "result" in message) {
        const version = message.result["protocolVersion"];
        if (typeof version === "string") this.http.setProtocolVersion(version);
      }
    }
    this.write(message);
  }

  private write(message: JSONRPCMessage): void {
    this.stdio.send(message).catch(() => void this.stdio.close());
  }

  // Signed out meanwhile: the tools are gone, and a call says how to get them back.
  private answerSignedOut(message: JSONRPCMessage): void {
    if (!("method" in message) || !("id" in message)) return;
    const { id, method } = message;
    this.running.delete(id);
    const complete = isModern(message) ? { resultType: "complete" } : {};
    const answer = (result: Record<string, unknown>): void =>
      this.write({ jsonrpc: "2.0", id, result: { ...complete, ...result } });
    const error = signedOutError(this.tokens.command);
    switch (method) {
      case "tools/list":
        return answer(NO_TOOLS);
      case "tools/call":
        return answer({ ...signedOutResult(this.tokens.command) });
      default:
        this.write({
          jsonrpc: "2.0",
          id,
          error: { code: REFUSED, message: error.message, data: { error } },
        });
    }
  }

  // What HTTP says with a status, stdio says with an error: the client hears of every request.
  private answerFailure(id: Id, error: unknown): void {
    this.running.delete(id);
    const said = jsonRpcIn(error);
    if (said !== undefined) return this.write({ ...said, id });
    const code = codeOf(error);
    this.onNote(`${code}: ${error instanceof Error ? error.message : "unknown"}`);
    const inside = refusalToError(refusal(code));
    this.write({
      jsonrpc: "2.0",
      id,
      error: { code: REFUSED, message: inside.message, data: { error: inside } },
    });
  }
}

const NO_TOOLS = { tools: [], ttlMs: 0, cacheScope: "private" as const };

function signedOutError(command: string): ToolError {
  const reason = `Run \`${command}\` in a terminal, then restart this server in your client.`;
  return refusalToError(refusal("login_required", { reason }));
}

function signedOutResult(command: string): CallToolResult {
  const error = signedOutError(command);
  return {
    isError: true,
    content: [{ type: "text", text: `${error.code}: ${error.message}` }],
    structuredContent: { error },
  };
}

/** Serves nobody, in every era: no tools, and how to sign in. Runs until the client closes. */
export async function serveSignedOut(command: string, onNote: (text: string) => void) {
  const transport = new StdioServerTransport();
  const handle = serveStdio(
    () => {
      const info = { name: "doorless", title: "doorless (nobody is signed in)", version: "0" };
      const mcp = new McpServer(info, {
        capabilities: { tools: { listChanged: true } },
        instructions: signedOutError(command).message,
      });
      mcp.server.setRequestHandler("tools/list", () => NO_TOOLS);
      mcp.server.setRequestHandler("tools/call", () => signedOutResult(command));
      return mcp;
    },
    { transport, onerror: (error) => onNote(`not understood: ${error.message}`) },
  );
  await once(process.stdin, "close");
  await handle.close();
}

function isModern(message: JSONRPCMessage): boolean {
  if (!("method" in message)) return false;
  const meta = (message.params as { _meta?: Record<string, unknown> } | undefined)?._meta;
  return typeof meta?.[PROTOCOL_VERSION] === "string";
}

type JsonRpcError = Extract<JSONRPCMessage, { error: unknown }>;

function jsonRpcIn(error: unknown): JsonRpcError | undefined {
  if (!(error instanceof SdkHttpError)) return undefined;
  try {
    const { text } = error.data as { text?: unknown };
    if (typeof text !== "string") return undefined;
    const body = JSON.parse(text) as Record<string, unknown>;
    return body["jsonrpc"] === "2.0" && "error" in body ? (body as JsonRpcError) : undefined;
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof UnauthorizedError) return "invalid_token";
  if (!(error instanceof SdkHttpError)) return "internal";
  if (error.data.status === 401) return "invalid_token";
  return error.data.status === 503 ? "identity_unavailable" : "internal";
}
