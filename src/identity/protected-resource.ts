// What protects a server that says no: its own metadata, at a place on its own origin, naming the
// authorization servers whose tokens it takes.
// @see [RFC 9728](https://www.rfc-editor.org/rfc/rfc9728.html)
import { isLoopback } from "../kernel/address.ts";
import type { GuardedFetch } from "./guarded-fetch.ts";

export interface Protection {
  /** What a token must be for (RFC 8707). */
  readonly resource: string;
  readonly issuers: readonly string[];
  /** What the server's challenge, or else its metadata, asks for. */
  readonly scopes: readonly string[];
}

/** Throws where the server does not say, or says what cannot be right. */
export async function protectionOf(url: URL, guarded: GuardedFetch): Promise<Protection> {
  const challenge = await challengeOf(url, guarded);
  const named = parameterOf(challenge, "resource_metadata");
  const path = url.pathname === "/" ? "" : url.pathname;
  const well_known = `${url.origin}/.well-known/oauth-protected-resource`;
  const places = named === undefined ? [`${well_known}${path}`, well_known] : [named];
  for (const place of places) {
    const about = await metadataAt(place, url, guarded);
    if (about === undefined) continue;
    const scope = parameterOf(challenge, "scope")?.split(" ") ?? about.scopes;
    return { ...about, scopes: scope.filter((one) => one !== "") };
  }
  throw new Error(`${url.origin} wants a token, and does not say whose (RFC 9728)`);
}

async function challengeOf(url: URL, guarded: GuardedFetch): Promise<string> {
  const response = await guarded.fetch(url.href, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
  });
  await response.body?.cancel();
  return response.headers.get("www-authenticate") ?? "";
}

/** RFC 9110 section 11.2: a quoted string or a token. */
function parameterOf(challenge: string, name: string): string | undefined {
  const found = new RegExp(`(?:^|[\\s,])${name}=(?:"([^"\\\\]*)"|([^\\s,"]+))`, "i").exec(
    challenge,
  );
  return found?.[1] ?? found?.[2];
}

async function metadataAt(
  place: string,
  url: URL,
  guarded: GuardedFetch,
): Promise<Protection | undefined> {
  if (!URL.canParse(place) || new URL(place).origin !== url.origin) {
    throw new Error(`its metadata is not at ${url.origin}, so nobody can tell whose it is`);
  }
  const response = await guarded.fetch(place, { headers: { accept: "application/json" } });
  if (!response.ok) {
    await response.body?.cancel();
    return undefined;
  }
  const about = (await response.json()) as Record<string, unknown>;
  const resource = String(about["resource"]);
  // Section 3.3: metadata of another resource must not be used. A server may name all of itself.
  if (!isPartOf(url, resource)) throw new Error("its metadata is another resource's");
  const issuers = textsIn(about["authorization_servers"]).filter(isSafe);
  if (issuers.length === 0)
    throw new Error("its metadata names no authorization server over https");
  return { resource, issuers, scopes: textsIn(about["scopes_supported"]) };
}

function isPartOf(url: URL, resource: string): boolean {
  if (!URL.canParse(resource)) return false;
  const whole = new URL(resource);
  const [own, its] = [url, whole].map(({ pathname }) => pathname.replace(/\/*$/, "/"));
  return whole.origin === url.origin && (own ?? "").startsWith(its ?? "?");
}

function isSafe(issuer: string): boolean {
  if (!URL.canParse(issuer)) return false;
  const { protocol, hostname } = new URL(issuer);
  return protocol === "https:" || (protocol === "http:" && isLoopback(hostname));
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
