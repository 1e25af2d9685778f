// From verified claims to a Principal, or to the reason why there is no human in them.
import type { JWTPayload } from "jose";
import type { IssuerConfig } from "../config/schema.ts";
import { valueAt } from "../kernel/json.ts";
import type { Principal } from "../kernel/principal.ts";

const ROLES_MAX = 200;
const ATTRIBUTE_VALUES_MAX = 200;
const ACTORS_MAX = 4;
const NAME_CHARS_MAX = 100;

/** RFC 6749 section 3.3: scopes are a space-separated string; some providers send a list. */
export function scopesOf(claims: JWTPayload): readonly string[] {
  const scope = claims["scope"] ?? claims["scp"];
  if (typeof scope === "string") return scope.split(" ").filter((s) => s !== "");
  return strings(scope);
}

export function audiencesOf(claims: JWTPayload): readonly string[] {
  return typeof claims.aud === "string" ? [claims.aud] : (claims.aud ?? []);
}

// Google's, for programs.
const CLOUD_ACCOUNTS = `.${["g", "service", "account"].join("")}.com`;

const CLIENT_CLAIMS = ["client_id", "azp", "cid", "appid"] as const;

/**
 * Why these claims speak for a machine and not for a human; nothing where they do not.
 * RFC 9068 section 2.2: with no resource owner, sub identifies the client. No call runs as
 * a machine, so such a token is refused however well it is signed.
 */
export function machineSign(claims: JWTPayload): string | undefined {
  const { sub } = claims;
  for (const client of CLIENT_CLAIMS.map((claim) => claims[claim])) {
    if (typeof client !== "string") continue;
    if (sub === client) return "its sub is the client itself";
    // Auth0 and Keycloak give a client a user of its own, named after it.
    const own = ["service", "account", client].join("-");
    if (sub === `${client}@clients` || claims["preferred_username"] === own) {
      return "its sub is the client's own user";
    }
  }
  const grants = [claims["gty"], claims["grant_type"]].flat();
  if (grants.some((grant) => /client.?credentials/.test(String(grant)))) {
    return "it was issued to a client, not to a person";
  }
  if (claims["idtyp"] === "app") return "it was issued to an application, not to a person";
  if (claims["xms_mirid"] !== undefined) return "it was issued to a managed identity";
  const { email } = claims as { email?: unknown };
  if (typeof email === "string" && email.toLowerCase().endsWith(CLOUD_ACCOUNTS)) {
    return "it was issued to a cloud account that is no person";
  }
  return undefined;
}

export type Mapped =
  | {
      readonly ok: true;
      readonly principal: Principal;
      readonly family: string | undefined;
      readonly incomplete: string | undefined;
    }
  | { readonly ok: false; readonly why: string };

/** Maps the claims by the issuer's configured JSON pointers. */
export function principalOf(claims: JWTPayload, issuer: IssuerConfig): Mapped {
  const no = (why: string): Mapped => ({ ok: false, why });
  const subject = claims.sub;
  if (typeof subject !== "string" || subject === "" || subject.length > 255) return no("no sub");
  const machine = machineSign(claims);
  if (machine !== undefined) return no(machine);
  const tenant = tenantOf(claims, issuer);
  if (tenant === false) return no("its tenant is not one that this issuer speaks for");
  const actor_chain = actorsOf(claims["act"]);
  if (actor_chain === undefined) return no("its actor chain is malformed or too long");
  const stranger = actor_chain.find((actor) => !issuer.actors.includes(actor));
  if (stranger !== undefined) return no("its actor chain names somebody who may not act here");
  const name = text(valueAt(claims, issuer.claims.name)) ?? subject;
  return {
    ok: true,
    family: text(valueAt(claims, issuer.claims.family)),
    incomplete: incompleteBy(claims, issuer),
    principal: Object.freeze({
      issuer: issuer.issuer,
      subject,
      name: readable(name),
      tenant,
      roles: Object.freeze(rolesOf(claims, issuer)),
      attributes: attributesOf(claims, issuer),
      actor_chain: Object.freeze(actor_chain),
    }),
  };
}

// A claim that is neither a text nor a list of texts is as good as none: rules that ask for it
// refuse.
function attributesOf(claims: JWTPayload, issuer: IssuerConfig): Principal["attributes"] & object {
  const found = Object.entries(issuer.claims.attributes).flatMap(([name, at]) => {
    const value = valueAt(claims, at);
    const kept = Array.isArray(value) ? textsIn(value) : text(value);
    return kept === undefined ? [] : [[name, kept] as const];
  });
  return Object.freeze(Object.fromEntries(found));
}

function textsIn(list: readonly unknown[]): readonly string[] | undefined {
  const texts = list.map((one) => text(one)).filter((one) => one !== undefined);
  const isWhole = texts.length === list.length && list.length <= ATTRIBUTE_VALUES_MAX;
  return isWhole ? Object.freeze(texts) : undefined;
}

// A token that says "ask elsewhere" (OpenID Core section 5.6.2; Entra beyond 200 groups) has not
// said which roles the user has. No roles would be a wrong answer, and asking elsewhere another's.
function incompleteBy(claims: JWTPayload, issuer: IssuerConfig): string | undefined {
  const decides = [issuer.claims.roles, issuer.claims.tenant, ...issuer.claims.required];
  const elsewhere = claims["_claim_names"];
  for (const at of decides) {
    if (at === undefined) continue;
    const [, first = ""] = at.split("/");
    const isElsewhere = isObject(elsewhere) && Object.hasOwn(elsewhere, first);
    if (isElsewhere || (first === "groups" && claims["hasgroups"] === true)) {
      return `The claim ${at} is too long for the token, which refers to another place for it.`;
    }
  }
  const missing = issuer.claims.required.find((at) => valueAt(claims, at) === undefined);
  return missing === undefined ? undefined : `The token has no claim ${missing}.`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object";
}

function tenantOf(claims: JWTPayload, issuer: IssuerConfig): string | undefined | false {
  if (issuer.claims.tenant === undefined) return undefined;
  const tenant = valueAt(claims, issuer.claims.tenant);
  if (tenant === undefined) return undefined;
  const named = text(tenant);
  if (named === undefined) return false;
  return issuer.tenants === undefined || issuer.tenants.includes(named) ? named : false;
}

function rolesOf(claims: JWTPayload, issuer: IssuerConfig): string[] {
  const value = valueAt(claims, issuer.claims.roles);
  const theirs = typeof value === "string" ? [value] : strings(value).slice(0, ROLES_MAX);
  const map = issuer.roles;
  if (map === undefined) return [...new Set(theirs)].toSorted();
  const ours = theirs.flatMap((role) => (Object.hasOwn(map, role) ? [map[role] ?? ""] : []));
  return [...new Set(ours)].toSorted();
}

// RFC 8693 section 4.1: nested act claims, the current actor outermost.
function actorsOf(act: unknown): string[] | undefined {
  const chain: string[] = [];
  for (let here = act; here !== undefined; here = (here as Record<string, unknown>)["act"]) {
    if (here === null || typeof here !== "object" || chain.length >= ACTORS_MAX) return undefined;
    const actor = text((here as Record<string, unknown>)["sub"]);
    if (actor === undefined) return undefined;
    chain.push(actor);
  }
  return chain;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= 512 ? value : undefined;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((v): v is string => typeof v === "string") : [];
}

// A display name is shown to people and terminals: no control or direction-changing characters.
function readable(name: string): string {
  return name
    .normalize("NFC")
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "")
    .slice(0, NAME_CHARS_MAX);
}
