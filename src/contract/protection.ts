// Where an operation is served, and how it is protected: a change in either is the gravest.
import { canonicalJson } from "../kernel/ids.ts";
import type { Found } from "./operation.ts";
import { followed, isRaw, listOf, rawOf, textOf } from "./raw.ts";
import type { Raw } from "./raw.ts";

/** Schemes that must all be met. What a document calls them is nothing; what they are, counts. */
export type Alternative = readonly Demand[];

export interface Demand {
  readonly scheme: Scheme;
  readonly scopes: readonly string[];
}

interface Scheme {
  readonly type: string;
  /** `http`: basic, bearer; `apiKey`: where it stands. */
  readonly how?: string;
  /** `oauth2` and `openIdConnect`: what is asked, and where. */
  readonly urls?: Readonly<Record<string, string>>;
}

export function serversIn(found: Found): readonly string[] {
  if (found.swagger) return swaggerServers(found.document);
  const lists = [found.node, found.item, found.document].map((one) => listOf(one, "servers"));
  const servers = lists.find((list) => list.length > 0) ?? [{ url: "/" }];
  return distinct(servers.filter(isRaw).map(addressOf));
}

// What is dialled is the template with its presets.
function addressOf(server: Raw): string {
  const variables = rawOf(server, "variables");
  const url = (textOf(server, "url") ?? "/").replaceAll(/\{([^{}]*)\}/g, (whole, name: string) => {
    const preset = rawOf(variables, name)["default"];
    return typeof preset === "string" || typeof preset === "number" ? String(preset) : whole;
  });
  return normal(url);
}

function normal(url: string): string {
  const trimmed = url.length > 1 ? url.replace(/\/$/, "") : url;
  if (!URL.canParse(trimmed)) return trimmed;
  const { href } = new URL(trimmed);
  return href.replace(/\/$/, "");
}

function swaggerServers(document: Raw): readonly string[] {
  const base = textOf(document, "basePath") ?? "/";
  const host = textOf(document, "host");
  if (host === undefined) return [normal(base)];
  const schemes = listOf(document, "schemes").filter((one) => typeof one === "string");
  return distinct(
    (schemes.length === 0 ? ["https"] : schemes).map((scheme) =>
      normal(`${scheme}://${host}${base}`),
    ),
  );
}

export function securityIn(found: Found): readonly Alternative[] {
  const { document, node } = found;
  const listed = Array.isArray(node["security"]) ? node : document;
  const alternatives = listOf(listed, "security").filter(isRaw);
  const all = alternatives.map((one) =>
    Object.entries(one)
      .map(([name, scopes]) => ({ scheme: schemeOf(found, name), scopes: textsIn(scopes) }))
      .toSorted(inOrder),
  );
  return all.toSorted(inOrder);
}

function textsIn(value: unknown): readonly string[] {
  return distinct((Array.isArray(value) ? value : []).filter((one) => typeof one === "string"));
}

function inOrder(a: unknown, b: unknown): number {
  return canonicalJson(a) < canonicalJson(b) ? -1 : 1;
}

function schemeOf({ document, swagger }: Found, name: string): Scheme {
  const schemes = swagger
    ? rawOf(document, "securityDefinitions")
    : rawOf(rawOf(document, "components"), "securitySchemes");
  if (!Object.hasOwn(schemes, name)) return { type: "unknown", how: name };
  const raw = followed(document, schemes[name]);
  const type = textOf(raw, "type") ?? "unknown";
  switch (type) {
    case "basic":
      return { type: "http", how: "basic" };
    case "http":
      return { type, how: (textOf(raw, "scheme") ?? "").toLowerCase() };
    case "apiKey":
      return {
        type,
        how: `${textOf(raw, "in") ?? ""} ${(textOf(raw, "name") ?? "").toLowerCase()}`,
      };
    case "openIdConnect":
      return { type, urls: { discovery: textOf(raw, "openIdConnectUrl") ?? "" } };
    case "oauth2":
      return { type, urls: swagger ? flowOf(swaggerFlow(raw), raw) : flowsOf(rawOf(raw, "flows")) };
    default:
      return { type };
  }
}

function swaggerFlow(raw: Raw): string {
  const flow = textOf(raw, "flow") ?? "";
  return { accessCode: "authorizationCode", application: "clientCredentials" }[flow] ?? flow;
}

function flowsOf(flows: Raw): Record<string, string> {
  const all = Object.keys(flows).toSorted();
  return Object.assign({}, ...all.map((name) => flowOf(name, rawOf(flows, name)))) as Record<
    string,
    string
  >;
}

function flowOf(name: string, flow: Raw): Record<string, string> {
  const urls: Record<string, string> = {};
  for (const [key, word] of [
    ["authorizationUrl", "authorization"],
    ["tokenUrl", "token"],
    ["refreshUrl", "refresh"],
  ] as const) {
    const url = textOf(flow, key);
    if (url !== undefined) urls[`${name}.${word}`] = url;
  }
  return urls;
}

function distinct(words: readonly string[]): readonly string[] {
  return [...new Set(words)].toSorted();
}
