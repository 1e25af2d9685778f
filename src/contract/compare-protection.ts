// Where an API is served and what it asks of a caller: a token must not go where nobody agreed to.
import { isLoopback } from "../kernel/address.ts";
import { canonicalJson } from "../kernel/ids.ts";
import { pointerTo } from "../kernel/json.ts";
import { matched } from "./compare-choices.ts";
import type { Findings, Place } from "./findings.ts";
import type { Alternative, Demand } from "./protection.ts";
import type { Slice } from "./slice.ts";

/** On this machine a port is whatever was free. */
function placed(url: string): string {
  if (!URL.canParse(url)) return url;
  const parsed = new URL(url);
  if (isLoopback(parsed.hostname)) parsed.port = "";
  return parsed.href;
}

const SERVER: Place = { side: "server", kind: "", pointer: "/server", path: "" };
const SECURITY: Place = { side: "security", kind: "", pointer: "/security", path: "" };

export function compareProtection(findings: Findings, before: Slice, after: Slice): void {
  const [old, now] = [before, after].map(({ server }) => server.map(placed));
  const gone = before.server.filter((url) => !now?.includes(placed(url)));
  const fresh = after.server.filter((url) => !old?.includes(placed(url)));
  if (gone.length > 0) {
    findings.add("server-url-changed", SERVER, { from: gone.join(" "), to: fresh.join(" ") });
  } else if (fresh.length > 0) findings.add("server-url-added", SERVER, { to: fresh.join(" ") });
  compareSecurity(findings, before.security, after.security);
}

// One that is as it was goes with itself, then one that asks for other scopes, then any other.
function compareSecurity(
  findings: Findings,
  before: readonly Alternative[],
  after: readonly Alternative[],
): void {
  const [old, now] = [open(before), open(after)];
  const pairs = [canonicalJson, withoutScopes, kinds].flatMap((key) => matched(old, now, key));
  if (old.length === 1 && now.length === 1) pairs.push([...old.splice(0), ...now.splice(0)]);
  for (const [one = [], other = []] of pairs) compareAlternative(findings, one, other);
  for (const one of old) findings.add("api-security-removed", SECURITY, { from: named(one) });
  for (const one of now) findings.add("api-security-added", SECURITY, { to: named(one) });
}

// No alternatives at all: everybody is let in, as by one that asks for nothing.
function open(alternatives: readonly Alternative[]): Alternative[] {
  return alternatives.length === 0 ? [[]] : [...alternatives];
}

function withoutScopes(alternative: Alternative): string {
  return canonicalJson(alternative.map(({ scheme }) => whereverItIs(scheme)));
}

function whereverItIs({ urls, ...scheme }: Demand["scheme"]): unknown {
  const all = Object.entries(urls ?? {}).map(([name, url]) => [name, placed(url)]);
  return { ...scheme, urls: Object.fromEntries(all) };
}

function kinds(alternative: Alternative): string {
  return canonicalJson(alternative.map(({ scheme }) => scheme.type).toSorted());
}

function compareAlternative(findings: Findings, before: Alternative, after: Alternative): void {
  if (before.length !== after.length) {
    const change = { from: named(before), to: named(after) };
    return findings.add("api-security-removed", SECURITY, change);
  }
  const rest = [...after];
  for (const demand of before) {
    const key = canonicalJson(whereverItIs(demand.scheme));
    const same = rest.find(({ scheme }) => canonicalJson(whereverItIs(scheme)) === key);
    const partner =
      same ?? rest.find(({ scheme }) => scheme.type === demand.scheme.type) ?? rest[0];
    if (partner === undefined) continue;
    rest.splice(rest.indexOf(partner), 1);
    compareDemand(findings, demand, partner);
  }
}

function compareDemand(findings: Findings, before: Demand, after: Demand): void {
  const [old, now] = [before.scheme, after.scheme];
  const at = { ...SECURITY, pointer: pointerTo("/security", old.type) };
  if (old.type !== now.type || old.how !== now.how) {
    const change = { from: `${old.type} ${old.how ?? ""}`, to: `${now.type} ${now.how ?? ""}` };
    return findings.add("api-security-component-type-changed", at, change);
  }
  const [urls, next] = [old.urls ?? {}, now.urls ?? {}];
  for (const name of new Set([...Object.keys(urls), ...Object.keys(next)])) {
    const [from, to] = [urls[name], next[name]];
    if (placed(from ?? "") === placed(to ?? "")) continue;
    const flow = name.split(".")[0] ?? "";
    const isNew = !Object.keys(urls).some((key) => key.split(".")[0] === flow);
    const rule = isNew ? "api-security-component-oauth-flow-added" : urlRule(name);
    findings.add(rule, { ...at, pointer: pointerTo(at.pointer, name) }, { from, to });
  }
  const added = after.scopes.filter((one) => !before.scopes.includes(one));
  const removed = before.scopes.filter((one) => !after.scopes.includes(one));
  for (const scope of added) {
    findings.add("api-security-scope-added", { ...at, pointer: pointerTo(at.pointer, scope) });
  }
  for (const scope of removed) {
    findings.add("api-security-scope-removed", { ...at, pointer: pointerTo(at.pointer, scope) });
  }
}

function urlRule(name: string): string {
  if (name === "discovery") return "api-security-component-openid-url-changed";
  const word = name.endsWith(".authorization") ? "oauth-url" : "oauth-token-url";
  return `api-security-component-${word}-changed`;
}

function named(alternative: Alternative): string {
  const words = alternative.map(({ scheme, scopes }) => [scheme.type, ...scopes].join(" "));
  return words.length === 0 ? "nothing asked" : words.join(" + ");
}
