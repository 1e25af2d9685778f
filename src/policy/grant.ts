// A grant: what one entry of an agent's or a role's list says of the tools that it selects.
import type { ConditionFile, GrantFile, RuleFile } from "../config/rules.ts";
import { pointerTo } from "../kernel/json.ts";
import { own } from "../kernel/own.ts";
import { all, compileCondition, saysOf } from "./condition.ts";
import type { Condition, Facts, Says, Source } from "./says.ts";
import { compileHours } from "./hours.ts";
import type { Hours } from "./hours.ts";
import { createSource } from "./seen.ts";
import type { Who } from "./who.ts";

type Arguments = Readonly<Record<string, unknown>>;

/** Why a call's arguments are not allowed: where, and what would be, where that may be told. */
export interface Forbidden {
  /** JSON pointer into the arguments; empty where it is the call as a whole. */
  readonly path: string;
  readonly allowed?: string;
}

/** A limit, for whoever asks what it is. */
export interface Limit extends Forbidden {
  readonly rule: string;
}

/** What one grant, or all of them together, say of a call. */
export type Verdict =
  | { readonly allowed: true; readonly approve: "human" | undefined; readonly rule: string }
  | { readonly allowed: false; readonly forbidden: readonly Forbidden[]; readonly rule: string };

export interface Grant {
  readonly file: GrantFile;
  readonly selector: string;
  /** Where it stands in the configuration. */
  readonly pointer: string;
  readonly place: string;
  readonly sources: readonly Source[];
  /** The claims that decide what the user is shown of it. */
  readonly claims: readonly string[];
  /** It has rules that refuse. */
  readonly refuses: boolean;
  /** Everything that it asks of a call, in words. */
  limits(who: Who): readonly Limit[];
  /** Rules that refuse: they count whoever else allows. */
  forbids(args: Arguments, facts: Facts): Verdict | undefined;
  /** The rest: limits of what this grant gives. */
  judge(args: Arguments, facts: Facts): Verdict;
}

interface Rule {
  readonly file: RuleFile;
  readonly rule: string;
  readonly when: readonly (readonly [name: string, condition: Condition])[];
  readonly hours: Hours | undefined;
}

const FORBIDDEN_MAX = 10;

/** A grant's parts, compiled; `rule` is the place that each part is at. */
interface Parts {
  readonly file: GrantFile;
  readonly rule: string;
  readonly limits: readonly Limited[];
  readonly hours: { readonly window: Hours; readonly rule: string } | undefined;
  readonly refusing: readonly Rule[];
  readonly asking: readonly Rule[];
}

interface Limited {
  readonly name: string;
  readonly condition: Condition;
  readonly rule: string;
}

export function compileGrant(
  file: GrantFile,
  selector: string,
  pointer: string,
  place: (pointer: string) => string,
): Grant {
  const sources: Source[] = [];
  const compileSources = (below: ConditionFile, denies: boolean): readonly Source[] => {
    const made = (below.seen_in ?? []).map((seen) =>
      createSource(
        seen,
        Object.values(seen.where ?? {}).map((one) => compile(one, denies)),
      ),
    );
    sources.push(...made);
    return made;
  };
  const compile = (condition: ConditionFile, denies: boolean): Condition =>
    compileCondition(condition, compileSources, denies);
  const limitsAt = pointerTo(pointer, "arguments");
  const limits = Object.entries(file.arguments ?? {}).map(([name, condition]) => {
    return { name, condition: compile(condition, false), rule: place(pointerTo(limitsAt, name)) };
  });
  const window = hoursOf(file);
  const rules = (file.rules ?? []).map((rule, i): Rule => ({
    file: rule,
    rule: place(`${pointer}/rules/${i}`),
    when: Object.entries(rule.when).map(([name, one]) => [name, compile(one, true)] as const),
    hours: hoursOf(rule),
  }));
  const parts: Parts = {
    file,
    rule: place(pointer),
    limits,
    hours: window === undefined ? undefined : { window, rule: place(`${pointer}/hours`) },
    refusing: rules.filter((rule) => rule.file.refuse !== undefined),
    asking: rules.filter((rule) => rule.file.approve !== undefined),
  };
  return Object.freeze({
    file,
    selector,
    pointer,
    place: parts.rule,
    sources,
    claims: Object.values(file.arguments ?? {}).flatMap(claimsIn),
    refuses: parts.refusing.length > 0,
    limits: (who: Who) => limitsOf(parts, who),
    forbids: (args: Arguments, facts: Facts) => forbids(parts, args, facts),
    judge: (args: Arguments, facts: Facts) => judge(parts, args, facts),
  });
}

function claimsIn(file: ConditionFile): readonly string[] {
  const { equals, member_of, items, not, properties = {} } = file;
  const inner = [items, not, ...Object.values(properties)].filter((one) => one !== undefined);
  return [equals, member_of].filter((one) => one !== undefined).concat(inner.flatMap(claimsIn));
}

function forbids({ refusing }: Parts, args: Arguments, facts: Facts): Verdict | undefined {
  const rule = refusing.find((one) => counts(one, args, facts));
  if (rule === undefined) return undefined;
  const [name = ""] = rule.when[0] ?? [];
  const forbidden = [{ path: pointerTo("", name), allowed: rule.file.refuse ?? "" }];
  return { allowed: false, forbidden, rule: rule.rule };
}

function judge(parts: Parts, args: Arguments, facts: Facts): Verdict {
  const { file, rule, limits, hours, asking } = parts;
  if (hours !== undefined && !hours.window.contains(facts.now_ms)) {
    return { allowed: false, forbidden: [outside(hours.window)], rule: hours.rule };
  }
  const wrong = limits.filter(
    ({ name, condition }) => saysOf(condition, own(args, name), facts) !== "yes",
  );
  const [first] = wrong;
  if (first !== undefined) {
    const forbidden = wrong.slice(0, FORBIDDEN_MAX).map((one) => told(one, facts.who));
    return { allowed: false, forbidden, rule: first.rule };
  }
  const asks = asking.find((one) => counts(one, args, facts));
  if (asks !== undefined) return { allowed: true, approve: "human", rule: asks.rule };
  return { allowed: true, approve: file.approve, rule };
}

function outside(window: Hours): Forbidden {
  return { path: "", allowed: `calls ${window.text}` };
}

function limitsOf({ hours, limits, refusing, asking }: Parts, who: Who): readonly Limit[] {
  const ofCall = hours === undefined ? [] : [{ ...outside(hours.window), rule: hours.rule }];
  const ofArguments = limits.map((one) => ({ ...told(one, who), rule: one.rule }));
  const byRule = [...refusing, ...asking].map((one) => ({
    path: pointerTo("", one.when[0]?.[0] ?? ""),
    allowed: ruleText(one, who),
    rule: one.rule,
  }));
  return [...ofCall, ...ofArguments, ...byRule];
}

const NEVER: Hours = { contains: () => false, text: "never" };

function hoursOf({ hours }: GrantFile | RuleFile): Hours | undefined {
  return hours === undefined ? undefined : (compileHours(hours) ?? NEVER);
}

function told({ name, condition }: Limited, who: Who): Forbidden {
  const path = pointerTo("", name);
  const allowed = condition.allowed(who);
  return allowed === undefined ? { path } : { path, allowed };
}

function ruleText({ file, when, hours }: Rule, who: Who): string {
  const conditions = when.map(([name, one]) => `${name} is ${one.allowed(who) ?? "confidential"}`);
  const then = file.refuse === undefined ? "a human must say yes" : `refused: ${file.refuse}`;
  const only = hours === undefined ? "" : ` ${hours.text}`;
  return `where ${conditions.join(" and ")}${only}, ${then}`;
}

// Unless one of its conditions is a clear no: where nobody can tell, the rule counts.
function counts({ when, hours }: Rule, args: Arguments, facts: Facts): boolean {
  if (hours !== undefined && !hours.contains(facts.now_ms)) return false;
  const says = ([name, condition]: (typeof when)[number]): Says =>
    saysOf(condition, own(args, name), facts);
  return all(when, says) !== "no";
}
