// An API's own authorization server, where doorless is an OAuth client on a person's behalf: the
// way there and back (code, PKCE), refreshing, revoking. Fields come from the configuration.
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  AuthorizationResponseError,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  customFetch,
  discovery,
  None,
  randomPKCECodeVerifier,
  randomState,
  refreshTokenGrant,
  ResponseBodyError,
  tokenIntrospection,
  tokenRevocation,
  WWWAuthenticateChallengeError,
} from "openid-client";
import type { ClientAuth, DiscoveryRequestOptions, ServerMetadata } from "openid-client";
import type { TokenEndpointResponse } from "openid-client";
import type { DelegationConfig } from "../config/connector.ts";
import { AddressRefused, isLoopback } from "../kernel/address.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Secret } from "../kernel/secret.ts";
import { createGuardedFetch } from "../identity/guarded-fetch.ts";
import { describe } from "../identity/provider.ts";

type ConnectionConfig = Extract<DelegationConfig, { kind: "connection" }>;

const METADATA_AGE_MAX_MS = 600_000;
/** Where a server does not say how long its access tokens live (RFC 6749 section 5.1: SHOULD). */
const LIFETIME_S = 3600;

/** What a token endpoint gave, read once and checked. */
export interface Granted {
  readonly access_token: string;
  /** Absent where the server gave none: after a refresh, the old one stays. */
  readonly refresh_token: string | undefined;
  readonly lifetime_s: number;
  readonly scopes: readonly string[];
  readonly account: string | undefined;
  readonly account_label: string | undefined;
}

/** Why there is no token, by what it says about the one that was sent. */
export type Fault =
  /** The server says that this grant is over. */
  | { readonly kind: "over"; readonly cause: string }
  /** The server refuses us, not the person: an operator's mistake. */
  | { readonly kind: "refused"; readonly code: string; readonly cause: string }
  /** It was not reached, or said that it failed: what was sent is still good. */
  | { readonly kind: "unavailable"; readonly cause: string }
  /** It may have done what was asked, and its answer was lost. */
  | { readonly kind: "unknown"; readonly cause: string }
  /** It answered with something that must not be used. */
  | { readonly kind: "mismatch"; readonly cause: string };

type Answer =
  | { readonly ok: true; readonly granted: Granted }
  | { readonly ok: false; readonly fault: Fault };

/** What must come back with the person: kept on our side, by browser. */
export interface Departure {
  readonly url: URL;
  readonly state: string;
  readonly verifier: string;
}

export interface ThirdParty {
  readonly config: ConnectionConfig;
  /** The origin of its authorization endpoint: where people are sent. */
  origin(): Promise<string>;
  depart(redirect_uri: string): Promise<Departure>;
  /** `arrived`: the whole URL that the browser came back to. */
  arrive(arrived: URL, departure: Pick<Departure, "state" | "verifier">): Promise<Answer>;
  refresh(refresh_token: string): Promise<Answer>;
  /**
   * RFC 7662: whether a refresh token may still be used, without using it. `no_way` where the
   * server has no such endpoint. Rejects where it cannot be asked.
   */
  condition(refresh_token: string): Promise<"good" | "dead" | "no_way">;
  /** RFC 7009. True where the server says that the token is dead; false where it has no way. */
  revoke(token: string): Promise<boolean>;
  close(): Promise<void>;
}

export interface ThirdPartyOptions {
  readonly config: ConnectionConfig;
  readonly secret: Secret | undefined;
  readonly allow_private_addresses: boolean;
  readonly clock: Clock;
}

export function createThirdParty(options: ThirdPartyOptions): ThirdParty {
  return new AuthorizationServer(options);
}

class AuthorizationServer implements ThirdParty {
  readonly config: ConnectionConfig;
  private readonly options: ThirdPartyOptions;
  private readonly guarded: ReturnType<typeof createGuardedFetch>;
  private known: Promise<Configuration> | undefined;
  private known_since_ms = 0;

  constructor(options: ThirdPartyOptions) {
    this.config = options.config;
    this.options = options;
    this.guarded = createGuardedFetch(options.allow_private_addresses);
  }

  async origin(): Promise<string> {
    const { authorization_endpoint } = (await this.configuration()).serverMetadata();
    return new URL(authorization_endpoint ?? "").origin;
  }

  async depart(redirect_uri: string): Promise<Departure> {
    const { scopes, resource, parameters } = this.config;
    const configuration = await this.configuration();
    const state = randomState();
    const verifier = randomPKCECodeVerifier();
    const url = buildAuthorizationUrl(configuration, {
      ...parameters,
      ...(resource === undefined ? {} : { resource }),
      scope: scopes.join(" "),
      redirect_uri,
      state,
      code_challenge: await calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    });
    return { url, state, verifier };
  }

  arrive(arrived: URL, { state, verifier }: Pick<Departure, "state" | "verifier">) {
    const { resource } = this.config;
    // It checks state and, where the server announces it, iss (RFC 9207).
    return this.ask((configuration) =>
      authorizationCodeGrant(
        configuration,
        arrived,
        { expectedState: state, pkceCodeVerifier: verifier },
        resource === undefined ? {} : { resource },
      ),
    );
  }

  refresh(refresh_token: string): Promise<Answer> {
    const { resource } = this.config;
    const more = resource === undefined ? {} : { resource };
    return this.ask((configuration) => refreshTokenGrant(configuration, refresh_token, more));
  }

  async condition(refresh_token: string): Promise<"good" | "dead" | "no_way"> {
    const configuration = await this.configuration();
    if (configuration.serverMetadata().introspection_endpoint === undefined) return "no_way";
    const hint = { token_type_hint: "refresh_token" };
    const { active } = await tokenIntrospection(configuration, refresh_token, hint);
    return active ? "good" : "dead";
  }

  async revoke(token: string): Promise<boolean> {
    const configuration = await this.configuration();
    if (configuration.serverMetadata().revocation_endpoint === undefined) return false;
    await tokenRevocation(configuration, token);
    return true;
  }

  close(): Promise<void> {
    return this.guarded.close();
  }

  private async ask(
    grant: (configuration: Configuration) => Promise<TokenEndpointResponse>,
  ): Promise<Answer> {
    let configuration: Configuration;
    try {
      configuration = await this.configuration();
    } catch (error) {
      return no("unavailable", describe(error));
    }
    try {
      return this.read(await grant(configuration));
    } catch (error) {
      return { ok: false, fault: faultIn(error) };
    }
  }

  private read(answer: TokenEndpointResponse): Answer {
    const { access_token, refresh_token, token_type, expires_in, scope } = answer;
    if (token_type !== "bearer") return no("mismatch", `token_type is ${token_type}`);
    const claims = claimsIn(answer);
    const label = claims?.["email"] ?? claims?.["preferred_username"] ?? claims?.["name"];
    return {
      ok: true,
      granted: {
        access_token,
        refresh_token,
        lifetime_s: expires_in ?? LIFETIME_S,
        // RFC 6749 section 5.1: no scope in the answer means all that was asked.
        scopes: scope === undefined ? this.config.scopes : scope.split(/[ ,]/).filter(Boolean),
        account: text(claims?.["sub"]),
        account_label: text(label),
      },
    };
  }

  private configuration(): Promise<Configuration> {
    const now_ms = this.options.clock.monotonic();
    if (now_ms - this.known_since_ms > METADATA_AGE_MAX_MS) this.known = undefined;
    if (this.known === undefined) {
      this.known_since_ms = now_ms;
      const found = this.configure();
      this.known = found;
      found.catch(() => {
        if (this.known === found) this.known = undefined;
      });
    }
    return this.known;
  }

  private async configure(): Promise<Configuration> {
    const { authorization_server: server, client } = this.config;
    const fetch = (url: string, init: object) => this.guarded.fetch(url, init);
    if (typeof server !== "string") {
      const metadata = server as ServerMetadata;
      const made = new Configuration(metadata, client.client_id, undefined, this.auth());
      made[customFetch] = fetch;
      if (isInsecure(server.issuer)) allowInsecureRequests(made);
      return made;
    }
    const plain = {
      [customFetch]: fetch,
      ...(isInsecure(server) ? { execute: [allowInsecureRequests] } : {}),
    };
    const discover = (options: DiscoveryRequestOptions): Promise<Configuration> =>
      discovery(new URL(server), client.client_id, undefined, this.auth(), options);
    const found = await discover(plain).catch((error: unknown) =>
      // No OpenID provider, but an authorization server of another kind (RFC 8414).
      discover({ ...plain, algorithm: "oauth2" }).catch(() => {
        throw error;
      }),
    );
    const { authorization_endpoint, token_endpoint } = found.serverMetadata();
    if (authorization_endpoint === undefined || token_endpoint === undefined) {
      throw new Error("its metadata names no authorization or token endpoint");
    }
    return found;
  }

  private auth(): ClientAuth {
    const { secret, config } = this.options;
    if (secret === undefined) return None();
    const value = secret.reveal();
    return config.client.auth === "basic" ? ClientSecretBasic(value) : ClientSecretPost(value);
  }
}

function no(kind: "mismatch" | "unavailable", cause: string): Answer {
  return { ok: false, fault: { kind, cause } };
}

// Plain http is for loopback only; the configuration has checked it.
function isInsecure(issuer: string): boolean {
  return issuer.startsWith("http:") && isLoopback(new URL(issuer).hostname);
}

// `claims()` is openid-client's reading of an ID token that it has validated.
function claimsIn(answer: TokenEndpointResponse): Record<string, unknown> | undefined {
  const { claims } = answer as { claims?: () => Record<string, unknown> | undefined };
  return claims?.call(answer);
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= 320 ? value : undefined;
}

function faultIn(error: unknown): Fault {
  const cause = describe(error);
  if (error instanceof ResponseBodyError) {
    const { status } = error;
    if (error.error === "invalid_grant") return { kind: "over", cause };
    if (status >= 500 || status === 429 || error.error === "temporarily_unavailable") {
      return { kind: "unavailable", cause };
    }
    return { kind: "refused", code: safeCode(error.error), cause };
  }
  // The person, or the server, said no on the way (RFC 6749 section 4.1.2.1).
  if (error instanceof AuthorizationResponseError) {
    return { kind: "refused", code: safeCode(error.error), cause };
  }
  if (error instanceof WWWAuthenticateChallengeError) {
    return { kind: "refused", code: "invalid_client", cause };
  }
  const status = error instanceof Error ? statusOf(error.cause) : undefined;
  // It said that it did not work: 4xx and 5xx without the JSON of RFC 6749 section 5.2.
  if (status !== undefined && status >= 400) return { kind: "unavailable", cause };
  if (neverSent(error)) return { kind: "unavailable", cause };
  return { kind: "unknown", cause };
}

// openid-client hands over the Response that it could not read.
function statusOf(response: unknown): number | undefined {
  const { status } = (response ?? {}) as { status?: unknown };
  return typeof status === "number" ? status : undefined;
}

const UNSENT = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"];

function neverSent(error: unknown): boolean {
  for (let here = error; here instanceof Error; here = here.cause) {
    if (here instanceof AddressRefused) return true;
    if (UNSENT.includes((here as NodeJS.ErrnoException).code ?? "")) return true;
  }
  return false;
}

function safeCode(code: string): string {
  return /^[a-z_]{1,64}$/.test(code) ? code : "an error";
}
