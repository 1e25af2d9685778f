// The smallest MCP client of 2026-07-28: one POST, so that a test can get any byte of it wrong.

export interface Posted {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON-RPC message, or what the text is as JSON; `undefined` where it is none. */
  readonly message: Record<string, unknown> | undefined;
}

/** What an agent reads of a refused or failed call. */
interface Refused {
  readonly code: string;
  readonly message: string;
  readonly effect: string;
  readonly retry: string;
  readonly who_can_fix: string;
  readonly call_id: string;
  readonly details?: Record<string, unknown>;
}

const VERSION = "2026-07-28";

export function toolCall(name: string, args: unknown, meta: Record<string, unknown> = {}): unknown {
  return rpc("tools/call", { name, arguments: args }, meta);
}

export function rpc(
  method: string,
  params: Record<string, unknown> = {},
  meta: Record<string, unknown> = {},
): unknown {
  const envelope = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    ...meta,
  };
  return { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: envelope } };
}

export function mcpHeaders(method: string, name?: string): Record<string, string> {
  return {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": VERSION,
    "mcp-method": method,
    ...(name === undefined ? {} : { "mcp-name": name }),
  };
}

export async function post(
  url: string,
  headers: Record<string, string>,
  body: string,
): Promise<Posted> {
  const response = await fetch(url, { method: "POST", headers, body });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, message: messageIn(text) };
}

function messageIn(text: string): Record<string, unknown> | undefined {
  const data = /^data: (.*)$/m.exec(text)?.[1] ?? text;
  try {
    return JSON.parse(data) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

export interface Called extends Posted {
  readonly result: Record<string, unknown> | undefined;
  readonly error: Refused | undefined;
  readonly call_id: string;
}

/** One tools/call; `authorization` is the header's whole value, `key` its idempotency key. */
export async function callTool(
  url: string,
  authorization: string | undefined,
  name: string,
  args: unknown,
  key?: string,
): Promise<Called> {
  const headers = {
    ...mcpHeaders("tools/call", name),
    ...(authorization === undefined ? {} : { authorization }),
  };
  const meta_of_ours = key === undefined ? {} : { "doorless/idempotency_key": key };
  const posted = await post(url, headers, JSON.stringify(toolCall(name, args, meta_of_ours)));
  const result = posted.message?.["result"] as Record<string, unknown> | undefined;
  const structured = result?.["structuredContent"] as Record<string, unknown> | undefined;
  const meta = result?.["_meta"] as Record<string, unknown> | undefined;
  return {
    ...posted,
    result: structured,
    error: result?.["isError"] === true ? (structured?.["error"] as Refused) : undefined,
    call_id: (meta?.["doorless/call_id"] as string | undefined) ?? "",
  };
}
