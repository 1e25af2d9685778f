// The linter: what a policy may say and surely does not mean. Warnings; mistakes are check.ts's.
import type { Catalog, ToolDefinition } from "../catalog/definition.ts";
import { canonicalJson } from "../kernel/ids.ts";
import { mismatches } from "../contract/schema.ts";
import type { Config } from "../config/load.ts";
import type { ConditionFile } from "../config/rules.ts";
import { own } from "../kernel/own.ts";
import { valuesIn } from "./condition.ts";
import type { Grant } from "./grant.ts";
import type { Lists } from "./lists.ts";
import { denialOf, effectOf, grantsOf, isWide, toolsIn } from "./selection.ts";
import type { Selection } from "./selection.ts";

type Fault =
  | "unreachable"
  | "shadowed"
  | "wildcard_grants_writes"
  | "write_without_rule"
  | "role_without_agent"
  | "agent_without_role"
  | "public_client_trusted";

export interface Warning {
  readonly fault: Fault;
  /** `file:line`. */
  readonly place: string;
  readonly message: string;
}

const NAMED_MAX = 5;

/** Every warning, in the file's order of agents and roles. */
export function lint(lists: Lists, catalog: Catalog): readonly Warning[] {
  const warnings: Warning[] = [];
  const warn = (fault: Fault, pointer: string, message: string): void => {
    const place = lists.config.place(pointer);
    const isKnown = warnings.some((one) => one.place === place && one.message === message);
    if (!isKnown) warnings.push({ fault, place, message });
  };
  for (const [agent, selection] of lists.agents) {
    lintSelection(selection, catalog, warn);
    lintWildcards(selection, catalog, warn);
    lintWrites(lists, agent, selection, catalog, warn);
    const has = [...lists.roles.values()].some((byAgent) => byAgent.has(agent));
    if (!has) warn("agent_without_role", selection.pointer, `no role has agent ${agent}`);
  }
  for (const [role, byAgent] of lists.roles) {
    const pointer = `/roles/${role}`;
    if (byAgent.size === 0) warn("role_without_agent", pointer, `role ${role} has no agent`);
    for (const [agent, selection] of byAgent) {
      lintSelection(selection, catalog, warn);
      const its = lists.agents.get(agent);
      if (its !== undefined) lintBeside(selection, its, catalog, warn);
    }
  }
  lintTrusted(lists.config, warn);
  return warnings;
}

type Warn = (fault: Fault, pointer: string, message: string) => void;

// As far as the file can tell: doorless's own public client, and clients whose id is the address of
// a document about them, which nobody gave a secret.
function lintTrusted({ issuers }: Config, warn: Warn): void {
  for (const [name, { native, trusted_to_ask }] of Object.entries(issuers)) {
    const pointer = `/issuers/${name}/trusted_to_ask`;
    trusted_to_ask.forEach((client, i) => {
      if (client !== native?.client_id && !/^https?:/i.test(client)) return;
      const message = `${client} is a public client: any program can say that it is this one`;
      warn("public_client_trusted", `${pointer}/${i}`, message);
    });
  }
}

function lintSelection(selection: Selection, catalog: Catalog, warn: Warn): void {
  const reached = new Map<Grant, ToolDefinition[]>();
  for (const tool of toolsIn(selection, catalog)) {
    const isDenied = denialOf(selection, tool) !== undefined;
    for (const grant of grantsOf(selection, tool)) {
      const open = reached.get(grant) ?? [];
      reached.set(grant, isDenied ? open : [...open, tool]);
    }
  }
  for (const grant of selection.bySelector.values()) {
    const tools = reached.get(grant);
    if (tools === undefined)
      warn("unreachable", grant.pointer, `${grant.selector} selects no tool`);
    else if (tools.length === 0) {
      warn("unreachable", grant.pointer, `all that ${grant.selector} selects is excluded`);
    }
    for (const tool of tools ?? []) lintConditions(grant, tool, warn);
    lintRules(grant, warn);
  }
}

// A condition that no value of the tool's own schema meets.
function lintConditions({ file, pointer }: Grant, tool: ToolDefinition, warn: Warn): void {
  const cannot = (condition: ConditionFile, name: string): boolean => {
    const schema = tool.inputs.get(name)?.schema;
    if (schema === undefined) return false;
    const values = valuesIn(condition);
    if (values?.every((value) => mismatches(schema, value).length > 0) === true) return true;
    const low = Math.max(condition.minimum ?? -Infinity, schema.minimum ?? -Infinity);
    const high = Math.min(condition.maximum ?? Infinity, schema.maximum ?? Infinity);
    const short = Math.max(condition.minLength ?? 0, schema.minLength ?? 0);
    const long = Math.min(condition.maxLength ?? Infinity, schema.maxLength ?? Infinity);
    return low > high || short > long;
  };
  for (const [name, condition] of Object.entries(file.arguments ?? {})) {
    const at = `${pointer}/arguments/${name}`;
    if (cannot(condition, name)) warn("unreachable", at, `no ${name} of ${tool.name} meets this`);
  }
  (file.rules ?? []).forEach((rule, i) => {
    const never = Object.entries(rule.when).find(([name, one]) => cannot(one, name));
    if (never === undefined) return;
    warn("unreachable", `${pointer}/rules/${i}`, `no ${never[0]} of ${tool.name} meets its when`);
  });
}

// A rule whose conditions include all of an earlier one's, which has decided by then.
function lintRules({ file, pointer }: Grant, warn: Warn): void {
  const rules = file.rules ?? [];
  rules.forEach((rule, i) => {
    const at = `${pointer}/rules/${i}`;
    if (rule.approve !== undefined && file.approve !== undefined) {
      return warn("shadowed", at, "each call needs a human's yes already");
    }
    const earlier = rules.slice(0, i).findIndex((one) => {
      const decides = one.refuse !== undefined || rule.refuse === undefined;
      return decides && one.hours === undefined && covers(one.when, rule.when);
    });
    if (earlier !== -1) warn("shadowed", at, `rule ${earlier} has decided by then`);
  });
}

type Conditions = Readonly<Record<string, ConditionFile>>;

function covers(wide: Conditions, narrow: Conditions): boolean {
  return Object.entries(wide).every(([name, condition]) => {
    const same = own(narrow, name);
    return same !== undefined && canonicalJson(same) === canonicalJson(condition);
  });
}

function lintWildcards(selection: Selection, catalog: Catalog, warn: Warn): void {
  for (const grant of selection.bySelector.values()) {
    if (!isWide(grant.selector)) continue;
    const writes = [...toolsIn(selection, catalog)].filter(
      (tool) =>
        effectOf(tool) !== "read" &&
        grantsOf(selection, tool).includes(grant) &&
        !selection.bySelector.has(tool.name) &&
        denialOf(selection, tool) === undefined,
    );
    if (writes.length === 0) continue;
    const message = `${grant.selector} grants tools that write: ${named(writes)}; name them`;
    warn("wildcard_grants_writes", grant.pointer, message);
  }
}

function lintWrites(
  lists: Lists,
  agent: string,
  selection: Selection,
  catalog: Catalog,
  warn: Warn,
): void {
  const isBound = ({ file }: Grant): boolean =>
    [file.arguments, file.rules, file.approve].some((part) => part !== undefined);
  for (const tool of toolsIn(selection, catalog)) {
    const grants = grantsOf(selection, tool);
    const [first] = grants;
    if (first === undefined || effectOf(tool) === "read" || grants.some(isBound)) continue;
    if (denialOf(selection, tool) !== undefined) continue;
    const byRole = [...lists.roles.values()].map((its) => {
      const has = its.get(agent);
      return has === undefined ? [] : grantsOf(has, tool);
    });
    const open = byRole.filter((its) => its.length > 0 && !its.some(isBound));
    if (open.length === 0) continue;
    const message = `${tool.name} writes, and no rule says with which arguments`;
    warn("write_without_rule", first.pointer, message);
  }
}

// What a role's list says beside its agent's: tools that the agent does not give, looser bounds.
function lintBeside(selection: Selection, its: Selection, catalog: Catalog, warn: Warn): void {
  const reached = new Set<Grant>();
  for (const tool of toolsIn(its, catalog)) {
    if (grantsOf(its, tool).length === 0 || denialOf(its, tool) !== undefined) continue;
    for (const grant of grantsOf(selection, tool)) {
      reached.add(grant);
      for (const above of grantsOf(its, tool)) lintBounds(grant, above, warn);
    }
  }
  for (const grant of selection.bySelector.values()) {
    if (reached.has(grant)) continue;
    warn("unreachable", grant.pointer, "its agent gives no tool that this selects");
  }
}

function lintBounds({ file, pointer }: Grant, above: Grant, warn: Warn): void {
  for (const [name, condition] of Object.entries(file.arguments ?? {})) {
    const theirs = own(above.file.arguments ?? {}, name);
    const at = `${pointer}/arguments/${name}`;
    const { maximum, minimum } = condition;
    const { maximum: top = Infinity, minimum: floor = -Infinity } = theirs ?? {};
    if (maximum !== undefined && maximum > top) {
      warn("shadowed", `${at}/maximum`, `its agent allows at most ${top} anyway`);
    }
    if (minimum !== undefined && minimum < floor) {
      warn("shadowed", `${at}/minimum`, `its agent allows no less than ${floor} anyway`);
    }
  }
}

function named(tools: readonly ToolDefinition[]): string {
  const names = tools.map(({ name }) => name).toSorted();
  const more = names.length > NAMED_MAX ? `, and ${names.length - NAMED_MAX} more` : "";
  return names.slice(0, NAMED_MAX).join(", ") + more;
}
