// /events: where identity providers push that somebody's access ended. Unauthenticated but for what
// each message proves of itself; small, and answered as its specification says.
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Config } from "../config/load.ts";
import type { Heard } from "../identity/pushed.ts";
import { Secret } from "../kernel/secret.ts";
import { BoundedLog } from "../telemetry/bounded-log.ts";
import { readBody } from "./guards.ts";
import type { WebOptions } from "./options.ts";
import { sendJson } from "./respond.ts";

const BODY_BYTES_MAX = 65_536;

export class EventsFront {
  private readonly options: WebOptions;
  private readonly refused: BoundedLog;

  constructor(options: WebOptions) {
    this.options = options;
    this.refused = new BoundedLog(options.log, options.clock, "an event was refused");
  }

  /** False where this path is nobody's. */
  answers(path: string): boolean {
    const { pushed } = this.options;
    if (path === "/events/backchannel-logout") return pushed.hearsLogouts;
    return path === "/events/ssf" && pushed.hearsSignals;
  }

  async answer(req: IncomingMessage, res: ServerResponse, path: string): Promise<void> {
    if (req.method !== "POST") {
      res.setHeader("allow", "POST");
      return this.end(res, 405);
    }
    const bytes = await readBody(req, BODY_BYTES_MAX);
    if (!bytes.ok) {
      res.setHeader("connection", "close");
      return this.end(res, 413);
    }
    const body = bytes.value.toString("latin1");
    return path === "/events/ssf" ? this.signal(req, res, body) : this.logout(req, res, body);
  }

  /** Back-Channel Logout, sections 2.5 and 2.8: a form, then 200, or 400 with an OAuth error. */
  private async logout(req: IncomingMessage, res: ServerResponse, body: string): Promise<void> {
    const isForm = mediaTypeOf(req) === "application/x-www-form-urlencoded";
    const tokens = isForm ? new URLSearchParams(body).getAll("logout_token") : [];
    const [token, second] = tokens;
    const heard =
      token === undefined || second !== undefined
        ? refusedAs("one logout_token in a form is expected")
        : await this.options.pushed.logout(token);
    if (await this.goesOn(res, heard)) return this.end(res, 200);
    if (heard.kind !== "refused") return undefined;
    res.statusCode = 400;
    sendJson(res, { error: "invalid_request", error_description: heard.description });
  }

  /** RFC 8935 sections 2.1 to 2.4: the token itself, then 202, or 400 with its own error. */
  private async signal(req: IncomingMessage, res: ServerResponse, body: string): Promise<void> {
    const { pushed, config } = this.options;
    let heard: Heard;
    if (mediaTypeOf(req) !== "application/secevent+jwt") {
      heard = refusedAs("application/secevent+jwt is expected");
    } else if (!isTransmitter(req, config, pushed.transmitterOf(body))) {
      const description = "the Authorization header is not the one that was agreed on";
      heard = { kind: "refused", err: "authentication_failed", description };
    } else heard = await pushed.signal(body);
    if (await this.goesOn(res, heard)) return this.end(res, 202);
    if (heard.kind !== "refused") return undefined;
    res.statusCode = 400;
    res.setHeader("content-language", "en");
    sendJson(res, { err: heard.err, description: heard.description });
  }

  // Answered only when it holds: a transmitter that got no yes sends again.
  private async goesOn(res: ServerResponse, heard: Heard): Promise<boolean> {
    const { log, onEnded } = this.options;
    switch (heard.kind) {
      case "nothing":
        return true;
      case "ended":
        await onEnded(heard.ended);
        return true;
      case "refused":
        this.refused.note({ error_code: heard.err, cause: heard.description });
        return false;
      case "unavailable":
        log.warn({ cause: heard.cause }, "an event could not be verified");
        this.end(res, 503);
        return false;
    }
  }

  private end(res: ServerResponse, status: number): void {
    res.statusCode = status;
    res.end();
  }
}

function refusedAs(description: string): Heard {
  return { kind: "refused", err: "invalid_request", description };
}

function mediaTypeOf({ headers }: IncomingMessage): string {
  return (headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

function isTransmitter(req: IncomingMessage, config: Config, issuer: string | undefined): boolean {
  const expected = issuer === undefined ? undefined : config.event_secrets.get(issuer);
  if (expected === undefined) return true;
  const given = new Secret(req.headers.authorization ?? "");
  const [a, b] = [given, expected].map((secret) => Buffer.from(secret.digest()));
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
