/** The SaaS verifies the user's token itself, on every request, against the provider's keys. */

import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload } from "jose";
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

export function tokenVerifier(issuer: string): VerifyToken {
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`), {
    cooldownDuration: JWKS_COOLDOWN_MS,
  });
  return async (authorization, audience) => {
    const token = /^Bearer ([\w.~+/-]+=*)$/i.exec(authorization ?? "")?.[1];
    if (token === undefined) throw unauthorized("A bearer token is required.");
    try {
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
