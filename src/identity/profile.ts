// How a provider's access tokens deviate from RFC 9068. Nothing here is guessed from a token: the
// configuration names the profile, and every other spelling is refused.
import type { JWTPayload } from "jose";
import type { IssuerConfig } from "../config/schema.ts";

interface Profile {
  /** The header's typ; absent where the provider sets none. */
  readonly typ?: string;
  /** The claim that names the client. */
  readonly client: readonly string[];
  readonly scope: "scope" | "scp";
  /** Why this is no access token of a person, by the provider's own signs. */
  readonly fault?: (claims: JWTPayload) => string | undefined;
}

const PROFILES: Readonly<Record<IssuerConfig["profile"], Profile>> = {
  rfc9068: { typ: "at+jwt", client: ["client_id"], scope: "scope" },
  // Keycloak says in the payload what others say in the header.
  keycloak: {
    typ: "JWT",
    client: ["azp", "client_id"],
    scope: "scope",
    fault: ({ typ }) => (typ === "Bearer" ? undefined : "it is no access token"),
  },
  auth0: { typ: "JWT", client: ["azp"], scope: "scope" },
  okta: { client: ["cid"], scope: "scp" },
  // An Entra token without scp is an application's own, whatever else it says.
  entra: {
    typ: "JWT",
    client: ["azp", "appid"],
    scope: "scp",
    fault: ({ scp }) =>
      typeof scp === "string" && scp !== "" ? undefined : "it is an application's",
  },
};

/** What jose is to check of the header, where the provider says anything there. */
export function typOf({ profile }: IssuerConfig): { typ?: string } {
  const { typ } = PROFILES[profile];
  return typ === undefined ? {} : { typ };
}

/** The client that holds the token. */
export function clientIn({ profile }: IssuerConfig, claims: JWTPayload): string | undefined {
  const named = PROFILES[profile].client.map((claim) => claims[claim]);
  const client = named.find((value) => value !== undefined);
  return typeof client === "string" && client !== "" ? client : undefined;
}

/** RFC 6749 section 3.3: scopes are a space-separated string; Okta sends a list. */
export function scopesIn({ profile }: IssuerConfig, claims: JWTPayload): readonly string[] {
  const scope = claims[PROFILES[profile].scope];
  if (typeof scope === "string") return scope.split(" ").filter((s) => s !== "");
  return Array.isArray(scope) ? scope.filter((s): s is string => typeof s === "string") : [];
}

// Claims of ID tokens, logout tokens and security events. Where the header's typ tells them apart
// from access tokens these never come up; where it does not, nothing else would.
const OF_OTHER_TOKENS = ["nonce", "at_hash", "c_hash", "s_hash", "events"] as const;

/** Why this is no access token; nothing where it is one. */
export function kindFault({ profile }: IssuerConfig, claims: JWTPayload): string | undefined {
  const other = OF_OTHER_TOKENS.find((claim) => claims[claim] !== undefined);
  if (other !== undefined) return `it is no access token: it has ${other}`;
  return PROFILES[profile].fault?.(claims);
}
