// Whom an operator means: a person listed in the configuration, or claims as a token would have.
import type { Config } from "../config/load.ts";
import { own } from "../kernel/own.ts";
import { principalOf } from "../identity/claims.ts";
import { scopesIn } from "../identity/profile.ts";
import type { Who } from "../policy/who.ts";

export interface Someone extends Who {
  readonly label: string;
}

/** The question does not make sense; the message says what would. */
export class BadQuestion extends Error {
  override readonly name = "BadQuestion";
}

/** What is meant by a good question is not there: the answer is no. */
export class NotThere extends Error {
  override readonly name = "NotThere";
}

/** `--as`: a subject under `people`. */
export function personNamed(config: Config, name: string): Someone {
  const person = own(config.people, name);
  if (person !== undefined) {
    const { roles, tenant, attributes } = person;
    const issuer = config.issuers[person.issuer]?.issuer ?? "";
    return { label: name, subject: name, scopes: "any", roles, tenant, issuer, attributes };
  }
  const known = Object.keys(config.people).join(", ") || "nobody";
  throw new BadQuestion(
    `nobody is called ${JSON.stringify(name)} under "people" in the configuration ` +
      `(there: ${known}); name one of them, or give --claims '{"sub":…}'`,
  );
}

/** `--claims`: the claims of an access token, mapped as the issuer in `iss` maps them. */
export function personWithClaims(config: Config, claims: unknown): Someone {
  if (claims === null || typeof claims !== "object" || Array.isArray(claims)) {
    throw new BadQuestion("--claims is not a JSON object");
  }
  const given = { sub: "somebody", ...(claims as Record<string, unknown>) };
  const issuers = Object.values(config.issuers);
  const iss = "iss" in given ? given.iss : undefined;
  const issuer =
    iss === undefined && issuers.length === 1 ? issuers[0] : issuers.find((i) => i.issuer === iss);
  if (issuer === undefined) {
    const known = issuers.map((i) => i.issuer).join(", ");
    throw new BadQuestion(`the claims' iss is none of the configured issuers: ${known}`);
  }
  const mapped = principalOf(given, issuer);
  if (!mapped.ok) throw new BadQuestion(`such a token would be refused: ${mapped.why}`);
  const { subject, roles, tenant, attributes } = mapped.principal;
  const scopes = scopesIn(issuer, given);
  return { label: subject, subject, scopes, roles, tenant, issuer: issuer.issuer, attributes };
}
