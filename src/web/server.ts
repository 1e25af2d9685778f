// The HTTP front: a node:http server that we own, its limits and timeouts, and its few routes.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Config } from "../config/load.ts";
import type { Entry } from "../gate/call.ts";
import type { Gate } from "../gate/gate.ts";
import { challenge } from "../identity/metadata.ts";
import type { Clock } from "../kernel/clock.ts";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { Secret } from "../kernel/secret.ts";
import type { McpEndpoint } from "../mcp/endpoint.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { createGuards, isLocal, parseBody, readBody } from "./guards.ts";
import type { Guards } from "./guards.ts";
import { narrowingOf } from "./narrowing.ts";
import { createPages } from "./pages.ts";
import { refuse, refuseParse, respond, sendJson } from "./respond.ts";

const HEADER_BYTES_MAX = 98_304;
const MCP_PATH = /^\/mcp\/([a-z][a-z0-9_-]{0,47})$/;

export interface WebOptions {
  readonly config: Config;
  readonly gate: Gate;
  readonly mcp: McpEndpoint;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: Clock;
  readonly ready: () => boolean;
}

export interface Web {
  /** Resolves with the port when connections are accepted. */
  listen(): Promise<number>;
  /** Accepts nothing more, waits for `drained`, then ends every connection. */
  close(drained: Promise<void>): Promise<void>;
}

export function createWeb(options: WebOptions): Web {
  return new HttpFront(options);
}

class HttpFront implements Web {
  private readonly options: WebOptions;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly pages: ReturnType<typeof createPages>;
  private guards: Guards | undefined;

  constructor(options: WebOptions) {
    this.options = options;
    this.pages = createPages(options.config, options.metrics, options.ready);
    const { headers_timeout_ms, request_timeout_ms, connections_max } = options.config.http;
    this.server = createServer({
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: headers_timeout_ms,
      requestTimeout: request_timeout_ms,
      keepAliveTimeout: 15_000,
      // Without this the two timeouts above are looked at only every 30 s.
      connectionsCheckingInterval: 1000,
      noDelay: true,
    });
    this.server.maxConnections = connections_max;
    this.server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.once("close", () => this.sockets.delete(socket));
    });
    this.server.on("request", (req, res) => {
      this.answer(req, res).catch((error: unknown) => {
        // A client that breaks off is no failure of ours, and must not fill the error log.
        if (req.errored !== null) options.log.debug({ err: error }, "a client broke off");
        else options.log.error({ err: error }, "a request failed");
        if (res.headersSent) res.destroy();
        else refuse(res, refusal("internal"));
      });
    });
  }

  async listen(): Promise<number> {
    const { host, port } = this.options.config.listen;
    await new Promise<void>((resolve, reject) => {
      this.server.once("error", reject);
      this.server.listen(port, host, resolve);
    });
    const { port: bound } = this.server.address() as AddressInfo;
    this.guards = createGuards(this.options.config, bound);
    return bound;
  }

  async close(drained: Promise<void>): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeIdleConnections();
    await drained;
    for (const socket of this.sockets) socket.destroySoon();
    await closed;
  }

  private async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    res.setHeader("x-content-type-options", "nosniff");
    res.setHeader("cache-control", "no-store");
    const site = this.guards?.site(req) ?? { ok: false, refusal: refusal("forbidden_origin") };
    if (!site.ok) return this.refused(res, site.refusal);
    const path = (req.url ?? "/").split("?")[0] ?? "/";
    const [, agent] = MCP_PATH.exec(path) ?? [];
    const { config } = this.options;
    // What a web Request cannot hold: RFC 9112's other target forms, and a method that echoes.
    if (!/^\/(?!\/)/.test(path) || req.method === "TRACE") {
      res.statusCode = 404;
      return sendJson(res, { error: "not found" });
    }
    if (agent === undefined || !Object.hasOwn(config.agents, agent)) {
      return respond(await this.pages(path, req.method ?? "GET", isLocal(req)), res);
    }
    if (site.value.origin !== undefined) allowOrigin(res, site.value.origin);
    if (req.method === "OPTIONS") return preflight(res);
    return this.answerMcp(req, res, agent);
  }

  private refused(res: ServerResponse, why: Refusal): void {
    this.options.metrics.requests_refused.add({ code: why.code });
    refuse(res, why);
  }

  private async answerMcp(req: IncomingMessage, res: ServerResponse, agent: string): Promise<void> {
    const { config, gate, mcp } = this.options;
    // RFC 6750 section 2.1; a token in the query is none (section 2.3, and the MCP specification).
    // Of two Authorization lines Node shows the first, and a proxy may have judged the other.
    const given = req.headersDistinct["authorization"] ?? [];
    const sole = given.length === 1 ? given[0] : undefined;
    const [, token] = /^Bearer +([\x21-\x7e]+)$/i.exec(sole ?? "") ?? [];
    if (token === undefined) {
      res.setHeader("www-authenticate", challenge(config, agent));
      return this.refused(res, refusal("invalid_token", { reason: "No bearer token was sent." }));
    }
    const entered = await gate.enter(new Secret(token), agent, narrowingOf(req.headers));
    if (!entered.ok) return this.notEntered(res, agent, entered.refusal);
    const body = await this.bodyOf(req, res);
    if (body === undefined) return;
    const gone = new AbortController();
    res.once("close", () => {
      if (!res.writableFinished) gone.abort();
    });
    const request = new Request(new URL(req.url ?? "/", config.public_url), {
      method: req.method ?? "GET",
      headers: headersOf(req),
      signal: gone.signal,
    });
    const response = await mcp.handle(request, entered.value, body.value);
    this.closeWithToken(response, res, entered.value);
    return respond(response, res);
  }

  private notEntered(res: ServerResponse, agent: string, why: Refusal): void {
    const { config, log } = this.options;
    log.info({ agent, error_code: why.code, cause: why.cause ?? why.reason }, "not let in");
    if (why.code === "invalid_token") {
      res.setHeader("www-authenticate", challenge(config, agent, why.reason ?? ""));
    }
    this.refused(res, why);
  }

  /** The parsed body (`undefined` for a method without one), or nothing where it was refused. */
  private async bodyOf(
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<{ value: unknown } | undefined> {
    if (req.method !== "POST") return { value: undefined };
    // Nothing is unpacked here: what a proxy inspected must be what is parsed.
    const isPacked = !/^(?:identity)?$/i.test(req.headers["content-encoding"] ?? "");
    if (isPacked || !/^application\/json(?:$|[ ;])/i.test(req.headers["content-type"] ?? "")) {
      res.statusCode = 415;
      res.end();
      return undefined;
    }
    const bytes = await readBody(req, this.options.config.http.body_bytes_max);
    if (!bytes.ok) {
      // The rest of the body is not wanted, so neither is the connection.
      res.setHeader("connection", "close");
      this.refused(res, bytes.refusal);
      return undefined;
    }
    const parsed = parseBody(bytes.value, this.options.config);
    if (parsed.ok) return { value: parsed.value };
    this.options.metrics.requests_refused.add({ code: parsed.refusal.code });
    refuseParse(res, parsed.refusal);
    return undefined;
  }

  // A stream that outlived its token would be a session that nobody can end.
  private closeWithToken(response: Response, res: ServerResponse, entry: Entry): void {
    if (response.headers.get("content-type")?.startsWith("text/event-stream") !== true) return;
    const left_ms = entry.credential.expires_at_ms - this.options.clock.now();
    const timer = setTimeout(() => res.destroy(), Math.min(Math.max(left_ms, 0), 86_400_000));
    timer.unref();
    res.once("close", () => clearTimeout(timer));
  }
}

function headersOf(req: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(req.headers)) {
    // The credential's way ends here: what is behind sees who it was, not what it was.
    if (name === "authorization" || name === "cookie" || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) headers.append(name, one);
  }
  return headers;
}

function allowOrigin(res: ServerResponse, origin: string): void {
  res.setHeader("access-control-allow-origin", origin);
  res.setHeader("access-control-expose-headers", "mcp-session-id, www-authenticate");
  res.setHeader("vary", "origin");
}

function preflight(res: ServerResponse): void {
  res.setHeader("access-control-allow-methods", "GET, POST, DELETE");
  const own = "mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, last-event-id";
  const ours = "doorless-tools, doorless-read-only";
  res.setHeader("access-control-allow-headers", `authorization, content-type, ${own}, ${ours}`);
  res.statusCode = 204;
  res.end();
}
