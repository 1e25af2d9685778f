// The HTTP front: a node:http server that we own, its limits and timeouts, and its few routes.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { EventsFront } from "./events-front.ts";
import { createGuards, mayReadMetrics } from "./guards.ts";
import type { Guards } from "./guards.ts";
import { McpFront } from "./mcp-front.ts";
import type { WebOptions } from "./options.ts";
import { createPages } from "./pages.ts";
import { isPeoples } from "./people.ts";
import { takeForm } from "./form.ts";
import { refuse, respond, sendJson } from "./respond.ts";
import { Strangers } from "./strangers.ts";

const HEADER_BYTES_MAX = 98_304;
const MCP_PATH = /^\/mcp\/([a-z][a-z0-9_-]{0,47})$/;

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
  private readonly mcp: McpFront;
  private readonly strangers: Strangers;
  private readonly events: EventsFront;
  private guards: Guards | undefined;

  constructor(options: WebOptions) {
    this.options = options;
    this.strangers = new Strangers(options.config, options.clock);
    this.mcp = new McpFront(options, this.strangers);
    this.events = new EventsFront(options);
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
      return this.answerElse(req, res, path);
    }
    if (site.value.origin !== undefined) allowOrigin(res, site.value.origin);
    if (req.method === "OPTIONS") return preflight(res);
    return this.mcp.answer(req, res, agent);
  }

  /** The pages of people have cookies and forms; nothing else here has. */
  private async answerPerson(req: IncomingMessage, res: ServerResponse): Promise<void> {
    // Each visit counts: a page keeps something for a browser that nobody knows yet.
    const over = this.strangers.count(req);
    if (over !== undefined) return this.refused(res, over, 429);
    const request = await takeForm(req, this.options.config);
    if (!request.ok) return this.refused(res, request.refusal);
    return respond(await this.options.people(request.value), res);
  }

  /** Every path but the agents' own. */
  private async answerElse(req: IncomingMessage, res: ServerResponse, path: string): Promise<void> {
    if (isPeoples(path)) return this.answerPerson(req, res);
    if (this.events.answers(path)) return this.events.answer(req, res, path);
    const mayMeasure = mayReadMetrics(req, this.options.config);
    return respond(await this.pages(path, req.method ?? "GET", mayMeasure), res);
  }

  private refused(res: ServerResponse, why: Refusal, status?: number): void {
    this.options.metrics.requests_refused.add({ code: why.code });
    refuse(res, why, status);
  }
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
