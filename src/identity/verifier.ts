// Verifies an access token: is it genuine, is it for exactly this agent, and which human is it?
// Everything that a JWT can be wrong in is asked for explicitly; a library's default is no control.
// @see [RFC 9068 section 4](https://www.rfc-editor.org/rfc/rfc9068.html#section-4)
import { decodeJwt, errors, jwtVerify } from "jose";
import type { JWTPayload } from "jose";
import type { Config } from "../config/load.ts";
import { audienceOf } from "../config/cross-check.ts";
import type { Clock } from "../kernel/clock.ts";
import { refusal } from "../kernel/errors.ts";
import type { Credential } from "../kernel/principal.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { Secret } from "../kernel/secret.ts";
import { audiencesOf, principalOf } from "./claims.ts";
import { clientIn, kindFault, scopesIn, typOf } from "./profile.ts";
import { describe, isProviderFault } from "./provider.ts";
import type { Provider } from "./provider.ts";
import { VerifiedTokens } from "./verified.ts";

/** How far apart clocks may be: times in tokens are taken so much before and after. */
export const CLOCK_TOLERANCE_S = 5;

/** access token -> Credential, or `invalid_token` | `identity_unavailable`. */
export interface Verifier {
  verify(token: Secret, agent: string): Promise<Result<Credential>>;
}

export function createVerifier(
  config: Config,
  providers: ReadonlyMap<string, Provider>,
  clock: Clock,
): Verifier {
  const byIssuer = new Map([...providers.values()].map((p) => [p.config.issuer, p]));
  const recent = new VerifiedTokens(clock);
  return {
    async verify(token, agent) {
      const text = token.reveal();
      if (Buffer.byteLength(text) > config.http.token_bytes_max) return invalid("it is too long");
      const digest = token.digest();
      const known = recent.get(digest, agent);
      if (known !== undefined) return ok(known);
      const provider = byIssuer.get(issuerNamedIn(text) ?? "");
      if (provider === undefined) return invalid("its issuer is not trusted here");
      const verified = await verifySignature(text, provider, clock);
      if (!verified.ok) return verified;
      const judged = judge(config, provider, agent, verified.value, token, digest);
      if (judged.ok) recent.set(digest, agent, judged.value);
      return judged;
    },
  };
}

function invalid(why: string, cause?: string): Result<never> {
  return no(refusal("invalid_token", { reason: `Refused: ${why}.`, ...(cause ? { cause } : {}) }));
}

// Unverified: it only picks whose keys to verify with.
function issuerNamedIn(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

async function verifySignature(
  token: string,
  provider: Provider,
  clock: Clock,
): Promise<Result<JWTPayload>> {
  const { config } = provider;
  try {
    const { payload } = await jwtVerify(token, await provider.keys(), {
      issuer: config.issuer,
      algorithms: [...config.algorithms],
      ...typOf(config),
      // Of sub and aud more is asked below than that they are there.
      requiredClaims: ["exp"],
      // With an age jose requires iat, and checks it against the future.
      maxTokenAge: config.token_lifetime_s_max,
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(clock.now()),
    });
    return ok(payload);
  } catch (error) {
    if (isProviderFault(error)) {
      return no(refusal("identity_unavailable", { retry_after_ms: 1000, cause: describe(error) }));
    }
    const why = error instanceof errors.JWTExpired ? "it has expired" : "it does not verify";
    return invalid(why, describe(error));
  }
}

function judge(
  config: Config,
  provider: Provider,
  agent: string,
  claims: JWTPayload,
  proof: Secret,
  token_digest: string,
): Result<Credential> {
  const { exp = 0, iat = 0 } = claims;
  if (exp - iat > provider.config.token_lifetime_s_max) return invalid("it lives too long");
  // RFC 7800: such a token proves nothing without the key that it is bound to.
  if (claims["cnf"] !== undefined) return invalid("it is bound to a key that was not shown");
  const kind = kindFault(provider.config, claims);
  if (kind !== undefined) return invalid(kind);
  const client_id = clientIn(provider.config, claims);
  if (client_id === undefined) return invalid("it names no client");
  const scopes = scopesIn(provider.config, claims);
  const matched = agentsOf(config, provider.name, audiencesOf(claims), scopes, client_id);
  if (matched.length > 1) return invalid("it fits more than one agent");
  if (matched[0] !== agent) return invalid("it was not issued for this agent");
  const mapped = principalOf(claims, provider.config);
  if (!mapped.ok) return invalid(mapped.why);
  return ok(
    Object.freeze({
      principal: mapped.principal,
      issuer_name: provider.name,
      agent,
      client_id,
      scopes: Object.freeze([...scopes]),
      family: mapped.family,
      // RFC 7519 section 2: a NumericDate may have a fraction, and endings have none.
      issued_at_s: Math.floor(iat),
      expires_at_ms: exp * 1000,
      token_digest,
      incomplete: mapped.incomplete,
      proof,
    }),
  );
}

/** Every agent that a token with these marks fits; anything but exactly one is a refusal. */
function agentsOf(
  config: Config,
  issuer: string,
  audiences: readonly string[],
  scopes: readonly string[],
  client_id: string,
): readonly string[] {
  return Object.entries(config.agents).flatMap(([name, agent]) => {
    if (agent.issuers !== undefined && !agent.issuers.includes(issuer)) return [];
    if (!audiences.includes(audienceOf(config, name, agent))) return [];
    const { tokens } = agent;
    if ("scope" in tokens && tokens.scope !== undefined && !scopes.includes(tokens.scope)) {
      return [];
    }
    if ("clients" in tokens && !tokens.clients.includes(client_id)) return [];
    return [name];
  });
}
