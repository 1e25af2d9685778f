// Policy: pure. Agents' and roles' lists, compiled once with the catalogue, to surfaces, decisions
// and explanations. Both must allow; roles add up; default deny; whatever denies beats what allows.
import type { Catalog, ToolDefinition } from "../catalog/definition.ts";
import type { Config } from "../config/load.ts";
import { canonicalJson } from "../kernel/ids.ts";
import { checkPolicy } from "./check.ts";
import { doorOf, isPersonal } from "./door.ts";
import type { Source } from "./says.ts";
import type { Grant, Limit } from "./grant.ts";
import { createKept } from "./kept.ts";
import { lint } from "./lint.ts";
import type { Warning } from "./lint.ts";
import { compileLists, grantsAt } from "./lists.ts";
import type { Lists } from "./lists.ts";
import { approvalOf, open, ruleOf, standingOf, whyOpen } from "./opening.ts";
import type { Opened, Opening, Standing } from "./opening.ts";
import { toolsIn } from "./selection.ts";
import { createSurface } from "./surface.ts";
import type { Door, Surface } from "./surface.ts";
import { claimOf, hasScope } from "./who.ts";
import type { Who } from "./who.ts";

/** Why a tool is or is not in a surface; `rule` is the `file:line` that decided. */
export interface Explanation {
  readonly tool: string;
  readonly allowed: boolean;
  readonly rule: string;
  readonly why: string;
  readonly approve?: "human";
  /** What the rules ask of the arguments, where it may be told. */
  readonly arguments?: readonly Limit[];
}

export interface Policy {
  /** The same frozen surface for the same roles, scopes, claims and agent; empty by default. */
  surface(who: Who, agent: string): Surface;
  /** Every tool of the catalogue, judged for this user at this agent. */
  explain(who: Who, agent: string): readonly Explanation[];
  /** Whether the catalogue has a tool of this name, whoever may call it. */
  has(tool: string): boolean;
  /** What of this tool's answers some rule asks for. */
  sourcesOf(tool: string): readonly Source[];
  /** What the rules ask of this tool's calls, as one text: the same only where they are. */
  terms(who: Who, agent: string, tool: string): string | undefined;
  /** What it says and surely does not mean. */
  warnings(): readonly Warning[];
  readonly agents: readonly string[];
  readonly hash: string;
}

/** Throws `ConfigError` where the rules do not fit the catalogue, with every mistake. */
export function compilePolicy(config: Config, catalog: Catalog): Policy {
  const lists = compileLists(config);
  checkPolicy(lists, catalog);
  const surfaces = createKept<Surface>(DOORS_MAX, ({ doors }) => doors.length + 1);
  const openings = createKept<Openings>(DOORS_MAX, ({ length }) => length + 1);
  const asked = new Map(Object.keys(config.agents).map((name) => [name, askedOf(lists, name)]));
  const sorted = sortedOnce(lists, catalog);
  // Whoever differ in their claims alone share this, and all the doors that no claim shapes.
  const opened = (who: Who, agent: string): Openings => {
    const key = keyOf(lists, who, agent, { scopes: asked.get(agent)?.scopes ?? [], claims: [] });
    return openings.get(key, () => openingsTo(standingOf(lists, who, agent), sorted(agent)));
  };
  const sources = sourcesIn(lists);
  return Object.freeze({
    agents: Object.freeze(Object.keys(config.agents)),
    hash: config.hash,
    surface(who: Who, agent: string): Surface {
      return surfaces.get(keyOf(lists, who, agent, asked.get(agent)), () => {
        const doors = opened(who, agent).map(({ tool, opening, shared }) => {
          return shared ?? doorOf(tool, opening, who);
        });
        return createSurface(doors, config.hash);
      });
    },
    has: (tool: string) => catalog.tools.has(tool),
    explain(who: Who, agent: string): readonly Explanation[] {
      const standing = standingOf(lists, who, agent);
      return sortedTools(catalog.tools.values()).map((tool) =>
        explained(config, tool.name, open(standing, tool), standing),
      );
    },
    sourcesOf: (tool: string) => sources.get(tool) ?? [],
    terms(who: Who, agent: string, name: string): string | undefined {
      const tool = catalog.tools.get(name);
      const opening = tool && open(standingOf(lists, who, agent), tool);
      return opening?.open === true ? termsOf(opening) : undefined;
    },
    warnings: () => lint(lists, catalog),
  });
}

/** In all surfaces that are kept, together: roles and claims come from tokens. */
const DOORS_MAX = 200_000;

type Openings = readonly {
  readonly tool: ToolDefinition;
  readonly opening: Opened;
  readonly shared: Door | undefined;
}[];

function openingsTo(standing: Standing, tools: readonly ToolDefinition[]): Openings {
  const { who } = standing;
  const found: Openings[number][] = [];
  for (const tool of tools) {
    const opening = open(standing, tool);
    if (!opening.open) continue;
    const shared = isPersonal(opening) ? undefined : doorOf(tool, opening, who);
    found.push({ tool, opening, shared });
  }
  return found;
}

/** The tools that an agent's list may select, by name; sorted when they are first asked for. */
function sortedOnce(lists: Lists, catalog: Catalog): (agent: string) => readonly ToolDefinition[] {
  const byAgent = new Map<string, readonly ToolDefinition[]>();
  return (agent) => {
    const its = lists.agents.get(agent);
    if (its === undefined) return [];
    const known = byAgent.get(agent) ?? sortedTools(toolsIn(its, catalog));
    byAgent.set(agent, known);
    return known;
  };
}

function sortedTools(tools: Iterable<ToolDefinition>): readonly ToolDefinition[] {
  return [...tools].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

interface Asked {
  readonly scopes: readonly string[];
  readonly claims: readonly string[];
}

// What else of a token than its roles decides what a session is shown.
function askedOf(lists: Lists, agent: string): Asked {
  const grants = grantsAt(lists, agent);
  const claims = new Set(grants.flatMap((grant) => grant.claims));
  const scopes = new Set(grants.map(({ file }) => file.scope).filter((one) => one !== undefined));
  return { scopes: [...scopes], claims: [...claims] };
}

// Roles that say nothing of this agent are no difference: a token may name any.
function keyOf(lists: Lists, who: Who, agent: string, asked: Asked | undefined): string {
  const isKnown = (role: string): boolean => lists.roles.get(role)?.has(agent) === true;
  const roles = [...new Set(who.roles)].filter(isKnown).toSorted();
  const scopes = asked?.scopes.filter((scope) => hasScope(who, scope));
  const claims = asked?.claims.map((claim) => claimOf(who, claim) ?? null);
  return JSON.stringify([agent, roles, scopes, claims]);
}

function sourcesIn(lists: Lists): ReadonlyMap<string, readonly Source[]> {
  const byTool = new Map<string, Map<string, Source>>();
  for (const agent of lists.agents.keys()) {
    for (const source of grantsAt(lists, agent).flatMap((grant) => grant.sources)) {
      const known = byTool.get(source.tool) ?? new Map<string, Source>();
      byTool.set(source.tool, known.set(source.id, source));
    }
  }
  return new Map([...byTool].map(([tool, byId]) => [tool, [...byId.values()]]));
}

function termsOf({ agent, roles, forbidding }: Opened): string {
  const texts = (grants: readonly Grant[]): string[] =>
    grants
      .map(({ file }) => canonicalJson(file))
      .filter((text) => text !== "{}")
      .toSorted();
  // A role without limits makes the others' limits none.
  const byRole = roles.map(({ grants }) => texts(grants).join());
  const each = byRole.includes("") ? [] : [...new Set(byRole)].toSorted();
  // What any role refuses is refused, whatever another one allows.
  const refusing = forbidding.flatMap(({ file }) =>
    (file.rules ?? [])
      .filter(({ refuse }) => refuse !== undefined)
      .map((one) => canonicalJson(one)),
  );
  return JSON.stringify([texts(agent), each, [...new Set(refusing)].toSorted()]);
}

function explained(
  config: Config,
  tool: string,
  opening: Opening,
  { who, agent }: Standing,
): Explanation {
  if (!opening.open) {
    return { tool, allowed: false, rule: config.place(opening.pointer), why: opening.why() };
  }
  const approve = approvalOf(opening);
  const grants = [...opening.agent, ...opening.roles.flatMap((role) => role.grants)];
  const limits = grants.flatMap((grant) => grant.limits(who));
  const rest = {
    ...(approve === undefined ? {} : { approve }),
    ...(limits.length === 0 ? {} : { arguments: limits }),
  };
  return { tool, allowed: true, rule: ruleOf(opening), why: whyOpen(opening, agent), ...rest };
}
