// Policy: pure. Agents' and roles' lists, compiled once with the catalogue, to surfaces, decisions
// and explanations. Both must allow; roles add up; default deny; whatever denies beats what allows.
import type { Catalog, ToolDefinition } from "../catalog/definition.ts";
import type { Config } from "../config/load.ts";
import { canonicalJson } from "../kernel/ids.ts";
import { advertised } from "./advertise.ts";
import { checkPolicy } from "./check.ts";
import type { Facts, Source } from "./says.ts";
import type { Grant, Limit, Verdict } from "./grant.ts";
import { lint } from "./lint.ts";
import type { Warning } from "./lint.ts";
import { compileLists, grantsAt } from "./lists.ts";
import type { Lists } from "./lists.ts";
import { ALL, denialOf, grantsOf, isWide, toolsIn } from "./selection.ts";
import { createSurface, schemaOf } from "./surface.ts";
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
  const surfaces = new Map<string, Surface>();
  let kept = 0;
  const openings = new Map<string, readonly Opened[]>();
  // Who differ in their claims alone share this; what they are shown may differ.
  const opened = (who: Who, agent: string): readonly Opened[] => {
    const key = keyOf(who, agent, { scopes: asked.get(agent)?.scopes ?? [], claims: [] });
    const known = openings.get(key) ?? openedTo(lists, catalog, who, agent);
    if (openings.size < OPENINGS_MAX) openings.set(key, known);
    return known;
  };
  const asked = new Map(Object.keys(config.agents).map((name) => [name, askedOf(lists, name)]));
  const sources = sourcesIn(lists);
  return Object.freeze({
    agents: Object.freeze(Object.keys(config.agents)),
    hash: config.hash,
    surface(who: Who, agent: string): Surface {
      const key = keyOf(who, agent, asked.get(agent));
      const known = surfaces.get(key);
      if (known !== undefined) return known;
      const doors = opened(who, agent).map(([tool, opening]) => doorOf(tool, opening, who));
      const surface = createSurface(doors, config.hash);
      kept += doors.length + 1;
      surfaces.set(key, surface);
      // Roles and claims come from tokens: a bound, so that many cannot fill the memory.
      for (const [oldest, one] of surfaces) {
        if (kept <= DOORS_MAX || oldest === key) break;
        kept -= one.size + 1;
        surfaces.delete(oldest);
      }
      return surface;
    },
    has: (tool: string) => catalog.tools.has(tool),
    explain(who: Who, agent: string): readonly Explanation[] {
      const tools = [...catalog.tools.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
      return tools.map((tool) => explained(tool.name, open(lists, who, agent, tool), who));
    },
    sourcesOf: (tool: string) => sources.get(tool) ?? [],
    terms(who: Who, agent: string, name: string): string | undefined {
      const tool = catalog.tools.get(name);
      const opening = tool === undefined ? undefined : open(lists, who, agent, tool);
      return opening?.open === true ? termsOf(opening) : undefined;
    },
    warnings: () => lint(lists, catalog),
  });
}

const OPENINGS_MAX = 1000;
/** In all surfaces that are kept, together. */
const DOORS_MAX = 200_000;

interface Asked {
  readonly scopes: readonly string[];
  readonly claims: readonly string[];
}

// What else of a token than its roles decides what a session is shown.
function askedOf(lists: Lists, agent: string): Asked {
  const grants = grantsAt(lists, agent);
  const claims = new Set<string>();
  JSON.stringify(
    grants.map(({ file }) => file.arguments),
    (key, value: unknown) => {
      if (key === "equals" || key === "member_of") claims.add(String(value));
      return value;
    },
  );
  const scopes = new Set(grants.map(({ file }) => file.scope).filter((one) => one !== undefined));
  return { scopes: [...scopes], claims: [...claims] };
}

function keyOf(who: Who, agent: string, asked: Asked | undefined): string {
  const roles = [...new Set(who.roles)].toSorted();
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

/** The grants of one role that has the tool. */
interface ByRole {
  readonly role: string;
  readonly grants: readonly Grant[];
}

type Opening =
  | {
      readonly open: true;
      readonly agent: readonly Grant[];
      readonly roles: readonly ByRole[];
      /** Of all her roles: what one of them refuses, none of the others allows. */
      readonly forbidding: readonly Grant[];
      readonly why: string;
    }
  | { readonly open: false; readonly rule: string; readonly why: string };

/** Whether this user has this tool at this agent, before any arguments are known. */
function open(lists: Lists, who: Who, agent: string, tool: ToolDefinition): Opening {
  const closed = (pointer: string, why: string): Opening => {
    return { open: false, rule: lists.config.place(pointer), why };
  };
  const its = lists.agents.get(agent);
  if (its === undefined) return closed("/agents", `there is no agent ${agent}`);
  const denied = denialOf(its, tool);
  if (denied !== undefined) return closed(denied, `agent ${agent} excludes it`);
  const listed = grantsOf(its, tool);
  if (listed.length === 0) return closed(its.pointer, `agent ${agent} does not list it`);
  const unscoped = lacking(listed, who);
  if (unscoped !== undefined) {
    return closed(unscoped.pointer, `the token lacks the scope ${unscoped.file.scope}`);
  }
  const roles: ByRole[] = [];
  const forbidding: Grant[] = [...listed];
  for (const role of who.roles) {
    const has = lists.roles.get(role)?.get(agent);
    if (has === undefined) continue;
    const excluded = denialOf(has, tool);
    if (excluded !== undefined) return closed(excluded, `role ${role} excludes it`);
    const grants = grantsOf(has, tool);
    forbidding.push(...grants);
    if (grants.length > 0 && lacking(grants, who) === undefined) roles.push({ role, grants });
  }
  const [first] = roles;
  if (first === undefined) {
    const { length } = who.roles;
    const whose = length === 0 ? "a user without roles" : `the roles ${who.roles.join(", ")}`;
    return closed("/roles", `${whose}: none has it at agent ${agent}`);
  }
  const why = `role ${first.role} has ${whatOf(first)} of agent ${agent}`;
  return { open: true, agent: listed, roles, forbidding, why };
}

function whatOf({ grants: [first] }: ByRole): string {
  if (first === undefined || !isWide(first.selector)) return "it";
  return first.selector === ALL ? "all tools" : first.selector;
}

function lacking(grants: readonly Grant[], who: Who): Grant | undefined {
  return grants.find(({ file }) => file.scope !== undefined && !hasScope(who, file.scope));
}

type Opened = readonly [tool: ToolDefinition, opening: Opening & { open: true }];

function openedTo(lists: Lists, catalog: Catalog, who: Who, agent: string): readonly Opened[] {
  const its = lists.agents.get(agent);
  const found: Opened[] = [];
  if (its === undefined) return found;
  for (const tool of toolsIn(its, catalog)) {
    const opening = open(lists, who, agent, tool);
    if (opening.open) found.push([tool, opening]);
  }
  return found.toSorted(([a], [b]) => (a.name < b.name ? -1 : 1));
}

function doorOf(tool: ToolDefinition, opening: Opening & { open: true }, who: Who): Door {
  const { agent, roles } = opening;
  const [only] = roles;
  // Where several roles have it, each with limits of its own, no one schema says what is allowed.
  const fixed = roles.length === 1 && only !== undefined ? [...agent, ...only.grants] : agent;
  let narrowed: Door["input_schema"] | undefined;
  return Object.freeze({
    tool,
    approve: approvalOf(opening),
    rule: ruleOf(opening),
    // For whoever lists it: a call asks what is allowed, not what was shown.
    get input_schema() {
      return (narrowed ??= advertised(schemaOf(tool), fixed, who));
    },
    judge: (args: Readonly<Record<string, unknown>>, facts: Facts) => judge(opening, args, facts),
  });
}

const asks = ({ file }: Grant): boolean => file.approve !== undefined;

function approvalOf({ agent, roles }: Opening & { open: true }): "human" | undefined {
  const always = agent.some(asks) || roles.every(({ grants }) => grants.some(asks));
  return always ? "human" : undefined;
}

function ruleOf({ agent, roles }: Opening & { open: true }): string {
  return [...(roles[0]?.grants ?? []), ...agent].map(({ place }) => place).join(", ");
}

type Arguments = Readonly<Record<string, unknown>>;

/** No rule refuses, the agent's grants all allow, and those of one role, best without approval. */
function judge(opening: Opening & { open: true }, args: Arguments, facts: Facts): Verdict {
  for (const grant of opening.forbidding) {
    const refused = grant.forbids(args, facts);
    if (refused !== undefined) return refused;
  }
  const byAgent = allOf(opening.agent, args, facts);
  if (!byAgent.allowed) return byAgent;
  let best: Verdict | undefined;
  for (const { grants } of opening.roles) {
    const byRole = allOf(grants, args, facts);
    if (best === undefined || (byRole.allowed && !isBetter(best))) best = byRole;
    if (isBetter(best)) break;
  }
  if (best?.allowed !== true) return best ?? { allowed: false, forbidden: [], rule: byAgent.rule };
  const approve = byAgent.approve ?? best.approve;
  return { allowed: true, approve, rule: `${best.rule}, ${byAgent.rule}` };
}

function isBetter(verdict: Verdict): boolean {
  return verdict.allowed && verdict.approve === undefined;
}

function allOf(grants: readonly Grant[], args: Arguments, facts: Facts): Verdict {
  let approve: "human" | undefined;
  const rules: string[] = [];
  for (const grant of grants) {
    const verdict = grant.judge(args, facts);
    if (!verdict.allowed) return verdict;
    approve ??= verdict.approve;
    rules.push(verdict.rule);
  }
  return { allowed: true, approve, rule: rules.join(", ") };
}

function termsOf({ agent, roles, forbidding }: Opening & { open: true }): string {
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

function explained(tool: string, opening: Opening, who: Who): Explanation {
  if (!opening.open) return { tool, allowed: false, rule: opening.rule, why: opening.why };
  const approve = approvalOf(opening);
  const grants = [...opening.agent, ...opening.roles.flatMap((role) => role.grants)];
  const limits = grants.flatMap((grant) => grant.limits(who));
  const rest = {
    ...(approve === undefined ? {} : { approve }),
    ...(limits.length === 0 ? {} : { arguments: limits }),
  };
  return { tool, allowed: true, rule: ruleOf(opening), why: opening.why, ...rest };
}
