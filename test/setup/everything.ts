// The reference MCP server `everything` over streamable HTTP, on loopback alone: its own program
// listens everywhere. What it says can be changed on its way, as an update of it would.
import { randomUUID } from "node:crypto";
import { createServer as createHttp } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
// @ts-expect-error The reference server from npm has no types of its own.
import * as reference from "@modelcontextprotocol/server-everything/dist/server/index.js";

const { createServer } = reference as {
  createServer: () => { server: McpServer; cleanup: (session?: string) => void };
};

interface Seen {
  readonly method: string | undefined;
  readonly authorization: string | undefined;
  readonly session: string | undefined;
}

export interface Everything {
  readonly url: string;
  /** Each request that came, oldest first. */
  readonly seen: Seen[];
  /** From now on it says the second where it would have said the first. */
  say(before: string, after: string): void;
  /** Ends every session, as a restart does. */
  forget(): Promise<void>;
  close(): Promise<void>;
}

interface Session {
  readonly transport: StreamableHTTPServerTransport;
  readonly end: () => Promise<void>;
}

export async function openEverything(): Promise<Everything> {
  const sessions = new Map<string, Session>();
  const said = new Map<string, string>();
  const seen: Seen[] = [];
  const http = createHttp((req, res) => {
    edit(res, said);
    serve(req, res, sessions, seen).catch(() => res.destroy());
  });
  await new Promise<void>((done) => http.listen(0, "127.0.0.1", done));
  const forget = async (): Promise<void> => {
    const all = [...sessions.values()];
    sessions.clear();
    await Promise.all(all.map(({ end }) => end()));
  };
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`,
    seen,
    say: (before, after) => void said.set(before, after),
    forget,
    async close() {
      await forget();
      http.closeAllConnections();
      await new Promise((done) => http.close(done));
    },
  };
}

async function serve(
  req: IncomingMessage,
  res: ServerResponse,
  sessions: Map<string, Session>,
  seen: Seen[],
): Promise<void> {
  const session = req.headers["mcp-session-id"];
  const { authorization } = req.headers;
  const body = JSON.parse(await text(req)) as { method?: string };
  seen.push({ method: body.method, authorization, session: [session].flat()[0] });
  const known = typeof session === "string" ? sessions.get(session) : await begun(sessions);
  if (known !== undefined) return known.transport.handleRequest(req, res, body);
  res.writeHead(404, { "content-type": "application/json" });
  res.end(JSON.stringify({ jsonrpc: "2.0", error: { code: -32001, message: "none" }, id: null }));
}

async function begun(sessions: Map<string, Session>): Promise<Session> {
  const { server, cleanup } = createServer();
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void sessions.set(id, session),
  });
  const end = async (): Promise<void> => {
    cleanup(transport.sessionId);
    await server.close();
  };
  const session = { transport, end };
  await server.connect(transport);
  return session;
}

function edit(res: ServerResponse, said: ReadonlyMap<string, string>): void {
  const write = res.write.bind(res) as (chunk: unknown, ...rest: unknown[]) => boolean;
  res.write = (chunk: unknown, ...rest: unknown[]): boolean => {
    let whole = typeof chunk === "string" ? chunk : Buffer.from(chunk as Uint8Array).toString();
    for (const [before, after] of said) whole = whole.replaceAll(before, after);
    return write(whole, ...rest);
  };
  // What is changed has another length.
  const head = res.writeHead.bind(res);
  res.writeHead = ((status: number, headers?: object) => {
    const kept = Object.entries(headers ?? {}).filter(([name]) => !/^content-length$/i.test(name));
    return head(status, Object.fromEntries(kept));
  }) as typeof res.writeHead;
}

async function text(req: IncomingMessage): Promise<string> {
  let whole = "";
  for await (const part of req.setEncoding("utf8")) whole += part as string;
  return whole === "" ? "{}" : whole;
}
