// Who: all that a policy may know of a caller. A Principal with its token's scopes is one.
import { own } from "../kernel/own.ts";
import type { Credential } from "../kernel/principal.ts";

export interface Who {
  readonly roles: readonly string[];
  /** `any` where a question is asked without a token: each scope that a rule names is assumed. */
  readonly scopes: readonly string[] | "any";
  readonly subject: string;
  readonly tenant: string | undefined;
  readonly issuer: string;
  readonly attributes?: Readonly<Record<string, string | readonly string[]>> | undefined;
}

export function whoIn({ principal, scopes }: Credential): Who {
  const { roles, subject, tenant, issuer, attributes } = principal;
  return { roles, scopes, subject, tenant, issuer, attributes };
}

/** The claims that every user has; the rest are the issuers' `claims.attributes`. */
export const OWN_CLAIMS = ["subject", "tenant", "issuer"] as const;

/** `principal.email` of this caller; nothing where the token does not say it. */
export function claimOf(who: Who, reference: string): string | readonly string[] | undefined {
  const name = reference.slice("principal.".length);
  switch (name) {
    case "subject":
    case "tenant":
    case "issuer":
      return who[name];
    default:
      return own(who.attributes ?? {}, name);
  }
}

export function hasScope({ scopes }: Who, scope: string): boolean {
  return scopes === "any" || scopes.includes(scope);
}
