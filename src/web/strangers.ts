// Strangers: what nobody vouches for is counted per network address, before it costs anything.
import type { IncomingMessage } from "node:http";
import { isIPv4, isIPv6 } from "node:net";
import type { Config } from "../config/load.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Refusal } from "../kernel/errors.ts";
import type { Secret } from "../kernel/secret.ts";
import { Limiter, rateLimited } from "../limits/limit.ts";
import type { Claim } from "../limits/limit.ts";
import { RateLimit } from "../limits/rate.ts";

const KEYS_MAX = 100_000;
const KNOWN_MAX = 10_000;

export class Strangers {
  private readonly http: Config["http"];
  private readonly clock: Clock;
  private readonly limit: RateLimit;
  private readonly limiter: Limiter;
  /** Digests of tokens that were let in: their users do not pay for their neighbours. */
  private readonly known = new Set<string>();

  constructor({ http }: Config, clock: Clock) {
    this.http = http;
    this.clock = clock;
    this.limit = new RateLimit("strangers_per_address", "address", http.strangers_per_address);
    this.limiter = new Limiter([this.limit], KEYS_MAX);
  }

  /** Why this request is not looked at; takes nothing. `token`: what it shows of itself. */
  over(req: IncomingMessage, token?: Secret): Refusal | undefined {
    const claim = this.claimOf(req);
    const retry_after_ms = this.limit.wait(claim.key, claim.amount, this.now());
    if (retry_after_ms === 0) return undefined;
    if (token !== undefined && this.known.has(token.digest())) return undefined;
    return rateLimited({ claim, retry_after_ms, remaining: 0 });
  }

  /** Counts a request that nobody vouched for. */
  count(req: IncomingMessage, token?: Secret): Refusal | undefined {
    if (token !== undefined) this.known.delete(token.digest());
    const short = this.limiter.take([this.claimOf(req)], this.now());
    return short && rateLimited(short);
  }

  letIn(token_digest: string): void {
    if (this.known.has(token_digest)) return;
    this.known.add(token_digest);
    const [oldest] = this.known;
    if (this.known.size > KNOWN_MAX && oldest !== undefined) this.known.delete(oldest);
  }

  private claimOf(req: IncomingMessage): Claim {
    return { limit: this.limit, key: this.addressOf(req), amount: 1 };
  }

  private now(): number {
    return Math.floor(this.clock.monotonic());
  }

  // Only what a proxy of the operator's has added is believed: the rest a client writes itself.
  private addressOf({ socket, headersDistinct }: IncomingMessage): string {
    const peer = networkOf(socket.remoteAddress ?? "") ?? "";
    const { client_address } = this.http;
    if (client_address === undefined) return peer;
    const { header, proxies } = client_address;
    const hops = (headersDistinct[header.toLowerCase()] ?? []).join(",").split(",");
    return networkOf(hops.at(-proxies)?.trim() ?? "") ?? peer;
  }
}

/** An IPv4 address, or the /64 that an IPv6 address is in: whoever has one has all of it. */
function networkOf(address: string): string | undefined {
  const [bare = ""] = address.replace(/^::ffff:(?=\d+\.)/i, "").split("%");
  if (isIPv4(bare)) return bare;
  if (!isIPv6(bare)) return undefined;
  // The URL parser writes each in one way (WHATWG URL, IPv6 serializer).
  const [head = "", tail] = new URL(`http://[${bare}]`).hostname.slice(1, -1).split("::");
  const groups = head === "" ? [] : head.split(":");
  const rest = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = Array<string>(8 - groups.length - rest.length).fill("0");
  return [...groups, ...(tail === undefined ? [] : zeros), ...rest].slice(0, 4).join(":");
}
