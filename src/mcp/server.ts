// The MCP server of one request or one session: raw handlers over the gate, the same in every era.
// `registerTool` is not used: its `disable()` answers "disabled", which is a closed door.
import {
  CLIENT_INFO_META_KEY,
  McpServer,
  ProtocolError,
  ProtocolErrorCode,
} from "@modelcontextprotocol/server";
import type {
  AuthInfo,
  CallToolResult,
  Implementation,
  ServerContext,
} from "@modelcontextprotocol/server";
import type { AgentConfig } from "../config/schema.ts";
import type { CallAnswer, Entry } from "../gate/call.ts";
import type { Gate } from "../gate/gate.ts";
import { refusalToError } from "../kernel/errors.ts";
import type { ClientClaim } from "../session/sessions.ts";
import { askBeside, askWithResult, elicit, formOf, isModern, saidIn } from "./elicit.ts";
import type { Errand } from "./elicit.ts";

/** Ours, outside -32768…-32000 which JSON-RPC and MCP reserve: a refused list. */
const REFUSED = 1001;
const IDEMPOTENCY_KEY_CHARS_MAX = 256;
const CLAIM_CHARS_MAX = 128;

/** Carries an entry through the SDK, which knows only AuthInfo. The token stays behind. */
export function authInfoOf(entry: Entry, delivered?: Promise<boolean>): AuthInfo {
  const { credential } = entry;
  return {
    token: "[withheld]",
    clientId: credential.client_id,
    scopes: [...credential.scopes],
    expiresAt: Math.floor(credential.expires_at_ms / 1000),
    extra: { entry, delivered },
  };
}

function entryOf(context: ServerContext): Entry {
  const entry = context.http?.authInfo?.extra?.["entry"];
  if (entry === undefined) throw new Error("a request without an entry reached a handler");
  return entry as Entry;
}

// Whether the answer of this request reaches its client.
function deliveredOf(context: ServerContext): { delivered?: Promise<boolean> } {
  const delivered = context.http?.authInfo?.extra?.["delivered"];
  return delivered === undefined ? {} : { delivered: delivered as Promise<boolean> };
}

export interface McpServerOptions {
  readonly gate: Gate;
  readonly agent: AgentConfig;
  readonly version: string;
  /** Calls `tell` once, when this user has done what she was sent to a page for. */
  readonly whenDone: (entry: Entry, errand: Errand, tell: () => void) => void;
  /** What a client that may ask says to its user. */
  readonly questionOf: (approval: string) => string | undefined;
  readonly form_timeout_ms: number;
}

/** A server for one agent. Which tools there are is asked of the gate, each time anew. */
export function createMcpServer(options: McpServerOptions): McpServer {
  const { gate, agent, version } = options;
  const mcp = new McpServer(
    { name: "doorless", title: agent.title, version },
    { capabilities: { tools: { listChanged: true } }, instructions: agent.purpose },
  );
  const enter = (context: ServerContext): Entry => {
    const entry = entryOf(context);
    gate.meet(entry, clientOf(mcp, context));
    return entry;
  };
  mcp.server.setRequestHandler("tools/list", (_request, context) => {
    const listed = gate.list(enter(context));
    if (!listed.ok) {
      const error = refusalToError(listed.refusal);
      throw new ProtocolError(REFUSED, error.message, { error });
    }
    // A client that cached this would not notice a revocation (MCP 2026-07-28, caching).
    const fresh = { ttlMs: 0, cacheScope: "private" as const };
    return { tools: listed.value.map((tool) => ({ ...tool })) as never, ...fresh };
  });
  mcp.server.setRequestHandler("tools/call", async (request, context) => {
    const { name, arguments: args = {} } = request.params;
    const meta = context.mcpReq._meta;
    const entry = enter(context);
    const asked = {
      tool: name,
      args,
      traceparent: meta?.["traceparent"],
      idempotency_key: idempotencyKeyOf(meta),
      said: saidIn(context),
      signal: context.mcpReq.signal,
      ...deliveredOf(context),
    };
    const answer = await gate.call(entry, asked);
    if (answer.kind !== "error") return toResult(answer);
    const form = gate.mayAsk(entry)
      ? formOf(answer.error, mcp, context, options.questionOf)
      : undefined;
    if (form !== undefined && isModern(context)) return askWithResult(form);
    if (form !== undefined) {
      const said = await askBeside(form, context, options.form_timeout_ms);
      // It may have taken a while: who it is, and what she has, is looked at anew.
      if (said !== undefined) return toResult(await gate.callAnew(entry, { ...asked, said }));
    }
    const whenDone = (errand: Errand, tell: () => void): void =>
      options.whenDone(entry, errand, tell);
    return elicit(answer.error, { mcp, context, whenDone }) ?? toResult(answer);
  });
  return mcp;
}

// 2026-07-28 says it with each request, the older revisions once per session.
function clientOf(mcp: McpServer, context: ServerContext): ClientClaim | undefined {
  const envelope = context.mcpReq.envelope as Record<string, Implementation> | undefined;
  const said = envelope?.[CLIENT_INFO_META_KEY] ?? mcp.server.getClientVersion();
  if (said === undefined) return undefined;
  const cut = (text: string): string => text.slice(0, CLAIM_CHARS_MAX);
  return { name: cut(said.name), version: cut(said.version) };
}

function idempotencyKeyOf(meta: Readonly<Record<string, unknown>> | undefined) {
  const key = meta?.["doorless/idempotency_key"];
  if (key === undefined) return undefined;
  const isText = typeof key === "string" && key !== "" && key.isWellFormed();
  if (isText && key.length <= IDEMPOTENCY_KEY_CHARS_MAX) return key;
  // Whoever sends one means that a write must not happen twice: it is not passed over.
  const expected = `a text of 1 to ${IDEMPOTENCY_KEY_CHARS_MAX} characters`;
  const message = `doorless/idempotency_key: expected ${expected}`;
  throw new ProtocolError(ProtocolErrorCode.InvalidParams, message);
}

function toResult(answer: CallAnswer): CallToolResult {
  switch (answer.kind) {
    case "result":
      return {
        content: [{ type: "text", text: answer.text ?? JSON.stringify(answer.result) }],
        structuredContent: answer.result,
        _meta: metaOf(answer),
      };
    case "error": {
      const { error } = answer;
      return {
        isError: true,
        content: [{ type: "text", text: `${error.code}: ${error.message}` }],
        structuredContent: { error },
        _meta: metaOf(answer),
      };
    }
    case "unknown_tool":
      // Nothing here may depend on why: hidden, draft and never existed are one answer.
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `Unknown tool: ${answer.tool}`);
  }
}

function metaOf({ call_id, replay_of }: { call_id: string; replay_of?: string | undefined }) {
  const own = { "doorless/call_id": call_id };
  if (replay_of === undefined) return own;
  return { ...own, "doorless/replayed": true, "doorless/first_call_id": replay_of };
}
