// How providers differ in giving a user's token for another API: what they are asked with, what
// they leave out of the answer, and by which claims one human is the same human. Data, no secrets;
// each is tested against a provider that takes exactly this request and no other.
import type { JWTPayload } from "jose";
import type { DelegationConfig } from "../config/connector.ts";
import type { IssuerConfig } from "../config/schema.ts";

export type ExchangeConfig = Extract<DelegationConfig, { kind: "exchange" }>;

const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/** The grants by which a token is had for another one. */
export const EXCHANGE_GRANTS: readonly string[] = [EXCHANGE, JWT_BEARER];
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

export interface Dialect {
  readonly grant: string;
  /** How doorless proves itself at the token endpoint. */
  readonly auth: "post" | "basic";
  readonly parameters: (
    subject_token: string,
    to: ExchangeConfig,
    scopes: readonly string[],
  ) => Record<string, string>;
  /** RFC 8693 section 2.2.1: issued_token_type is REQUIRED; on-behalf-of knows no such thing. */
  readonly names_issued_type: boolean;
  /** The claims that must be equal, and there, in the user's token and in the issued one. */
  readonly same_human: readonly string[];
}

const rfc8693: Dialect = {
  grant: EXCHANGE,
  auth: "post",
  parameters: (subject_token, to, scopes) => ({
    subject_token,
    subject_token_type: ACCESS_TOKEN,
    requested_token_type: ACCESS_TOKEN,
    ...scopeOf(scopes),
    ...(to.resource === undefined ? {} : { resource: to.resource }),
    ...(to.audience === undefined ? {} : { audience: to.audience }),
  }),
  names_issued_type: true,
  same_human: ["sub"],
};

/** RFC 8693 by audience, without the optional requested_token_type. */
const byAudience: Dialect["parameters"] = (subject_token, to, scopes) => ({
  subject_token,
  subject_token_type: ACCESS_TOKEN,
  audience: audienceOf(to),
  ...scopeOf(scopes),
});

// RFC 6749 section 3.3: a scope of nothing is none; what the provider gives then is looked at.
function scopeOf(scopes: readonly string[]): Record<string, string> {
  return scopes.length === 0 ? {} : { scope: scopes.join(" ") };
}

export const DIALECTS: Readonly<Record<IssuerConfig["profile"], Dialect>> = {
  rfc9068: rfc8693,
  // Standard token exchange V2: the audience is the target's client id, and only filters.
  keycloak: {
    ...rfc8693,
    parameters: (subject_token, to, scopes) => ({
      ...byAudience(subject_token, to, scopes),
      requested_token_type: ACCESS_TOKEN,
    }),
  },
  // On-behalf-of at a custom authorization server.
  okta: { ...rfc8693, auth: "basic", parameters: byAudience },
  // On-behalf-of for custom API clients; the answer's act claim names us.
  auth0: { ...rfc8693, parameters: byAudience },
  // On-behalf-of is a JWT bearer grant there, scopes begin with the API's name, and sub differs
  // from application to application: oid and tid are the person.
  entra: {
    grant: JWT_BEARER,
    auth: "post",
    parameters: (assertion, to, scopes) => ({
      assertion,
      requested_token_use: "on_behalf_of",
      scope: scopes.map((scope) => `${audienceOf(to)}/${scope}`).join(" "),
    }),
    names_issued_type: false,
    same_human: ["oid", "tid"],
  },
};

// The configuration has checked that there is one.
function audienceOf({ audience }: ExchangeConfig): string {
  if (audience === undefined) throw new RangeError("this dialect needs an audience");
  return audience;
}

/** Whether both tokens name one human, by every claim that counts. */
export function isSameHuman(dialect: Dialect, user: JWTPayload, issued: JWTPayload): boolean {
  return dialect.same_human.every((claim) => {
    const value = user[claim];
    return typeof value === "string" && value !== "" && value === issued[claim];
  });
}
