// Token exchange: this user's token for this API, from this user's own token. Never a client's own.
// @see [RFC 8693](https://www.rfc-editor.org/rfc/rfc8693.html)
import { jwtVerify } from "jose";
import type { JWTPayload } from "jose";
import {
  genericGrantRequest,
  ResponseBodyError,
  tokenRevocation,
  WWWAuthenticateChallengeError,
} from "openid-client";
import type { TokenEndpointResponse } from "openid-client";
import type { ConnectorConfig } from "../config/schema.ts";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import type { Credential } from "../kernel/principal.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import { audiencesOf, scopesOf, machineSign } from "../identity/claims.ts";
import { createClient } from "../identity/client.ts";
import { typOf } from "../identity/profile.ts";
import { describe, isProviderFault } from "../identity/provider.ts";
import type { Provider } from "../identity/provider.ts";
import type { DownstreamToken } from "./token.ts";

const GRANT = "urn:ietf:params:oauth:grant-type:token-exchange";
const CLOCK_TOLERANCE_S = 5;
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
const ISSUED_TYPES = [ACCESS_TOKEN, "urn:ietf:params:oauth:token-type:jwt"];

type ExchangeConfig = Extract<ConnectorConfig["delegation"], { kind: "exchange" }>;

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
  const clientOf = createClient(provider, client_id, secret);
  return {
    async exchange(credential, to, scopes, now_ms) {
      let answer: TokenEndpointResponse;
      try {
        const asked = parameters(credential, to, scopes);
        answer = await genericGrantRequest(await clientOf(), GRANT, asked);
      } catch (error) {
        return failed(error);
      }
      return check(provider, credential, to, scopes, answer, now_ms);
    },
    async revoke({ token }) {
      const client = await clientOf();
      if (client.serverMetadata().revocation_endpoint === undefined) return;
      await tokenRevocation(client, token.reveal(), { token_type_hint: "access_token" });
    },
  };
}

function parameters(
  credential: Credential,
  to: ExchangeConfig,
  scopes: readonly string[],
): Record<string, string> {
  return {
    subject_token: credential.proof.reveal(),
    subject_token_type: ACCESS_TOKEN,
    requested_token_type: ACCESS_TOKEN,
    scope: scopes.join(" "),
    ...(to.resource === undefined ? {} : { resource: to.resource }),
    ...(to.audience === undefined ? {} : { audience: to.audience }),
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

// "Same human, right audience, no more scope than asked": what came back is not believed unread.
async function check(
  provider: Provider,
  credential: Credential,
  to: ExchangeConfig,
  scopes: readonly string[],
  answer: TokenEndpointResponse,
  now_ms: number,
): Promise<Result<DownstreamToken>> {
  // RFC 8693 section 2.2.1: issued_token_type is REQUIRED.
  const issued = answer["issued_token_type"];
  if (typeof issued !== "string" || !ISSUED_TYPES.includes(issued)) {
    return mismatch("issued_token_type is not an access token");
  }
  if (answer.token_type !== "bearer") return mismatch(`token_type is ${answer.token_type}`);
  try {
    const { payload } = await jwtVerify(answer.access_token, await provider.keys(), {
      issuer: provider.config.issuer,
      algorithms: [...provider.config.algorithms],
      ...typOf(provider.config),
      requiredClaims: ["sub", "aud", "exp"],
      clockTolerance: CLOCK_TOLERANCE_S,
      currentDate: new Date(now_ms),
    });
    const wrong = faultIn(payload, credential, to, scopes);
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
  credential: Credential,
  to: ExchangeConfig,
  scopes: readonly string[],
): Refusal | undefined {
  const wrong = (cause: string): Refusal => refusal("identity_mismatch", { cause });
  if (claims.sub !== credential.principal.subject) return wrong("sub is another user");
  const machine = machineSign(claims);
  if (machine !== undefined) return wrong(machine);
  const audiences = audiencesOf(claims);
  const expected = to.issued_audience ?? to.resource ?? to.audience;
  if (audiences.length !== 1 || audiences[0] !== expected) return wrong("aud is not the API");
  const granted = scopesOf(claims);
  const extra = granted.filter((scope) => !scopes.includes(scope));
  if (extra.length > 0) return wrong(`more scope than asked: ${extra.join(" ")}`);
  if (scopes.every((scope) => granted.includes(scope))) return undefined;
  return refusal("delegation_refused", { reason: "It granted less than the tool needs." });
}
