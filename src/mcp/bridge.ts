// The stdio bridge: one client's messages to a doorless over HTTP, and back. No policy, no vault,
// no ledger is in here; whoever replaces it gains nothing (DESIGN section 5).
import { SdkHttpError, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { UnauthorizedError } from "@modelcontextprotocol/client";
import type { JSONRPCMessage } from "@modelcontextprotocol/client";
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { refusal, refusalToError } from "../kernel/errors.ts";
import type { ErrorCode } from "../kernel/errors.ts";
import type { Secret } from "../kernel/secret.ts";

const PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion";
const REFUSED = 1001;

export interface BridgeOptions {
  readonly url: URL;
  readonly token: Secret;
  readonly onNote: (text: string) => void;
}

/** Runs until the client closes its end. */
export async function runBridge(options: BridgeOptions): Promise<void> {
  const { url, token } = options;
  const stdio = new StdioServerTransport();
  const http = new StreamableHTTPClientTransport(url, {
    requestInit: { headers: { authorization: `Bearer ${token.reveal()}` } },
  });
  const bridge = new Bridge(stdio, http, options.onNote);
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
  private readonly onNote: (text: string) => void;
  /** Requests of 2026-07-28 under way: there, cancelling is closing the request. */
  private readonly running = new Map<Id, AbortController>();
  private initialize_id: Id | undefined;

  constructor(
    stdio: StdioServerTransport,
    http: StreamableHTTPClientTransport,
    onNote: (text: string) => void,
  ) {
    this.stdio = stdio;
    this.http = http;
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
