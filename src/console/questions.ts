// What an operator asks of a policy: surface and explain. Pure; the same with and without a server.
import type { LimitsConfig } from "../config/limits.ts";
import { fits } from "../gate/fits.ts";
import type { ErrorCode } from "../kernel/errors.ts";
import type { Explanation } from "../policy/policy.ts";
import type { ListedTool } from "../policy/surface.ts";
import type { Who } from "../policy/who.ts";
import type { House } from "./house.ts";
import { BadQuestion } from "./people.ts";
import type { Someone } from "./people.ts";

export interface SurfaceAnswer {
  readonly agent: string;
  readonly person: string;
  readonly tools: readonly ListedTool[];
}

/** Why a tool may not be called now, whoever has it; only a doorless that runs knows of any. */
type StopOf = (tool: string) => ErrorCode | undefined;

const NOTHING_STOPPED: StopOf = () => undefined;

/** The tools that this session would have, and nothing else. */
export function askSurface(
  house: House,
  agent: string,
  person: Someone,
  stopOf = NOTHING_STOPPED,
): SurfaceAnswer {
  mustBeAgent(house, agent);
  const { list } = house.policy.surface(person, agent);
  const tools = list.filter(({ name }) => stopOf(name) === undefined);
  return { agent, person: person.label, tools };
}

export interface ExplainAnswer {
  readonly agent: string;
  readonly person: string;
  readonly tools: readonly Explanation[];
  /** With what holds unsaid. */
  readonly limits: LimitsConfig;
}

/** Why each tool is there or not; with `args`, whether such a call would pass its rules. */
export function askExplain(
  house: House,
  agent: string,
  person: Someone,
  tool?: string,
  args?: unknown,
  stopOf = NOTHING_STOPPED,
  now_ms = Date.now(),
): ExplainAnswer {
  mustBeAgent(house, agent);
  const all = house.policy.explain(person, agent).map((one) => unlessStopped(one, stopOf));
  const chosen = tool === undefined ? all : all.filter((one) => one.tool === tool);
  if (tool !== undefined && chosen.length === 0) mustBeTool(house, tool);
  const asked = { agent, person, args, now_ms };
  const tools = args === undefined ? chosen : chosen.map((one) => withArguments(house, one, asked));
  return { agent, person: person.label, tools, limits: house.config.limits };
}

function unlessStopped(explained: Explanation, stopOf: StopOf): Explanation {
  const code = explained.allowed ? stopOf(explained.tool) : undefined;
  if (code === undefined) return explained;
  const { approve: _, ...rest } = explained;
  return { ...rest, allowed: false, why: `it is stopped now (${code}); else ${explained.why}` };
}

/** What a question cannot know: nothing was read in a session that is none. */
const NO_SESSION = { seen: () => [] };

function withArguments(
  { policy, config }: House,
  explained: Explanation,
  { agent, person, args, now_ms }: Asked,
): Explanation {
  const door = explained.allowed ? policy.surface(person, agent).get(explained.tool) : undefined;
  if (door === undefined) return explained;
  const request = fits(door.tool, args, config.limits.request_bytes_max);
  if (!request.ok) {
    const { reason = "" } = request.refusal;
    return { ...explained, allowed: false, why: `its input schema: ${reason.replace(/\.$/, "")}` };
  }
  const facts = { who: person, now_ms, ...NO_SESSION };
  const verdict = door.judge(args as Readonly<Record<string, unknown>>, facts);
  const { approve: _, ...rest } = explained;
  if (verdict.allowed) {
    const asks = verdict.approve === undefined ? {} : { approve: verdict.approve };
    return { ...rest, rule: verdict.rule, ...asks };
  }
  const said = verdict.forbidden.map(({ path, allowed }) => {
    return `${path || "the call"}: ${allowed ?? "not with this value"}`;
  });
  return { ...rest, allowed: false, rule: verdict.rule, why: said.join("; ") };
}

interface Asked {
  readonly agent: string;
  readonly person: Someone;
  readonly args: unknown;
  readonly now_ms: number;
}

const ANYBODY: Who = { roles: [], scopes: "any", subject: "", tenant: undefined, issuer: "" };

export interface WhoAnswer {
  readonly tool: string;
  readonly callers: readonly {
    readonly agent: string;
    readonly role: string;
    readonly rule: string;
    readonly people: readonly string[];
  }[];
}

/** Who can call this tool: per agent and role, with the people that the configuration lists. */
export function askWho(house: House, tool: string): WhoAnswer {
  mustBeTool(house, tool);
  const { config, policy } = house;
  const callers = Object.keys(config.agents).flatMap((agent) =>
    Object.keys(config.roles).flatMap((role) => {
      const explained = policy
        .explain({ ...ANYBODY, roles: [role] }, agent)
        .find((one) => one.tool === tool);
      if (explained?.allowed !== true) return [];
      const people = Object.entries(config.people).filter(([, p]) => p.roles.includes(role));
      return [{ agent, role, rule: explained.rule, people: people.map(([name]) => name) }];
    }),
  );
  return { tool, callers };
}

export function mustBeAgent(house: House, agent: string): void {
  if (Object.hasOwn(house.config.agents, agent)) return;
  const known = Object.keys(house.config.agents).join(", ");
  throw new BadQuestion(`there is no agent ${JSON.stringify(agent)}; there are: ${known}`);
}

function mustBeTool(house: House, tool: string): void {
  if (house.catalog.tools.has(tool)) return;
  const state =
    house.catalog.absent.get(tool) ??
    (house.catalog.drafts.includes(tool) ? "only a draft" : "not in the catalogue");
  throw new BadQuestion(`the tool ${JSON.stringify(tool)}: ${state}`);
}
