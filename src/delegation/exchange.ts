// Token exchange: this user's token for this API, from this user's own token. Never a client's own.
// @see [RFC 8693](https://www.rfc-editor.org/rfc/rfc8693.html)
import { jwtVerify } from "jose";
import type { JWTPayload } from "jose";
import {
  allowInsecureRequests,
  AuthorizationResponseError,
  ClientError,
  ClientSecretPost,
  Configuration,
  customFetch,
  genericGrantRequest,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from "openid-client";
import type { TokenEndpointResponse } from "openid-client";
import type { ConnectorConfig } from "../config/schema.ts";
import { refusal } from "../kernel/errors.ts";
import type { Credential } from "../kernel/principal.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import { audiencesOf, scopesOf, serviceAccountSign } from "../identity/claims.ts";
import { describe } from "../identity/provider.ts";
import type { Provider } from "../identity/provider.ts";

const GRANT = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

type ExchangeConfig = Extract<ConnectorConfig["delegation"], { kind: "exchange" }>;

/** The user's token for one API. Made only here, from an answer that was checked. */
export interface DownstreamToken {
  readonly token: Secret;
  readonly expires_at_ms: number;
}

export interface Exchanger {
  exchange(
    credential: Credential,
    to: ExchangeConfig,
    scopes: readonly string[],
    now_ms: number,
  ): Promise<Result<DownstreamToken>>;
}

/** An exchanger at one provider, where doorless is the confidential client `client_id`. */
export function createExchanger(provider: Provider, client_id: string, secret: Secret): Exchanger {
  let ready: Promise<Configuration> | undefined;
  const configure = async (): Promise<Configuration> => {
    const metadata = await provider.metadata();
    const auth = ClientSecretPost(secret.reveal());
    const configuration = new Configuration(metadata, client_id, undefined, auth);
    configuration[customFetch] = (url, init) => provider.fetch(url, init);
    if (provider.insecure) allowInsecureRequests(configuration);
    return configuration;
  };
  return {
    async exchange(credential, to, scopes, now_ms) {
      let answer: TokenEndpointResponse;
      try {
        ready ??= configure();
        answer = await genericGrantRequest(await ready, GRANT, parameters(credential, to, scopes));
      } catch (error) {
        ready = undefined;
        return failed(error);
      }
      return check(provider, credential, to, scopes, answer, now_ms);
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
  if (error instanceof AuthorizationResponseError || error instanceof ClientError) {
    return no(refusal("delegation_unavailable", { retry_after_ms: 1000, cause }));
  }
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
  const mismatch = (cause: string): Result<never> => no(refusal("identity_mismatch", { cause }));
  // RFC 8693 section 2.2.1: issued_token_type is REQUIRED.
  const issued = answer["issued_token_type"];
  if (issued !== ACCESS_TOKEN && issued !== "urn:ietf:params:oauth:token-type:jwt") {
    return mismatch(`issued_token_type is ${String(issued).slice(0, 80)}`);
  }
  if (answer.token_type !== "bearer") return mismatch(`token_type is ${answer.token_type}`);
  let claims: JWTPayload;
  try {
    const options = { issuer: provider.config.issuer, algorithms: [...provider.config.algorithms] };
    const currentDate = new Date(now_ms);
    const keys = await provider.keys();
    const verified = await jwtVerify(answer.access_token, keys, { ...options, currentDate });
    claims = verified.payload;
  } catch (error) {
    return mismatch(`the issued token does not verify: ${describe(error)}`);
  }
  if (claims.sub !== credential.principal.subject) return mismatch("sub is another user");
  const machine = serviceAccountSign(claims);
  if (machine !== undefined) return mismatch(machine);
  const expected = to.issued_audience ?? to.resource ?? to.audience ?? "";
  const audiences = audiencesOf(claims);
  if (audiences.length !== 1 || audiences[0] !== expected) return mismatch("aud is not the API");
  const extra = scopesOf(claims).filter((scope) => !scopes.includes(scope));
  if (extra.length > 0) return mismatch(`more scope than asked: ${extra.join(" ")}`);
  const missing = scopes.filter((scope) => !scopesOf(claims).includes(scope));
  if (missing.length > 0) {
    return no(refusal("delegation_refused", { reason: "It granted less than the tool needs." }));
  }
  const expires_at_ms = (claims.exp ?? 0) * 1000;
  if (expires_at_ms <= now_ms) return mismatch("it has no exp, or expires at once");
  return ok({ token: new Secret(answer.access_token), expires_at_ms });
}
