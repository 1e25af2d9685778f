// What a provider pushes: OpenID Connect back-channel logout tokens, and Shared Signals security
// event tokens. Both are JWTs of the provider about one of its users; what is believed is verified.
// @see [OpenID Connect Back-Channel Logout 1.0](https://openid.net/specs/openid-connect-backchannel-1_0.html)
// @see [RFC 8417](https://www.rfc-editor.org/rfc/rfc8417.html), RFC 8935, RFC 9493, CAEP 1.0, RISC 1.0
import { decodeJwt, errors, jwtVerify } from "jose";
import type { JWTPayload } from "jose";
import type { Clock } from "../kernel/clock.ts";
import { describe, isProviderFault } from "./provider.ts";
import type { Provider } from "./provider.ts";
import { CLOCK_TOLERANCE_S } from "./verifier.ts";

const LOGOUT = "http://schemas.openid.net/event/backchannel-logout";
const CAEP = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC = "https://schemas.openid.net/secevent/risc/event-type/";
/** After each of these, what the user had before is no longer good. */
const ENDINGS: readonly string[] = [
  `${CAEP}session-revoked`,
  `${CAEP}credential-change`,
  `${RISC}account-disabled`,
];

/** Whose access ended, by the provider's names; at least one of the two. */
export interface Ended {
  readonly issuer: string;
  readonly subject: string | undefined;
  /** One sign-in: `sid`. */
  readonly family: string | undefined;
  /** By the provider's clock: what it issued up to this second is over. */
  readonly at_s: number;
  /** What was said, for the record. */
  readonly event: string;
}

/** Nothing to do, somebody's access ended, or why the message is refused. */
export type Heard =
  | { readonly kind: "nothing" }
  | { readonly kind: "ended"; readonly ended: Ended }
  /** RFC 8935 section 2.4's code, and a sentence for whoever runs the transmitter. */
  | { readonly kind: "refused"; readonly err: RefusedBecause; readonly description: string }
  | { readonly kind: "unavailable"; readonly cause: string };

type RefusedBecause =
  | "invalid_request"
  | "invalid_key"
  | "invalid_issuer"
  | "invalid_audience"
  | "authentication_failed";

const NOTHING: Heard = { kind: "nothing" };

function refuse(err: RefusedBecause, description: string): Heard {
  return { kind: "refused", err, description };
}

/** Understands what the configured providers push. */
export class Pushed {
  private readonly providers: readonly Provider[];
  private readonly clock: Clock;

  constructor(providers: Iterable<Provider>, clock: Clock) {
    this.providers = [...providers];
    this.clock = clock;
  }

  /** Whether any provider is expected to push logout tokens. */
  get hearsLogouts(): boolean {
    return this.providers.some(({ config }) => config.events?.backchannel_logout !== undefined);
  }

  get hearsSignals(): boolean {
    return this.providers.some(({ config }) => config.events?.shared_signals !== undefined);
  }

  /** The issuer whose transmitter a security event token claims to come from; unverified. */
  transmitterOf(token: string): string | undefined {
    return this.from(token, "shared_signals")?.name;
  }

  /** A logout token (section 2.4): typ, aud, iat, sub or sid, the event, and no nonce. */
  async logout(token: string): Promise<Heard> {
    const provider = this.from(token, "backchannel_logout");
    const client_id = provider?.config.events?.backchannel_logout?.client_id;
    if (provider === undefined || client_id === undefined) {
      return refuse("invalid_issuer", "its issuer is not one that logs users out here");
    }
    const verified = await this.verify(token, provider, client_id, "logout+jwt");
    if (!("claims" in verified)) return verified;
    const { claims } = verified;
    // Section 2.4: a nonce would make it an ID token that somebody passes off.
    if (claims["nonce"] !== undefined) return refuse("invalid_request", "it has a nonce");
    if (!isObject(valueIn(claims["events"], LOGOUT))) {
      return refuse("invalid_request", "it is no logout event");
    }
    const [subject, family] = [text(claims.sub), text(claims["sid"])];
    if (subject === undefined && family === undefined) {
      return refuse("invalid_request", "it names neither sub nor sid");
    }
    const { issuer } = provider.config;
    const at_s = Math.floor(claims.iat ?? 0);
    return { kind: "ended", ended: { issuer, subject, family, at_s, event: "backchannel-logout" } };
  }

  /** A security event token. Events that end nothing are accepted and change nothing. */
  async signal(token: string): Promise<Heard> {
    const provider = this.from(token, "shared_signals");
    const audience = provider?.config.events?.shared_signals?.audience;
    if (provider === undefined || audience === undefined) {
      return refuse("invalid_issuer", "its issuer sends no events here");
    }
    const verified = await this.verify(token, provider, audience, "secevent+jwt");
    if (!("claims" in verified)) return verified;
    const { claims } = verified;
    const { events } = claims as { events?: unknown };
    if (!isObject(events)) return refuse("invalid_request", "it has no events");
    const [event] = ENDINGS.filter((uri) => Object.hasOwn(events, uri));
    if (event === undefined) return NOTHING;
    // CAEP 1.0 names the subject in sub_id; its drafts did inside the event.
    const named = claims["sub_id"] ?? valueIn(valueIn(events, event), "subject");
    const who = subjectIn(named, provider.config.issuer);
    if (typeof who === "string") return refuse("invalid_request", who);
    const { issuer } = provider.config;
    const said = event.slice(event.lastIndexOf("/") + 1);
    return {
      kind: "ended",
      ended: { issuer, ...who, at_s: Math.floor(claims.iat ?? 0), event: said },
    };
  }

  // Unverified: it only picks whose keys to verify with.
  private from(token: string, kind: "backchannel_logout" | "shared_signals") {
    let iss: string | undefined;
    try {
      ({ iss } = decodeJwt(token));
    } catch {
      return undefined;
    }
    return this.providers.find(
      ({ config }) => config.issuer === iss && config.events?.[kind] !== undefined,
    );
  }

  private async verify(
    token: string,
    provider: Provider,
    audience: string,
    typ: string,
  ): Promise<{ claims: JWTPayload } | Heard> {
    const { config } = provider;
    const now_s = Math.floor(this.clock.now() / 1000);
    let keys_are_recent = false;
    try {
      const keys = await provider.keys();
      keys_are_recent = keys.coolingDown;
      const { payload } = await jwtVerify(token, keys, {
        issuer: config.issuer,
        audience,
        algorithms: [...config.algorithms],
        typ,
        requiredClaims: ["iat", "jti"],
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(this.clock.now()),
      });
      // Without an age jose lets iat lie in the future: that would end what is yet to come.
      if ((payload.iat ?? 0) > now_s + CLOCK_TOLERANCE_S) {
        return refuse("invalid_request", "it was issued in the future");
      }
      return { claims: payload };
    } catch (error) {
      if (isProviderFault(error)) return { kind: "unavailable", cause: describe(error) };
      // Its key may be one that was published since: refused, the event would not come again.
      if (error instanceof errors.JWKSNoMatchingKey && keys_are_recent) {
        return { kind: "unavailable", cause: "its key is not among those fetched a moment ago" };
      }
      return refuse(errOf(error), "it does not verify");
    }
  }
}

function errOf(error: unknown): RefusedBecause {
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === "aud") {
    return "invalid_audience";
  }
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === "iss") {
    return "invalid_issuer";
  }
  const isKeys =
    error instanceof errors.JWKSNoMatchingKey ||
    error instanceof errors.JWSSignatureVerificationFailed;
  return isKeys ? "invalid_key" : "invalid_request";
}

type Who = Pick<Ended, "subject" | "family">;

/**
 * RFC 9493: `iss_sub` of this very issuer, `opaque`, or a complex subject of a user and a session.
 * Whoever is named in a way that is not ours is not guessed at: the transmitter hears of it.
 */
function subjectIn(named: unknown, issuer: string): Who | string {
  if (!isObject(named)) return "it names no subject";
  const { user, session } = named as { user?: unknown; session?: unknown };
  if (user === undefined && session === undefined) {
    const subject = simple(named, issuer);
    return subject === undefined ? UNKNOWN_FORMAT : { subject, family: undefined };
  }
  const [subject, family] = [user, session].map((part) =>
    part === undefined ? undefined : (simple(part, issuer) ?? null),
  );
  if (subject === null || family === null) return UNKNOWN_FORMAT;
  return { subject, family };
}

const UNKNOWN_FORMAT = "its subject is neither iss_sub of this issuer nor opaque (RFC 9493)";

function simple(named: unknown, issuer: string): string | undefined {
  if (!isObject(named)) return undefined;
  const { format, iss, sub, id } = named;
  if (format === "iss_sub") return iss === issuer ? text(sub) : undefined;
  return format === "opaque" ? text(id) : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function valueIn(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= 512 ? value : undefined;
}
