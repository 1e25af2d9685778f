// What one field of the configuration cannot know of another: names that lead nowhere, and agents
// that one token could fit twice. "A token must match exactly one agent" (DESIGN section 2).
import { keptBytesMax } from "./limits.ts";
import type { Rate } from "./limits.ts";
import type { AgentConfig, ConfigFile } from "./schema.ts";
import type { Report } from "./problem.ts";
import type { RoleFile } from "./rules.ts";

export function unknownNames(data: ConfigFile, report: Report): void {
  const known = (
    where: string,
    kind: string,
    among: Readonly<Record<string, unknown>>,
    name: string,
  ): void => {
    if (Object.hasOwn(among, name)) return;
    const mend = `name one of: ${Object.keys(among).join(", ") || "(there are none yet)"}`;
    report(where, `unknown ${kind} ${JSON.stringify(name)}`, mend);
  };
  for (const [name, role] of Object.entries(data.roles)) {
    for (const [agent, tools] of Object.entries(role)) {
      known(`/roles/${name}/${agent}`, "agent", data.agents, agent);
      const has = data.agents[agent]?.tools;
      if (has === undefined || Object.keys(has).some((one) => one.includes(":"))) continue;
      for (const [tool, at] of toolsNamed(tools, `/roles/${name}/${agent}`)) {
        known(at, "tool", has, tool);
      }
    }
  }
  for (const [name, agent] of Object.entries(data.agents)) {
    agent.issuers?.forEach((issuer, i) =>
      known(`/agents/${name}/issuers/${i}`, "issuer", data.issuers, issuer),
    );
  }
  for (const [name, person] of Object.entries(data.people)) {
    known(`/people/${name}/issuer`, "issuer", data.issuers, person.issuer);
    person.roles.forEach((role, i) =>
      known(`/people/${name}/roles/${i}`, "role", data.roles, role),
    );
  }
  for (const [name, issuer] of Object.entries(data.issuers)) {
    for (const [theirs, role] of Object.entries(issuer.roles ?? {})) {
      known(`/issuers/${name}/roles/${theirs}`, "role", data.roles, role);
    }
  }
  duplicateIssuers(data, report);
  targets(data, report);
}

// With toolsets and effects in play, only the catalogue knows which tools are meant.
function toolsNamed(list: RoleFile[string], at: string): [tool: string, pointer: string][] {
  if (list === "all") return [];
  const isList = Array.isArray(list);
  const tools = isList ? list : list.tools;
  const here = isList ? at : `${at}/tools`;
  const named = Array.isArray(tools)
    ? tools.map((tool, i): [string, string] => [tool, `${here}/${i}`])
    : Object.keys(tools === "all" ? {} : tools).map((tool): [string, string] => [
        tool,
        `${here}/${tool}`,
      ]);
  return named.filter(([tool]) => !tool.includes(":"));
}

/** What the limits have to remember over a restart must still be in the log. */
export function checkMemory({ limits, ledger }: ConfigFile, report: Report): void {
  const { keep_days } = ledger;
  if (keep_days === undefined) return;
  for (const [name, limit] of Object.entries(limits)) {
    if (typeof limit !== "object" || !("burst" in limit)) continue;
    const { burst, per_s, calls } = limit as Rate;
    const days = Math.ceil((burst * per_s) / calls / 86_400);
    if (days <= keep_days) continue;
    const message = `${name} takes ${days} days to come back, and the log is kept for ${keep_days}`;
    report("/ledger/keep_days", message, `keep it for ${days} days, or lower the burst`);
  }
}

/** Where a client's key is taken, the answer that it is promised must have room. */
export function checkKept({ limits }: ConfigFile, report: Report): void {
  const needed = keptBytesMax(limits);
  for (const name of ["resend_bytes_per_user_max", "resend_bytes_max"] as const) {
    if (limits[name] >= needed) continue;
    const message = `${name} has no room for one answer, of result_tokens_max`;
    report(`/limits/${name}`, message, `at least ${needed}, or lower result_tokens_max`);
  }
}

// Only plain RFC 8693 names a target by resource; the providers' own ways know the audience alone.
function targets(data: ConfigFile, report: Report): void {
  for (const [issuer, { client, profile }] of Object.entries(data.issuers)) {
    if (client === undefined || profile === "rfc9068") continue;
    for (const [name, { delegation }] of Object.entries(data.connectors)) {
      if (delegation?.kind !== "exchange" || delegation.audience !== undefined) continue;
      const message = `${profile} (issuer ${issuer}) has no resource parameter`;
      report(`/connectors/${name}/delegation/resource`, message, "name the audience instead");
    }
  }
}

function duplicateIssuers(data: ConfigFile, report: Report): void {
  const seen = new Map<string, string>();
  for (const [name, { issuer }] of Object.entries(data.issuers)) {
    const other = seen.get(issuer);
    if (other !== undefined) {
      report(`/issuers/${name}/issuer`, `is the same as /issuers/${other}`, "keep one of the two");
    }
    seen.set(issuer, name);
  }
}

/** Reports each pair of agents which one token could match both of. */
export function overlaps(data: ConfigFile, report: Report): void {
  const agents = Object.entries(data.agents);
  agents.forEach(([name, agent], i) => {
    for (const [other, its] of agents.slice(0, i)) {
      const why = shared(audienceOf(data, name, agent), agent, audienceOf(data, other, its), its);
      if (why === undefined) continue;
      report(
        `/agents/${name}/tokens`,
        `one token could match this agent and ${JSON.stringify(other)}: ${why}`,
        "give each agent an audience of its own, or a scope or clients that no other agent has",
      );
    }
  });
}

/** The audience of an agent's tokens: its own URL, or the shared one it names. */
export function audienceOf(data: ConfigFile, name: string, agent: AgentConfig): string {
  const { audience } = agent.tokens;
  return audience === "own" ? `${data.public_url}/mcp/${name}` : audience;
}

function shared(
  audienceA: string,
  a: AgentConfig,
  audienceB: string,
  b: AgentConfig,
): string | undefined {
  if (audienceA !== audienceB) return undefined;
  if ("scope" in a.tokens && "scope" in b.tokens) {
    // A token that carries both scopes matches both and is refused when it comes.
    return a.tokens.scope === b.tokens.scope ? `both want the scope ${a.tokens.scope}` : undefined;
  }
  if ("clients" in a.tokens && "clients" in b.tokens) {
    const theirs = new Set(b.tokens.clients);
    const both = a.tokens.clients.filter((client) => theirs.has(client));
    return both.length > 0 ? `both list the client ${both.join(", ")}` : undefined;
  }
  return `both accept the audience ${audienceA}, told apart in different ways`;
}
