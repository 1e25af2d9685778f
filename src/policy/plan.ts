// A plan: who gains and loses which tool when one policy takes another's place. Pure.
import type { ToolDefinition } from "../catalog/definition.ts";
import { effectOf } from "./selection.ts";
import type { Policy } from "./policy.ts";
import type { Surface } from "./surface.ts";
import type { Who } from "./who.ts";

/** Somebody as the policy in force sees him, and as the new one will. */
export interface Planned {
  readonly label: string;
  readonly before: Who;
  readonly after: Who;
}

interface ToolChange {
  readonly tool: string;
  readonly effect: "read" | "write" | "destroy";
  /** The rule that opens it, or that closed it. */
  readonly rule: string;
}

interface PersonChange {
  readonly person: string;
  readonly agent: string;
  readonly gained: readonly ToolChange[];
  readonly lost: readonly ToolChange[];
  /** There before and after, with other rules for its arguments or its approval. */
  readonly changed: readonly ToolChange[];
}

export interface Plan {
  readonly people: number;
  readonly changes: readonly PersonChange[];
  /** Somebody gains a tool that does more than read. */
  readonly gains_writes: boolean;
}

export function planOf(before: Policy, after: Policy, people: readonly Planned[]): Plan {
  const agents = [...new Set([...before.agents, ...after.agents])].toSorted();
  const changes = people.flatMap((one) =>
    agents.flatMap((agent) => {
      const change = changeOf(before, after, one, agent);
      const { gained, lost, changed } = change;
      return gained.length + lost.length + changed.length === 0 ? [] : [change];
    }),
  );
  const gains_writes = changes.some(({ gained }) => gained.some(({ effect }) => effect !== "read"));
  return { people: people.length, changes, gains_writes };
}

function changeOf(before: Policy, after: Policy, one: Planned, agent: string): PersonChange {
  const old = before.surface(one.before, agent);
  const next = after.surface(one.after, agent);
  const rulesAfter = new Map(after.explain(one.after, agent).map((e) => [e.tool, e.rule]));
  const gained = next.list.filter(({ name }) => old.get(name) === undefined);
  const lost = old.list.filter(({ name }) => next.get(name) === undefined);
  const kept = next.list.filter(({ name }) => old.get(name) !== undefined);
  const changed = kept.filter(
    ({ name }) => before.terms(one.before, agent, name) !== after.terms(one.after, agent, name),
  );
  const said = (surface: Surface) => {
    return ({ name }: { readonly name: string }): ToolChange => {
      const door = surface.get(name);
      const rule = surface === next ? (door?.rule ?? "") : (rulesAfter.get(name) ?? "");
      return { tool: name, effect: effectIn(door?.tool), rule };
    };
  };
  return {
    person: one.label,
    agent,
    gained: gained.map(said(next)),
    lost: lost.map(said(old)),
    changed: changed.map(said(next)),
  };
}

function effectIn(tool: ToolDefinition | undefined): ToolChange["effect"] {
  return tool === undefined ? "read" : effectOf(tool);
}
