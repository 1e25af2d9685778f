// What a client says in each era, ready to be written to a socket.

export type Era = "2026-07-28" | "2025-11-25";

export interface Target {
  readonly port: number;
  readonly path: string;
  /** Sent to both servers, so that both read the same bytes; one of them ignores it. */
  readonly token: string;
  /** What is called, where it is not the usual deal. */
  readonly call?: { readonly name: string; readonly args: Readonly<Record<string, unknown>> };
}

export interface Case {
  readonly era: Era;
  readonly method: "tools/call" | "tools/list";
  /** What a right answer holds. */
  readonly expect: string;
}

export const TOOL = "crm_get_deal";
export const DEAL = 42;

const CLIENT = { name: "bench", version: "1" };

const USUAL = { name: TOOL, args: { id: DEAL } };

function paramsOf({ call = USUAL }: Target, { era, method }: Case): object {
  const asked = method === "tools/call" ? { name: call.name, arguments: call.args } : {};
  if (era === "2025-11-25") return asked;
  const named = "io.modelcontextprotocol";
  const _meta = {
    [`${named}/protocolVersion`]: era,
    [`${named}/clientInfo`]: CLIENT,
    [`${named}/clientCapabilities`]: {},
  };
  return { ...asked, _meta };
}

function headersOf(target: Target, era: Era, session: string | undefined): Record<string, string> {
  return {
    host: `127.0.0.1:${target.port}`,
    authorization: `Bearer ${target.token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": era,
    ...(session === undefined ? {} : { "mcp-session-id": session }),
  };
}

/** The bytes of a request by its id. Ids have seven digits, so that every request is as long. */
export function requestText(target: Target, what: Case, session: string | undefined) {
  const { era, method } = what;
  const { name: tool } = target.call ?? USUAL;
  const named = method === "tools/call" ? { "mcp-name": tool } : {};
  const modern = era === "2026-07-28" ? { "mcp-method": method, ...named } : {};
  const [before = "", after = ""] = JSON.stringify({
    jsonrpc: "2.0",
    id: 7_777_777,
    method,
    params: paramsOf(target, what),
  }).split("7777777");
  const headers: Record<string, string> = { ...headersOf(target, era, session), ...modern };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const length = before.length + 7 + after.length;
  const head = [`POST ${target.path} HTTP/1.1`, ...lines, `content-length: ${length}`].join("\r\n");
  return (id: number): string => `${head}\r\n\r\n${before}${id}${after}`;
}

/** 2025-11-25 begins with a handshake; 2026-07-28 has no session. */
export async function openSession(
  target: Target,
  era: Era,
): Promise<{ id: string | undefined; close: () => Promise<void> }> {
  if (era === "2026-07-28") return { id: undefined, close: async () => undefined };
  const url = `http://127.0.0.1:${target.port}${target.path}`;
  const post = (session: string | undefined, message: object): Promise<Response> => {
    const { host: _, ...headers } = headersOf(target, era, session);
    return fetch(url, { method: "POST", headers, body: JSON.stringify(message) });
  };
  const params = { protocolVersion: era, capabilities: {}, clientInfo: CLIENT };
  const first = await post(undefined, { jsonrpc: "2.0", id: 1, method: "initialize", params });
  const answer = await first.text();
  const id = first.headers.get("mcp-session-id");
  if (id === null) throw new Error(`no session: ${first.status} ${answer}`);
  await post(id, { jsonrpc: "2.0", method: "notifications/initialized" });
  return {
    id,
    async close() {
      const { host: _, ...headers } = headersOf(target, era, id);
      await fetch(url, { method: "DELETE", headers });
    },
  };
}
