// The MCP endpoint's HTTP: who asks, before what is asked is read; then on to mcp/.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Entry } from "../gate/call.ts";
import { challenge } from "../identity/metadata.ts";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { Running } from "../limits/limiter.ts";
import { BoundedLog } from "../telemetry/bounded-log.ts";
import { bearerOf, parseBody, readBody } from "./guards.ts";
import { narrowingOf } from "./narrowing.ts";
import { refuse, refuseParse, respond } from "./respond.ts";
import type { WebOptions } from "./options.ts";

export class McpFront {
  private readonly options: WebOptions;
  private readonly strangers: BoundedLog;
  /** One user's open requests and streams must leave connections for the others. */
  private readonly requests: Running;
  private readonly streams: Running;

  constructor(options: WebOptions) {
    this.options = options;
    this.strangers = new BoundedLog(options.log, options.clock, "not let in");
    const { connections_max, requests_per_user_max, streams_per_user_max } = options.config.http;
    this.requests = new Running(connections_max, requests_per_user_max);
    this.streams = new Running(connections_max, streams_per_user_max);
  }

  async answer(req: IncomingMessage, res: ServerResponse, agent: string): Promise<void> {
    const { config, gate, mcp } = this.options;
    const token = bearerOf(req);
    if (token === undefined) {
      res.setHeader("www-authenticate", challenge(config, agent));
      return this.refused(res, refusal("invalid_token", { reason: "No bearer token was sent." }));
    }
    const entered = await gate.enter(token, agent, narrowingOf(req.headers));
    if (!entered.ok) return this.notEntered(res, agent, entered.refusal);
    const body = await this.bodyOf(req, res, entered.value);
    if (body === undefined || !this.admits(req, res, entered.value, body.value)) return;
    const gone = new AbortController();
    res.once("close", () => {
      if (!res.writableFinished) gone.abort();
    });
    // The path begins with one slash (server.ts), so that it cannot name another origin.
    const request = new Request(config.public_url + (req.url ?? "/"), {
      method: req.method ?? "GET",
      headers: headersOf(req),
      signal: gone.signal,
    });
    const response = await mcp.handle(request, entered.value, body.value);
    this.closeWithToken(response, res, entered.value);
    return respond(response, res);
  }

  /** Whether this user may have one more request open; what is not a tool's is limited here. */
  private admits(req: IncomingMessage, res: ServerResponse, entry: Entry, body: unknown): boolean {
    const { user } = entry.session;
    const { method } = (body ?? {}) as { method?: unknown };
    const isStream = req.method === "GET" || method === "subscriptions/listen";
    const places = isStream ? [this.requests, this.streams] : [this.requests];
    const left = places.map((place) => place.enter(user));
    res.once("close", () => left.forEach((leave) => leave?.()));
    if (left.includes(undefined)) {
      this.refused(res, refusal("capacity", { retry_after_ms: 1000 }), 503);
      return false;
    }
    // The gate answers tools' own requests with a result; the rest has no other way to hear of it.
    const isTools = typeof method === "string" && method.startsWith("tools/");
    if (entry.stopped === undefined || isTools || req.method === "DELETE") return true;
    this.refused(res, entry.stopped, 429);
    return false;
  }

  private refused(res: ServerResponse, why: Refusal, status?: number): void {
    this.options.metrics.requests_refused.add({ code: why.code });
    refuse(res, why, status);
  }

  private notEntered(res: ServerResponse, agent: string, why: Refusal): void {
    const { config } = this.options;
    this.strangers.note({ agent, error_code: why.code, cause: why.cause ?? why.reason });
    if (why.code === "invalid_token") {
      res.setHeader("www-authenticate", challenge(config, agent, why.reason ?? ""));
    }
    this.refused(res, why);
  }

  /** The parsed body (`undefined` for a method without one), or nothing where it was refused. */
  private async bodyOf(
    req: IncomingMessage,
    res: ServerResponse,
    entry: Entry,
  ): Promise<{ value: unknown } | undefined> {
    const { gate, metrics, config } = this.options;
    if (req.method !== "POST") return { value: undefined };
    // Nothing is unpacked here: what a proxy inspected must be what is parsed.
    const isPacked = !/^(?:identity)?$/i.test(req.headers["content-encoding"] ?? "");
    if (isPacked || !/^application\/json(?:$|[ ;])/i.test(req.headers["content-type"] ?? "")) {
      res.statusCode = 415;
      res.end();
      await gate.refuse(
        entry,
        refusal("parse_error", { reason: "It is not JSON by its headers." }),
      );
      return undefined;
    }
    const bytes = await readBody(req, config.http.body_bytes_max);
    if (!bytes.ok) {
      await gate.refuse(entry, bytes.refusal);
      // The rest of the body is not wanted, so neither is the connection.
      res.setHeader("connection", "close");
      this.refused(res, bytes.refusal);
      return undefined;
    }
    const parsed = parseBody(bytes.value, config);
    if (parsed.ok) return { value: parsed.value };
    await gate.refuse(entry, parsed.refusal);
    metrics.requests_refused.add({ code: parsed.refusal.code });
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

function headersOf(req: IncomingMessage): [string, string][] {
  const headers: [string, string][] = [];
  for (const [name, value] of Object.entries(req.headers)) {
    // The credential's way ends here: what is behind sees who it was, not what it was.
    if (name === "authorization" || name === "cookie" || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) headers.push([name, one]);
  }
  return headers;
}
