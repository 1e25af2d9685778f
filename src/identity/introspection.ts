// Token introspection: does the provider still stand by this token? A signature never knew.
// @see [RFC 7662](https://www.rfc-editor.org/rfc/rfc7662.html)
import { tokenIntrospection } from "openid-client";
import type { IntrospectionResponse } from "openid-client";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import type { Credential } from "../kernel/principal.ts";
import type { ClientOf } from "./client.ts";
import { describe } from "./provider.ts";

/** Nothing where the token is active, `invalid_token` where not, else `identity_unavailable`. */
export function createIntrospection(clientOf: ClientOf) {
  return async (credential: Credential): Promise<Refusal | undefined> => {
    let said: IntrospectionResponse;
    try {
      said = await tokenIntrospection(await clientOf(), credential.proof.reveal(), {
        token_type_hint: "access_token",
      });
    } catch (error) {
      // Whatever is not a plain yes or no is no answer about the user.
      return refusal("identity_unavailable", { retry_after_ms: 1000, cause: describe(error) });
    }
    if (!said.active)
      return refusal("invalid_token", { reason: "Refused: it has ended, or was revoked." });
    // RFC 7662 section 2.2: sub and iss are optional; what is said must be about this very token.
    const { issuer, subject } = credential.principal;
    const isOther =
      (said.sub !== undefined && said.sub !== subject) ||
      (said.iss !== undefined && said.iss !== issuer);
    if (!isOther) return undefined;
    const cause = "the provider's answer was about another user";
    return refusal("identity_unavailable", { retry_after_ms: 1000, cause });
  };
}
