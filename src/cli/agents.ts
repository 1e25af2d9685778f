// The agents that a verb means, with their addresses and providers: of the doorless whose
// configuration is here, or of one elsewhere, which says it itself (RFC 9728).
import { loadConfig } from "../config/load.ts";
import { createGuardedFetch } from "../identity/guarded-fetch.ts";
import { resourceMetadata } from "../identity/metadata.ts";
import { placeOf, runningConfig } from "./core.ts";
import { EXIT, Stop } from "./output.ts";
import { usageError } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

const AGENT = /^[a-z][a-z0-9_-]{0,47}$/;

/** One agent, as the person who signs in for it must know it. */
export interface AgentPlace {
  readonly agent: string;
  /** Its URL: what a token for it is bound to. */
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly issuers: readonly string[];
  /** The public client of doorless at its issuers, by issuer, where the configuration names one. */
  readonly clients: Readonly<Record<string, string>>;
}

/** The agents named; without names, all of this configuration, or the one in `--remote`'s path. */
export async function agentsOf(
  verb: Verb,
  given: Given,
  names: readonly string[],
): Promise<readonly AgentPlace[]> {
  for (const name of names) {
    if (!AGENT.test(name)) throw usageError(verb, `${JSON.stringify(name)} is no agent's name`);
  }
  const remote = given.text("remote");
  if (remote === undefined) return localAgents(verb, given, names);
  if (!URL.canParse(remote)) throw usageError(verb, "--remote is not a URL");
  const url = new URL(remote);
  const [, inPath] = /^\/mcp\/([^/]+)$/.exec(url.pathname) ?? [];
  const asked = names.length > 0 ? names : inPath === undefined ? [] : [inPath];
  if (asked.length === 0) throw usageError(verb, "name the agents, or give --remote URL/mcp/AGENT");
  return Promise.all(asked.map((agent) => remoteAgent(url.origin, agent)));
}

function localAgents(verb: Verb, given: Given, names: readonly string[]): AgentPlace[] {
  const { data, config: named } = placeOf(given);
  const file = runningConfig(data) ?? named;
  if (file === undefined) throw new Stop(EXIT.usage, "name a --config FILE");
  const config = loadConfig(file, process.env, { secrets: false });
  const asked = names.length > 0 ? names : Object.keys(config.agents);
  return asked.map((agent) => {
    if (!Object.hasOwn(config.agents, agent)) {
      const known = Object.keys(config.agents).join(", ");
      throw usageError(verb, `there is no agent ${agent} (there: ${known})`);
    }
    const clients = Object.values(config.issuers).flatMap(({ issuer, native }) =>
      native === undefined ? [] : [[issuer, native.client_id]],
    );
    const about = resourceMetadata(config, agent);
    return placeIn(agent, about, Object.fromEntries(clients) as Record<string, string>);
  });
}

async function remoteAgent(origin: string, agent: string): Promise<AgentPlace> {
  const resource = `${origin}/mcp/${agent}`;
  const guarded = createGuardedFetch(true);
  try {
    const url = `${origin}/.well-known/oauth-protected-resource/mcp/${agent}`;
    const response = await guarded.fetch(url);
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    const about = (await response.json()) as Record<string, unknown>;
    // RFC 9728 section 3.3: metadata of another resource must not be used.
    if (about["resource"] !== resource) throw new Error("its metadata is another resource's");
    return placeIn(agent, about, {});
  } catch (error) {
    throw new Stop(EXIT.unreachable, `${resource} does not say who signs in: ${String(error)}`);
  } finally {
    await guarded.close();
  }
}

function placeIn(
  agent: string,
  about: Record<string, unknown>,
  clients: Readonly<Record<string, string>>,
): AgentPlace {
  const list = (name: string): string[] => {
    const value = about[name];
    return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
  };
  return {
    agent,
    resource: String(about["resource"]),
    scopes: list("scopes_supported"),
    issuers: list("authorization_servers"),
    clients,
  };
}
