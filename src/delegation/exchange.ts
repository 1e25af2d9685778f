// Token exchange: this user's token for this API, from this user's own token. Never a client's own.
// @see [RFC 8693](https://www.rfc-editor.org/rfc/rfc8693.html)
import { decodeJwt, jwtVerify } from "jose";
import type { JWTPayload } from "jose";
import {
  genericGrantRequest,
  ResponseBodyError,
  tokenRevocation,
  WWWAuthenticateChallengeError,
} from "openid-client";
import type { TokenEndpointResponse } from "openid-client";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import type { Credential } from "../kernel/principal.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import { audiencesOf, machineSign } from "../identity/claims.ts";
import { createClient } from "../identity/client.ts";
import { kindFault, scopesIn, typOf } from "../identity/profile.ts";
import { describe, isProviderFault } from "../identity/provider.ts";
import type { Provider } from "../identity/provider.ts";
import { CLOCK_TOLERANCE_S } from "../identity/verifier.ts";
import { DIALECTS, isSameHuman } from "./dialects.ts";
import type { Dialect, ExchangeConfig } from "./dialects.ts";
import type { DownstreamToken } from "./token.ts";

const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
const ISSUED_TYPES = [ACCESS_TOKEN, "urn:ietf:params:oauth:token-type:jwt"];

export interface Exchanger {
  exchange(
    credential: Credential,
    to: ExchangeConfig,
    scopes: readonly string[],
    now_ms: number,
  ): Promise<Result<DownstreamToken>>;
  /** Takes a token back at the provider (RFC 7009). Rejects where it could not. */
  revoke(token: DownstreamToken): Promise<void>;
}

/** An exchanger at one provider, where doorless is the confidential client `client_id`. */
export function createExchanger(provider: Provider, client_id: string, secret: Secret): Exchanger {
  const dialect = DIALECTS[provider.config.profile];
  const clientOf = createClient(provider, client_id, secret, dialect.auth);
  return {
    async exchange(credential, to, scopes, now_ms) {
      let answer: TokenEndpointResponse;
      try {
        const asked = dialect.parameters(credential.proof.reveal(), to, scopes);
        answer = await genericGrantRequest(await clientOf(), dialect.grant, asked);
      } catch (error) {
        return failed(error);
      }
      const wanted = { dialect, credential, to, scopes };
      return check(provider, wanted, answer, now_ms);
    },
    async revoke({ token }) {
      const client = await clientOf();
      if (client.serverMetadata().revocation_endpoint === undefined) return;
      await tokenRevocation(client, token.reveal(), { token_type_hint: "access_token" });
    },
  };
}

function failed(error: unknown): Result<never> {
  const cause = describe(error);
  if (error instanceof ResponseBodyError) {
    // RFC 6749 section 5.2: invalid_grant is about the user's token; the rest about us.
    if (error.error === "invalid_grant") return no(refusal("reauth_required", { cause }));
    const reason = `It said: ${safeCode(error.error)}.`;
    return no(refusal("delegation_refused", { reason, cause }));
  }
  if (error instanceof WWWAuthenticateChallengeError) {
    return no(refusal("delegation_refused", { cause }));
  }
  return unavailable(cause);
}

function unavailable(cause: string): Result<never> {
  return no(refusal("delegation_unavailable", { retry_after_ms: 1000, cause }));
}

function safeCode(code: string): string {
  return /^[a-z_]{1,64}$/.test(code) ? code : "an error";
}

interface Wanted {
  readonly dialect: Dialect;
  readonly credential: Credential;
  readonly to: ExchangeConfig;
  readonly scopes: readonly string[];
}

// "Same human, right audience, no more scope than asked": what came back is not believed unread.
async function check(
  provider: Provider,
  wanted: Wanted,
  answer: TokenEndpointResponse,
  now_ms: number,
): Promise<Result<DownstreamToken>> {
  const { dialect, to } = wanted;
  const issued = answer["issued_token_type"];
  const isNamed = typeof issued === "string" && ISSUED_TYPES.includes(issued);
  if (dialect.names_issued_type && !isNamed) {
    return mismatch("issued_token_type is not an access token");
  }
  if (answer.token_type !== "bearer") return mismatch(`token_type is ${answer.token_type}`);
  try {
    const { payload } = await jwtVerify(answer.access_token, await provider.keys(), {
      issuer: to.issued_issuer ?? provider.config.issuer,
      algorithms: [...provider.config.algorithms],
      ...typOf(provider.config),
      requiredClaims: ["sub", "aud", "exp"],
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(now_ms),
    });
    const kind = kindFault(provider.config, payload);
    if (kind !== undefined) return mismatch(kind);
    const granted = scopesIn(provider.config, payload);
    const wrong = faultIn(payload, granted, wanted);
    if (wrong !== undefined) return no(wrong);
    const expires_at_ms = (payload.exp ?? 0) * 1000;
    return ok({ token: new Secret(answer.access_token), expires_at_ms });
  } catch (error) {
    if (isProviderFault(error)) return unavailable(describe(error));
    return mismatch(`the issued token does not verify: ${describe(error)}`);
  }
}

function mismatch(cause: string): Result<never> {
  return no(refusal("identity_mismatch", { cause }));
}

function faultIn(
  claims: JWTPayload,
  granted: readonly string[],
  { dialect, credential, to, scopes }: Wanted,
): Refusal | undefined {
  const wrong = (cause: string): Refusal => refusal("identity_mismatch", { cause });
  // Verified at the door: here it only says who was sent.
  const sent = decodeJwt(credential.proof.reveal());
  if (!isSameHuman(dialect, sent, claims)) return wrong("it names another user");
  const machine = machineSign(claims);
  if (machine !== undefined) return wrong(machine);
  const audiences = audiencesOf(claims);
  const expected = to.issued_audience ?? to.resource ?? to.audience;
  if (audiences.length !== 1 || audiences[0] !== expected) return wrong("aud is not the API");
  const allowed = [...scopes, ...to.extra_scopes];
  const extra = granted.filter((scope) => !allowed.includes(scope));
  if (extra.length > 0) return wrong(`more scope than asked: ${extra.join(" ")}`);
  if (scopes.every((scope) => granted.includes(scope))) return undefined;
  return refusal("delegation_refused", { reason: "It granted less than the tool needs." });
}
