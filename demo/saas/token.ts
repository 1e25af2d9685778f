/** The SaaS verifies the user's token itself, on every request, against the provider's keys. */

import { createRemoteJWKSet, decodeJwt, errors, jwtVerify, type JWTPayload } from "jose";
import { ApiError } from "./api-error.ts";

// Longer than any token this API accepts; bounds a forged or skewed iat as well.
const TOKEN_AGE_MAX_S = 600;
const CLOCK_TOLERANCE_S = 5;
const JWKS_COOLDOWN_MS = 5000;

interface TokenHolder {
  readonly subject: string;
  readonly client: string;
  readonly scopes: ReadonlySet<string>;
}

export type VerifyToken = (
  authorization: string | undefined,
  audience: string,
) => Promise<TokenHolder>;

/** Verifies tokens of these issuers, each against its own keys. */
export function tokenVerifier(...issuers: readonly string[]): VerifyToken {
  const keysOf = new Map(
    issuers.map((issuer) => {
      const jwks = new URL(`${issuer}/jwks`);
      return [issuer, createRemoteJWKSet(jwks, { cooldownDuration: JWKS_COOLDOWN_MS })];
    }),
  );
  return async (authorization, audience) => {
    const token = /^Bearer ([\w.~+/-]+=*)$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) throw unauthorized("A bearer token is required.");
    try {
      // Unverified: it only picks whose keys to verify with.
      const issuer = decodeJwt(token).iss ?? "";
      const keys = keysOf.get(issuer);
      if (keys === undefined) throw new errors.JWTInvalid("an issuer that nobody trusts here");
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms: ["ES256"],
        typ: "at+jwt",
        requiredClaims: ["sub", "client_id", "iat", "exp"],
        maxTokenAge: TOKEN_AGE_MAX_S,
        clockTolerance: CLOCK_TOLERANCE_S,
      });
      return holderOf(payload);
    } catch (error) {
      throw isTokensFault(error) ? unauthorized("The token is not valid here.") : unavailable();
    }
  };
}

function holderOf(payload: JWTPayload): TokenHolder {
  const scope = payload["scope"];
  return {
    subject: String(payload.sub),
    client: String(payload["client_id"]),
    scopes: new Set(typeof scope === "string" ? scope.split(" ") : []),
  };
}

/** Everything else that can go wrong is that the provider's keys could not be had. */
function isTokensFault(error: unknown): boolean {
  const faults = [
    errors.JWTClaimValidationFailed,
    errors.JWTExpired,
    errors.JWTInvalid,
    errors.JWSInvalid,
    errors.JWSSignatureVerificationFailed,
    errors.JOSEAlgNotAllowed,
    errors.JOSENotSupported,
    errors.JWKSNoMatchingKey,
  ];
  return faults.some((fault) => error instanceof fault);
}

function unauthorized(message: string): ApiError {
  return new ApiError(401, "invalid_token", message);
}

function unavailable(): ApiError {
  return new ApiError(503, "identity_unavailable", "The identity provider cannot be reached.");
}
