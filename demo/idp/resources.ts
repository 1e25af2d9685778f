/** The audiences this provider mints tokens for, and who may ask for which. */

import type { ResourceServer } from "oidc-provider";
import { API_NAMES, API_SCOPES, type ApiName } from "../apis.ts";
import { errors } from "./oidc-provider.ts";

/** The one scope of an agent's resource. It grants nothing: the resource itself is the grant. */
export const AGENT_SCOPE = "mcp";
export const AGENT_TOKEN_TTL_S = 600;
const EXCHANGED_TOKEN_TTL_S = 120;

export interface Resources {
  /** Agent name by resource URL. */
  readonly agents: ReadonlyMap<string, string>;
  /** API name by resource URL; reached by token exchange alone. */
  readonly apis: ReadonlyMap<string, ApiName>;
}

export function resourcesOf(agents: Readonly<Record<string, string>>, api: string): Resources {
  return {
    agents: new Map(Object.entries(agents).map(([name, url]) => [url, name])),
    // Mail has accounts of its own (demo/mail-accounts).
    apis: new Map(
      API_NAMES.filter((name) => name !== "mail").map((name) => [`${api}/${name}`, name]),
    ),
  };
}

/** What a client may name as `resource` itself: one agent, spelled exactly. */
export function agentResource(resources: Resources, indicator: string): ResourceServer {
  if (!resources.agents.has(indicator)) {
    throw new errors.InvalidTarget("resource is not the URL of an agent's MCP endpoint");
  }
  return jwtResource(indicator, AGENT_SCOPE, AGENT_TOKEN_TTL_S);
}

export function apiResource(indicator: string, api: ApiName): ResourceServer {
  return jwtResource(indicator, API_SCOPES[api].join(" "), EXCHANGED_TOKEN_TTL_S);
}

/** An MCP server that somebody tries out on this machine: its tokens are good there alone. */
export function isTriedServer(indicator: string): boolean {
  return /^http:\/\/(?:127\.0\.0\.1|localhost):\d{1,5}\/mcp$/.test(indicator);
}

export function triedServer(indicator: string): ResourceServer {
  return jwtResource(indicator, "", EXCHANGED_TOKEN_TTL_S);
}

function jwtResource(audience: string, scope: string, ttl_s: number): ResourceServer {
  return {
    audience,
    scope,
    accessTokenTTL: ttl_s,
    accessTokenFormat: "jwt",
    jwt: { sign: { alg: "ES256" } },
  };
}
