// The agents that a verb means, with their addresses and providers: of the doorless whose
// configuration is here, or of one elsewhere, which says it itself (RFC 9728).
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/load.ts";
import { createGuardedFetch } from "../identity/guarded-fetch.ts";
import { resourceMetadata } from "../identity/metadata.ts";
import { systemErrorInWords } from "../kernel/in-words.ts";
import { noConfig, placeOf, runningConfig } from "./core.ts";
import { EXIT, Stop } from "./output.ts";
import { usageError } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

/** What an agent is called, so that its name can stand in a URL. */
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
  for (const name of names) mustBeLikeAgent(verb, given, name);
  const url = remoteOf(verb, given);
  if (url === undefined) return localAgents(verb, given, names);
  const [, inPath] = /^\/mcp\/([^/]+)$/.exec(url.pathname) ?? [];
  const asked = names.length > 0 ? names : inPath === undefined ? [] : [inPath];
  if (asked.length === 0) throw usageError(verb, "name the agents, or give --remote URL/mcp/AGENT");
  return Promise.all(asked.map((agent) => remoteAgent(url.origin, agent)));
}

/** Where `--remote` says that the doorless is. */
export function remoteOf(verb: Verb, given: Given): URL | undefined {
  const remote = given.text("remote");
  if (remote === undefined) return undefined;
  const url = URL.canParse(remote) ? new URL(remote) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol)) return url;
  throw usageError(verb, `--remote ${remote} is no http or https URL`);
}

/** Whether it can be one at all; what cannot be does not get into a URL. */
export function mustBeLikeAgent(verb: Verb, given: Given, name: string): void {
  if (!AGENT.test(name)) throw noAgent(verb, given, name);
}

/** There is none of this name: which there are, where that can be read here. */
export function noAgent(verb: Verb, given: Given, name: string): Stop {
  const remote = given.text("remote");
  const config = remote === undefined ? configOf(given) : undefined;
  const where = remote === undefined ? "" : ` at ${remote}`;
  const known = config === undefined ? "" : `; there are: ${Object.keys(config.agents).join(", ")}`;
  return usageError(verb, `there is no agent ${JSON.stringify(name)}${where}${known}`);
}

/** The configuration of the doorless that is meant: the one that it runs with, where it runs. */
export function configOf(given: Given): Config | undefined {
  const { data, config } = placeOf(given);
  const file = runningConfig(data) ?? config;
  return file === undefined ? undefined : loadConfig(file, process.env, { secrets: false });
}

function localAgents(verb: Verb, given: Given, names: readonly string[]): AgentPlace[] {
  const config = configOf(given);
  if (config === undefined) throw noConfig();
  const asked = names.length > 0 ? names : Object.keys(config.agents);
  return asked.map((agent) => {
    if (!Object.hasOwn(config.agents, agent)) throw noAgent(verb, given, agent);
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
    throw new Stop(
      EXIT.unreachable,
      `${resource} does not say who signs in: ${systemErrorInWords(error)}`,
    );
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
