// Guards before anything is parsed: which Host, which Origin, how many bytes (DESIGN section 5).
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Config } from "../config/load.ts";
import { isLoopback } from "../kernel/address.ts";
import { decodeUtf8, JsonError, parseJson } from "../kernel/json.ts";
import { refusal } from "../kernel/errors.ts";
import { no, ok } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import type { Result } from "../kernel/result.ts";

export interface Guards {
  /** DNS rebinding: refuses a Host, or a page (Origin), that is not ours (MCP, transports). */
  site(request: IncomingMessage): Result<{ origin: string | undefined }>;
}

export function createGuards(config: Config, port: number): Guards {
  const hosts = new Set([new URL(config.public_url).host]);
  if (isLoopback(config.listen.host)) {
    for (const name of ["127.0.0.1", "localhost", "[::1]"]) hosts.add(`${name}:${port}`);
  }
  const origins = new Set<string>([config.public_url, ...config.allowed_origins]);
  return {
    site(request) {
      const { origin } = request.headers;
      // RFC 9112 section 3.2: more than one Host line is no request; Node would show the first.
      const [host, second] = request.headersDistinct["host"] ?? [];
      if (host === undefined || second !== undefined || !hosts.has(host.toLowerCase())) {
        return no(refusal("forbidden_origin", { cause: "Host" }));
      }
      if (origin !== undefined && !origins.has(origin)) {
        return no(refusal("forbidden_origin", { cause: "Origin" }));
      }
      return ok({ origin });
    },
  };
}

/** A body of at most `bytes_max` bytes, counted while it comes; rejects where it breaks off. */
export function readBody(request: IncomingMessage, bytes_max: number): Promise<Result<Buffer>> {
  const claimed = Number(request.headers["content-length"] ?? 0);
  if (claimed > bytes_max) return Promise.resolve(no(refusal("request_too_large")));
  // Then none of its events is yet to come.
  if (request.destroyed) return Promise.reject(request.errored ?? new Error("it broke off"));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= bytes_max) return void chunks.push(chunk);
      request.pause();
      resolve(no(refusal("request_too_large")));
    });
    request.on("end", () => resolve(ok(Buffer.concat(chunks, size))));
    request.on("error", reject);
  });
}

/** Strict JSON within the configured depth and keys. */
export function parseBody(bytes: Buffer, config: Config): Result<unknown> {
  const { depth_max, keys_max } = config.http;
  try {
    return ok(parseJson(decodeUtf8(bytes), { depth_max, keys_max }));
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    return no(refusal("parse_error", { reason: `${error.message}.` }));
  }
}

/**
 * The bearer token (RFC 6750 section 2.1); one in the query is none (section 2.3, and the MCP
 * specification). Of two Authorization lines Node shows the first, and a proxy may have judged the
 * other: then there is none.
 */
export function bearerOf(request: IncomingMessage): Secret | undefined {
  const [given, second] = request.headersDistinct["authorization"] ?? [];
  if (second !== undefined) return undefined;
  const [, token] = /^Bearer +([\x21-\x7e]+)$/i.exec(given ?? "") ?? [];
  return token === undefined ? undefined : new Secret(token);
}

// A proxy that adds none of these looks like this machine itself.
const PROXY_HEADERS = /^(?:forwarded|via|x-real-ip|x-forwarded-.*)$/;

/** Asked from this machine itself, not through a proxy that stands on it. */
export function isLocal(request: IncomingMessage): boolean {
  const { headers, socket } = request;
  const address = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  const proxied = Object.keys(headers).some((name) => PROXY_HEADERS.test(name));
  const host = (headers.host ?? "").replace(/:\d+$/, "");
  return !proxied && isLoopback(address) && isLoopback(host);
}

/**
 * Loopback, or the operator's token. A deployment with a public URL has a proxy before it, and a
 * proxy may stand on this very machine without saying so: there, the token alone counts.
 */
export function mayReadMetrics(request: IncomingMessage, config: Config): boolean {
  if (isLoopback(new URL(config.public_url).hostname) && isLocal(request)) return true;
  const given = bearerOf(request);
  if (given === undefined || config.metrics_secret === undefined) return false;
  const digests = [given, config.metrics_secret].map((s) => Buffer.from(s.digest()));
  return timingSafeEqual(digests[0] ?? Buffer.alloc(0), digests[1] ?? Buffer.alloc(1));
}
