// The sessionful leg for 2025-11-25 and older: cancellation, client identity and list_changed need
// one server per session there. `Mcp-Session-Id` is a handle bound to our session, never authority.
import { randomUUID } from "node:crypto";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import type { AuthInfo, McpServer } from "@modelcontextprotocol/server";
import type { HttpLimits } from "../config/limits.ts";
import type { Entry } from "../gate/call.ts";
import type { Clock } from "../kernel/clock.ts";
import { refusal, refusalToError } from "../kernel/errors.ts";
import type { ErrorCode } from "../kernel/errors.ts";

interface TransportSession {
  readonly transport: WebStandardStreamableHTTPServerTransport;
  readonly server: McpServer;
  /** Our session: the only one that may use this handle. */
  readonly owner: string;
  readonly user: string;
  /** Of its latest request. */
  entry: Entry;
  used_ms: number;
}

/** What goes with a request: whose it is, and its body, parsed. */
interface Rest {
  readonly authInfo: AuthInfo;
  readonly parsedBody: unknown;
}

export class LegacySessions {
  private readonly sessions = new Map<string, TransportSession>();
  private readonly limits: HttpLimits;
  private readonly clock: Clock;
  private readonly createServer: (entry: Entry) => McpServer;
  private readonly mayAsk: (entry: Entry) => boolean;

  constructor(
    limits: HttpLimits,
    clock: Clock,
    createServer: (entry: Entry) => McpServer,
    mayAsk: (entry: Entry) => boolean,
  ) {
    this.limits = limits;
    this.clock = clock;
    this.createServer = createServer;
    this.mayAsk = mayAsk;
  }

  get count(): number {
    return this.sessions.size;
  }

  /** Whether the request names a session here: then it is of an older revision. */
  knows(request: Request): boolean {
    const id = request.headers.get("mcp-session-id");
    return id !== null && this.sessions.has(id);
  }

  async handle(request: Request, entry: Entry, rest: Rest): Promise<Response> {
    const id = request.headers.get("mcp-session-id");
    if (id === null) return this.open(request, entry, rest);
    const session = this.sessions.get(id);
    // Somebody else's handle and one that never was get the same answer.
    if (session === undefined || session.owner !== entry.session.id) {
      return errorResponse(404, "session_not_found");
    }
    session.used_ms = this.clock.monotonic();
    session.entry = entry;
    return session.transport.handleRequest(request, rest);
  }

  private async open(request: Request, entry: Entry, rest: Rest): Promise<Response> {
    const { user } = entry.session;
    this.closeIdle();
    this.makeRoom(user);
    if (this.sessions.size >= this.limits.transport_sessions_max) {
      return errorResponse(503, "capacity");
    }
    const server = this.createServer(entry);
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      // A question beside the call needs a stream to go out on.
      enableJsonResponse: !this.mayAsk(entry),
      onsessioninitialized: (id) => {
        const used_ms = this.clock.monotonic();
        const owner = entry.session.id;
        this.sessions.set(id, { transport, server, owner, user, entry, used_ms });
      },
      onsessionclosed: (id) => {
        this.sessions.delete(id);
      },
    });
    await server.connect(transport);
    const response = await transport.handleRequest(request, rest);
    if (transport.sessionId === undefined) await server.close();
    return response;
  }

  // A user's oldest session makes room for a new one: clients that crash never say goodbye.
  private makeRoom(user: string): void {
    const mine = [...this.sessions].filter(([, session]) => session.user === user);
    if (mine.length < this.limits.transport_sessions_per_user_max) return;
    const [oldest] = mine.toSorted(([, a], [, b]) => a.used_ms - b.used_ms);
    if (oldest !== undefined) this.close(oldest[0]);
  }

  private closeIdle(): void {
    const before_ms = this.clock.monotonic() - this.limits.transport_session_idle_s * 1000;
    for (const [id, session] of this.sessions) {
      if (session.used_ms < before_ms) this.close(id);
    }
  }

  private close(id: string): void {
    const session = this.sessions.get(id);
    this.sessions.delete(id);
    void session?.server.close();
  }

  toolsChanged(concerns: (entry: Entry) => boolean): void {
    // A session whose client does not listen has nobody to tell; it asks again some day.
    for (const { server, entry } of this.sessions.values()) {
      if (concerns(entry)) server.sendToolListChanged();
    }
  }

  async closeAll(): Promise<void> {
    const open = [...this.sessions.values()];
    this.sessions.clear();
    await Promise.all(open.map((session) => session.server.close()));
  }
}

/** An error below JSON-RPC's ids: no request of the client's is answered by it. */
function errorResponse(status: number, code: ErrorCode): Response {
  const error = refusalToError(refusal(code));
  const body = { jsonrpc: "2.0", error: { code: status, message: error.message, data: { error } } };
  return Response.json({ ...body, id: null }, { status });
}
