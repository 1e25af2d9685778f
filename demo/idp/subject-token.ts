/** Is this JWT an access token that we issued for an agent, and is its sign-in still alive? */

import { createLocalJWKSet, jwtVerify, type JWK, type JWTPayload } from "jose";
import type { Provider } from "oidc-provider";
import type { IdpState } from "./state.ts";

export interface LiveToken {
  readonly subject: string;
  readonly client_id: string;
  readonly grant_id: string;
  readonly claims: JWTPayload;
}

export type CheckToken = (token: string) => Promise<LiveToken | undefined>;

/** Undefined for every way in which a token is not good: callers tell strangers nothing more. */
export function liveTokens(
  provider: Provider,
  state: IdpState,
  audiences: readonly string[],
): CheckToken {
  const keys = createLocalJWKSet({ keys: state.keys.map(publicHalf) });
  return async (token) => {
    const claims = await jwtVerify(token, keys, {
      issuer: provider.issuer,
      audience: [...audiences],
      algorithms: ["ES256"],
      typ: "at+jwt",
      requiredClaims: ["sub", "client_id", "exp", "iat", "grant_id"],
    }).then(
      (verified) => verified.payload,
      () => undefined,
    );
    if (claims === undefined) return undefined;
    const { sub, client_id, grant_id } = claims;
    if (typeof sub !== "string" || typeof client_id !== "string") return undefined;
    if (typeof grant_id !== "string" || state.isDisabled(sub)) return undefined;
    const grant = await provider.Grant.find(grant_id);
    if (grant?.accountId !== sub || grant.clientId !== client_id) return undefined;
    return { subject: sub, client_id, grant_id, claims };
  };
}

function publicHalf(key: JWK): JWK {
  const { d: _private, ...shared } = key;
  return shared;
}
