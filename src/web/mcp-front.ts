// The MCP endpoint's HTTP: who asks, before what is asked is read; then on to mcp/.
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import type { Entry } from "../gate/call.ts";
import { challenge } from "../identity/metadata.ts";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { Running } from "../limits/running.ts";
import { BoundedLog } from "../telemetry/bounded-log.ts";
import { bearerOf, parseBody, readBody } from "./guards.ts";
import { narrowingOf } from "./narrowing.ts";
import { refuse, refuseParse, respond } from "./respond.ts";
import type { WebOptions } from "./options.ts";
import type { Strangers } from "./strangers.ts";

/**
 * Whoever is over his limits and asks on is answered, but not at once: his next request comes the
 * later, and the others' calls are served meanwhile.
 */
const REFUSED_AFTER_MS = 200;

export class McpFront {
  private readonly options: WebOptions;
  private readonly notLetIn: BoundedLog;
  private readonly strangers: Strangers;
  /** One user's open requests and streams must leave connections for the others. */
  private readonly requests: Running;
  private readonly streams: Running;

  constructor(options: WebOptions, strangers: Strangers) {
    this.options = options;
    this.strangers = strangers;
    this.notLetIn = new BoundedLog(options.log, options.clock, "not let in");
    const { connections_max, requests_per_user_max, streams_per_user_max } = options.config.http;
    this.requests = new Running(connections_max, requests_per_user_max);
    this.streams = new Running(connections_max, streams_per_user_max);
  }

  async answer(req: IncomingMessage, res: ServerResponse, agent: string): Promise<void> {
    const { config, gate, mcp } = this.options;
    const token = bearerOf(req);
    const over = this.strangers.over(req, token);
    if (over !== undefined) return this.refused(res, over, 429);
    if (token === undefined) {
      this.strangers.count(req);
      res.setHeader("www-authenticate", challenge(config, agent));
      return this.refused(res, refusal("invalid_token", { reason: "No bearer token was sent." }));
    }
    const entered = await gate.enter(token, agent, narrowingOf(req.headers));
    if (!entered.ok) {
      if (entered.refusal.code === "invalid_token") this.strangers.count(req, token);
      return this.notEntered(res, agent, entered.refusal);
    }
    this.strangers.letIn(entered.value.credential.token_digest);
    const body = await this.bodyOf(req, res, entered.value);
    if (body === undefined || !(await this.admits(req, res, entered.value, body.value))) return;
    // The path begins with one slash (server.ts), so that it cannot name another origin.
    const url = config.public_url + (req.url ?? "/");
    const method = req.method ?? "GET";
    const request = new ClientRequest(url, { method, headers: headersOf(req) }, res);
    const response = await mcp.handle(request, entered.value, body.value, request.delivered);
    if (!isEventStream(response) || !isStream(req, body.value)) return respond(response, res);
    return respond(response, res, this.guardStream(res, entered.value));
  }

  /** Whether this user may have one more request open; what is not a tool's is limited here. */
  private async admits(
    req: IncomingMessage,
    res: ServerResponse,
    entry: Entry,
    body: unknown,
  ): Promise<boolean> {
    const { user } = entry.session;
    const opensStream = isStream(req, body);
    const places = opensStream ? [this.requests, this.streams] : [this.requests];
    const left = places.map((place) => place.enter(user));
    const leave = (): void => left.forEach((giveBack) => giveBack?.());
    if (left.includes(undefined)) {
      // What it did get it has no use for, and others may have.
      leave();
      await pause(REFUSED_AFTER_MS);
      this.refused(res, refusal("capacity", { retry_after_ms: 1000 }), 503);
      return false;
    }
    res.once("close", leave);
    // The gate answers tools' own requests with a result; the rest has no other way to hear of it.
    const { stopped } = entry;
    if (stopped?.code === "rate_limited") await pause(REFUSED_AFTER_MS);
    if (stopped === undefined || isTools(body) || req.method === "DELETE") return true;
    if (stopped.code === "rate_limited") {
      this.refused(res, stopped, 429);
      return false;
    }
    // Whoever is locked may say hello, and find that he has nothing; no stream is kept for him.
    if (!opensStream) return true;
    this.refused(res, stopped, 503);
    return false;
  }

  private refused(res: ServerResponse, why: Refusal, status?: number): void {
    this.options.metrics.requests_refused.add({ code: why.code });
    refuse(res, why, status);
  }

  private notEntered(res: ServerResponse, agent: string, why: Refusal): void {
    const { config } = this.options;
    this.notLetIn.note({ agent, error_code: why.code, cause: why.cause ?? why.reason });
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
      const why = { reason: "It is not JSON by its headers." };
      await gate.refuse(entry, refusal("parse_error", why));
      res.statusCode = 415;
      res.end();
      return undefined;
    }
    const bytes = await readBody(req, config.http.body_bytes_max);
    if (!bytes.ok) {
      await gate.refuse(entry, bytes.refusal);
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

  // A stream that outlived its token, or its user's access, would be a session that nobody can end.
  private guardStream(res: ServerResponse, entry: Entry): () => Promise<boolean> {
    const { gate, clock } = this.options;
    const left_ms = entry.credential.expires_at_ms - clock.now();
    const timer = setTimeout(() => res.destroy(), Math.min(Math.max(left_ms, 0), 86_400_000));
    timer.unref();
    const watch = gate.watch(entry);
    const end = (): void => void res.end();
    if (watch.signal.aborted) end();
    else watch.signal.addEventListener("abort", end);
    res.once("close", () => {
      clearTimeout(timer);
      watch.leave();
    });
    return () => gate.mayGoOn(watch);
  }
}

/**
 * A request whose signal aborts when its client is gone. Given to the constructor, a signal would
 * be followed by another one, which costs each request more than all the rest of it.
 */
class ClientRequest extends Request {
  override readonly signal: AbortSignal;
  /** Whether all that was answered went out; what of it arrived, nobody here can know. */
  readonly delivered: Promise<boolean>;

  constructor(url: string, init: RequestInit, res: ServerResponse) {
    super(url, init);
    const gone = new AbortController();
    this.signal = gone.signal;
    const closed = Promise.withResolvers<boolean>();
    this.delivered = closed.promise;
    res.once("close", () => {
      closed.resolve(res.writableFinished);
      if (!res.writableFinished) gone.abort();
    });
  }
}

function isStream(req: IncomingMessage, body: unknown): boolean {
  return req.method === "GET" || methodOf(body) === "subscriptions/listen";
}

function isTools(body: unknown): boolean {
  const method = methodOf(body);
  return typeof method === "string" && method.startsWith("tools/");
}

function methodOf(body: unknown): unknown {
  return ((body ?? {}) as { method?: unknown }).method;
}

function isEventStream(response: Response): boolean {
  return response.headers.get("content-type")?.startsWith("text/event-stream") === true;
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
