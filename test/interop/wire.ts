// MCP byte for byte: requests written by hand, answers as they came, in both eras.
import { Agent, request } from "node:http";
import { MODERN } from "./clients.ts";
import type { Json } from "./clients.ts";

export interface Reply {
  readonly status: number;
  /** Names and values in the order of the wire. */
  readonly raw_headers: readonly string[];
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

export interface Sent {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}

const sockets = new Agent({ keepAlive: true });

/** One HTTP exchange; rejects when the connection breaks or `signal` ends it. */
export function send({ url, method = "POST", headers, body, signal }: Sent): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { method, headers, agent: sockets, ...(signal ? { signal } : {}) };
    const req = request(url, options, (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("error", reject);
      res.on("end", () => {
        const text = Buffer.concat(chunks).toString("latin1");
        const { statusCode: status = 0, rawHeaders: raw_headers, headers: named } = res;
        resolve({ status, raw_headers, headers: named, body: text });
      });
    });
    req.on("error", reject);
    req.end(body);
  });
}

/** The JSON of an answer, whether it came plain or as the one event of a stream. */
export function jsonOf({ body }: Reply): Json {
  const text = Buffer.from(body, "latin1").toString("utf8");
  const [, data] = /^data: (.*)$/m.exec(text) ?? [];
  return JSON.parse(data ?? text) as Json;
}

export interface Wire {
  readonly era: "2026-07-28" | "2025-11-25";
  /** Answers to `method`; the id is 7 unless another is given. */
  readonly ask: (method: string, params?: Json, options?: AskOptions) => Promise<Reply>;
}

export interface AskOptions {
  readonly id?: string | number;
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

const ACCEPT = "application/json, text/event-stream";

function headersFor(token: string): Record<string, string> {
  return {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    accept: ACCEPT,
  };
}

/** 2026-07-28: each request says everything. */
export function modernWire(url: string, token: string): Wire {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": { name: "wire", version: "1" },
  };
  return {
    era: MODERN,
    ask(method, params = {}, { id = 7, headers = {}, signal } = {}) {
      const body = { jsonrpc: "2.0", id, method, params: { _meta: meta, ...params } };
      const name = params["name"];
      return send({
        url,
        headers: {
          ...headersFor(token),
          "mcp-protocol-version": MODERN,
          "mcp-method": method,
          ...(typeof name === "string" ? { "mcp-name": headerValue(name) } : {}),
          ...headers,
        },
        body: JSON.stringify(body),
        ...(signal ? { signal } : {}),
      });
    },
  };
}

// MCP 2026-07-28, transports: what a header cannot carry travels as Base64 between marks.
function headerValue(name: string): string {
  const plain = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(name);
  return plain ? name : `=?base64?${Buffer.from(name).toString("base64")}?=`;
}

export interface OlderWire extends Wire {
  readonly session: string;
  readonly notify: (method: string, params?: Json) => Promise<Reply>;
  readonly end: () => Promise<Reply>;
}

/** The older revisions: one `initialize`, then a session id with every request. */
export async function olderWire(url: string, token: string): Promise<OlderWire> {
  const opened = await send({ url, headers: headersFor(token), body: initialize() });
  const session = String(opened.headers["mcp-session-id"]);
  const wire = resumeOlderWire(url, token, session);
  await wire.notify("notifications/initialized");
  return wire;
}

export function initialize(id: string | number = 1): string {
  const clientInfo = { name: "wire", version: "1" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  return JSON.stringify({ jsonrpc: "2.0", id, method: "initialize", params });
}

/** Goes on with a session id, whoever opened it. */
export function resumeOlderWire(url: string, token: string, session: string): OlderWire {
  const fixed = {
    ...headersFor(token),
    "mcp-protocol-version": "2025-11-25",
    "mcp-session-id": session,
  };
  const say = (message: Json, headers: Record<string, string>, signal?: AbortSignal) =>
    send({
      url,
      headers: { ...fixed, ...headers },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
      ...(signal ? { signal } : {}),
    });
  return {
    era: "2025-11-25",
    session,
    ask: (method, params = {}, { id = 7, headers = {}, signal } = {}) =>
      say({ id, method, params }, headers, signal),
    notify: (method, params = {}) => say({ method, params }, {}),
    end: () => send({ url, method: "DELETE", headers: fixed }),
  };
}
