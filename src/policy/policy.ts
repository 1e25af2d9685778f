// Policy: pure. Roles and agents, compiled once with the catalogue, to surfaces and explanations.
// An agent lists its tools, a role lists which of them it has; both must allow; default deny.
import { connectorOf } from "../catalog/definition.ts";
import type { Catalog, ToolDefinition } from "../catalog/definition.ts";
import { pointerTo } from "../kernel/json.ts";
import { own } from "../kernel/own.ts";
import type { Problem } from "../config/problem.ts";
import { ConfigError } from "../config/problem.ts";
import type { Config } from "../config/load.ts";
import { createSurface } from "./surface.ts";
import type { Door, Surface } from "./surface.ts";

/** Why a tool is or is not in a surface; `rule` is the `file:line` that decided. */
export interface Explanation {
  readonly tool: string;
  readonly allowed: boolean;
  readonly rule: string;
  readonly why: string;
  readonly approve?: "human";
}

export interface Policy {
  /** The same frozen surface for the same roles and agent; empty where nothing allows. */
  surface(roles: readonly string[], agent: string): Surface;
  /** Every tool of the catalogue, judged for these roles at this agent. */
  explain(roles: readonly string[], agent: string): readonly Explanation[];
  /** Whether the catalogue has a tool of this name, whoever may call it. */
  has(tool: string): boolean;
  readonly agents: readonly string[];
  readonly hash: string;
}

/** Throws `ConfigError` where the configuration names tools that the catalogue does not have. */
export function compilePolicy(config: Config, catalog: Catalog): Policy {
  checkNames(config, catalog);
  const surfaces = new Map<string, Surface>();
  const judge = (roles: readonly string[], agent: string, tool: ToolDefinition): Explanation =>
    judgeTool(config, roles, agent, tool.name);
  return Object.freeze({
    agents: Object.freeze(Object.keys(config.agents)),
    hash: config.hash,
    surface(roles: readonly string[], agent: string): Surface {
      const key = JSON.stringify([agent, [...new Set(roles)].toSorted()]);
      const known = surfaces.get(key);
      if (known !== undefined) return known;
      const doors: Door[] = [];
      for (const tool of catalog.tools.values()) {
        const { allowed, rule, approve } = judge(roles, agent, tool);
        if (allowed) doors.push({ tool, approve, rule });
      }
      const surface = createSurface(doors);
      // Role sets come from tokens: a bound, so that odd ones cannot fill the memory.
      if (surfaces.size < SURFACES_MAX) surfaces.set(key, surface);
      return surface;
    },
    has: (tool: string) => catalog.tools.has(tool),
    explain(roles: readonly string[], agent: string): readonly Explanation[] {
      const names = [...catalog.tools.keys()].toSorted();
      return names.map((name) => judgeTool(config, roles, agent, name));
    },
  });
}

const SURFACES_MAX = 10_000;

function judgeTool(
  config: Config,
  roles: readonly string[],
  agent: string,
  tool: string,
): Explanation {
  const refused = (pointer: string, why: string): Explanation => ({
    tool,
    allowed: false,
    rule: config.place(pointer),
    why,
  });
  const its = own(config.agents, agent);
  if (its === undefined) return refused("/agents", `there is no agent ${agent}`);
  const tools = `${pointerTo("/agents", agent)}/tools`;
  const listed = own(its.tools, tool);
  if (listed === undefined) return refused(tools, `agent ${agent} does not list it`);
  for (const role of roles) {
    const granted = grantOf(config, role, agent, tool);
    if (granted === undefined) continue;
    return {
      tool,
      allowed: true,
      rule: `${config.place(granted.pointer)}, ${config.place(pointerTo(tools, tool))}`,
      why: `role ${role} has ${granted.what} of agent ${agent}`,
      ...(listed.approve === undefined ? {} : { approve: listed.approve }),
    };
  }
  const whose = roles.length === 0 ? "a user without roles" : `the roles ${roles.join(", ")}`;
  return refused("/roles", `${whose}: none has it at agent ${agent}`);
}

/** The rule by which one role has one tool of an agent; nothing where it has not. */
function grantOf(
  config: Config,
  role: string,
  agent: string,
  tool: string,
): { pointer: string; what: string } | undefined {
  const has = own(own(config.roles, role) ?? {}, agent);
  if (has === undefined) return undefined;
  const pointer = pointerTo(pointerTo("/roles", role), agent);
  if (has === "all") return { pointer, what: "all tools" };
  const at = has.indexOf(tool);
  return at === -1 ? undefined : { pointer: pointerTo(pointer, String(at)), what: "it" };
}

function checkNames(config: Config, catalog: Catalog): void {
  const problems: Problem[] = [];
  const report = (pointer: string, message: string, mend: string): void => {
    const line = Number(config.place(pointer).split(":").at(-1));
    problems.push({ file: config.file, pointer, line, message, mend });
  };
  for (const [name, agent] of Object.entries(config.agents)) {
    for (const tool of Object.keys(agent.tools)) {
      // A draft is not there, and neither is a promise of it an error: it may be approved later.
      if (catalog.tools.has(tool) || catalog.drafts.includes(tool)) continue;
      // So is a tool whose isolation this deployment does not have.
      if (catalog.absent.has(tool)) continue;
      const pointer = `/agents/${name}/tools/${tool}`;
      report(
        pointer,
        "no such tool in the catalogue",
        `write ${tool}.tool.yaml or ${tool}.tool.ts, or remove it`,
      );
    }
  }
  const used = new Set([...catalog.tools.values()].map((tool) => connectorOf(tool)?.name));
  for (const connector of used) {
    if (connector === undefined) continue;
    if (Object.hasOwn(config.connectors, connector)) continue;
    const mend = `add /connectors/${connector} with its origin and delegation`;
    report("/connectors", `the catalogue uses the connector ${connector}`, mend);
  }
  for (const connector of Object.keys(config.connectors)) {
    if (used.has(connector)) continue;
    const mend = `write tools/${connector}/connector.yaml and a tool, or remove it`;
    report(`/connectors/${connector}`, "the catalogue has no tool for this connector", mend);
  }
  if (problems.length > 0) throw new ConfigError(problems);
}
