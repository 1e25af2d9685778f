// An opening: whether somebody has a tool at an agent, by which grants, and what these say of it.
import type { ToolDefinition } from "../catalog/definition.ts";
import type { Facts } from "./says.ts";
import type { Grant, Verdict } from "./grant.ts";
import type { Lists } from "./lists.ts";
import { ALL, denialOf, grantsOf, isWide } from "./selection.ts";
import type { Selection } from "./selection.ts";
import { hasScope } from "./who.ts";
import type { Who } from "./who.ts";

/** The grants of one role that has the tool. */
interface ByRole {
  readonly role: string;
  readonly grants: readonly Grant[];
}

export interface Opened {
  readonly open: true;
  readonly agent: readonly Grant[];
  readonly roles: readonly ByRole[];
  /** Of all her roles: what one of them refuses, none of the others allows. */
  readonly forbidding: readonly Grant[];
}

interface Closed {
  readonly open: false;
  readonly pointer: string;
  readonly why: () => string;
}

export type Opening = Opened | Closed;

/** Somebody before one agent's doors: the lists that speak of them there. */
export interface Standing {
  readonly who: Who;
  readonly agent: string;
  readonly its: Selection | undefined;
  readonly roles: readonly { readonly role: string; readonly has: Selection }[];
}

export function standingOf(lists: Lists, who: Who, agent: string): Standing {
  // In one order, whoever names them: the same roles are told the same rules.
  const roles = [...new Set(who.roles)].toSorted().flatMap((role) => {
    const has = lists.roles.get(role)?.get(agent);
    return has === undefined ? [] : [{ role, has }];
  });
  return { who, agent, its: lists.agents.get(agent), roles };
}

const NONE: readonly Grant[] = Object.freeze([]);

/** Whether this user has this tool at this agent, before any arguments are known. */
export function open({ who, agent, its, roles }: Standing, tool: ToolDefinition): Opening {
  if (its === undefined) return closed("/agents", () => `there is no agent ${agent}`);
  const denied = denialOf(its, tool);
  if (denied !== undefined) return closed(denied, () => `agent ${agent} excludes it`);
  const listed = grantsOf(its, tool);
  if (listed.length === 0) return closed(its.pointer, () => `agent ${agent} does not list it`);
  const unscoped = lacking(listed, who);
  if (unscoped !== undefined) {
    return closed(unscoped.pointer, () => `the token lacks the scope ${unscoped.file.scope}`);
  }
  const having: ByRole[] = [];
  let forbidding = listed.some(({ refuses }) => refuses) ? listed : NONE;
  for (const { role, has } of roles) {
    const excluded = denialOf(has, tool);
    if (excluded !== undefined) return closed(excluded, () => `role ${role} excludes it`);
    const grants = grantsOf(has, tool);
    if (grants.some(({ refuses }) => refuses)) forbidding = [...forbidding, ...grants];
    if (grants.length > 0 && lacking(grants, who) === undefined) having.push({ role, grants });
  }
  if (having.length === 0) return closed("/roles", () => noRole(who, agent));
  return { open: true, agent: listed, roles: having, forbidding };
}

function closed(pointer: string, why: () => string): Closed {
  return { open: false, pointer, why };
}

function noRole({ roles }: Who, agent: string): string {
  const whose = roles.length === 0 ? "a user without roles" : `the roles ${roles.join(", ")}`;
  return `${whose}: none has it at agent ${agent}`;
}

function lacking(grants: readonly Grant[], who: Who): Grant | undefined {
  return grants.find(({ file }) => file.scope !== undefined && !hasScope(who, file.scope));
}

export function whyOpen({ roles: [first] }: Opened, agent: string): string {
  const [grant] = first?.grants ?? [];
  let what = "it";
  if (grant !== undefined && isWide(grant.selector)) {
    what = grant.selector === ALL ? "all tools" : grant.selector;
  }
  return `role ${first?.role} has ${what} of agent ${agent}`;
}

const asks = ({ file }: Grant): boolean => file.approve !== undefined;

/** Whether each call needs it; with some arguments others may, too. */
export function approvalOf({ agent, roles }: Opened): "human" | undefined {
  const always = agent.some(asks) || roles.every(({ grants }) => grants.some(asks));
  return always ? "human" : undefined;
}

export function ruleOf({ agent, roles }: Opened): string {
  return [...(roles[0]?.grants ?? []), ...agent].map(({ place }) => place).join(", ");
}

/**
 * The grants that bind every call. Where several roles have it, each with limits of its own, no one
 * schema says what is allowed.
 */
export function bindingIn({ agent, roles }: Opened): readonly Grant[] {
  const [only] = roles;
  return roles.length === 1 && only !== undefined ? [...agent, ...only.grants] : agent;
}

type Arguments = Readonly<Record<string, unknown>>;

/** No rule refuses, the agent's grants all allow, and those of one role, best without approval. */
export function judge(opening: Opened, args: Arguments, facts: Facts): Verdict {
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
