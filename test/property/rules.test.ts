// Random policies with random rules, beside an evaluator that fits on a page: a tool is callable if
// and only if it is listed and its arguments are allowed, and no deny ever gives anybody anything.
import * as fc from "fast-check";
import { expect } from "vitest";
import type { Catalog } from "../../src/catalog/definition.ts";
import { compilePolicy } from "../../src/policy/policy.ts";
import { verifies } from "../verifies.ts";
import {
  catalogOf,
  configFrom,
  minimalConfig,
  toolFile,
  withRoles,
  WRITES,
} from "../setup/minimal.ts";
import type { Json } from "../setup/minimal.ts";

const SEED = { seed: 20_261_128, numRuns: 200 };
const ROLES = ["clerk", "boss"];
const TEXTS = ["ada", "abc", "a\u0430c", "", "A", "b"];
const AMOUNTS = [-1, 0, 5, 10, 11, 2 ** 53];
const INPUT = {
  id: { in: "path", schema: { type: "integer", minimum: 1 } },
  amount: { in: "query", optional: true, schema: { type: "number" } },
  text: { in: "query", optional: true, schema: { type: "string", maxLength: 50 } },
};
const READS = ["t_get", "t_find"];
const TOOLS = [...READS, "t_put"];
const SELECTORS = [...TOOLS, "toolset:shop", "effect:read", "effect:write"];

let read: Catalog | undefined;
const catalog = (): Catalog =>
  (read ??= catalogOf(
    ...READS.map((name) => toolFile(name, { input: INPUT })),
    toolFile("t_put", { ...WRITES, operation: "DELETE /items/{id}", input: INPUT }),
  ));

interface Condition {
  readonly maximum?: number;
  readonly enum?: readonly (string | number)[];
  readonly equals?: string;
  readonly not?: Condition;
  readonly optional?: boolean | undefined;
}
type Conditions = Readonly<Record<string, Condition>>;
interface Grant {
  readonly arguments?: Conditions;
  readonly rules?: readonly { readonly when: Conditions; readonly refuse: string }[];
}
interface List {
  readonly tools: Readonly<Record<string, Grant>>;
  readonly exclude: readonly string[];
  readonly read_only: boolean;
}
interface Lists {
  readonly agent: List;
  readonly roles: Readonly<Record<string, List>>;
}

// The reference: no compiling, no caching, no look-ups.
const matches = (s: string, tool: string): boolean =>
  s === tool ||
  s === "toolset:shop" ||
  s === (READS.includes(tool) ? "effect:read" : "effect:write");
const entries = ({ tools }: List, tool: string): Grant[] =>
  Object.keys(tools).flatMap((s) => (matches(s, tool) ? [tools[s] ?? {}] : []));
const denies = ({ exclude, read_only }: List, tool: string): boolean =>
  exclude.some((s) => matches(s, tool)) || (read_only && !READS.includes(tool));
function holds(c: Condition, value: unknown): boolean | undefined {
  if (value === undefined) return c.optional === true;
  const parts: (boolean | undefined)[] = [];
  const said = (is: boolean): boolean | undefined => (value === 2 ** 53 ? undefined : is);
  if (c.enum !== undefined) parts.push(said(c.enum.includes(value as never)));
  if (c.maximum !== undefined) parts.push(said((value as number) <= c.maximum));
  if (c.equals !== undefined) parts.push(value === "ada");
  if (c.not !== undefined) {
    const inner = holds(c.not, value);
    parts.push(inner === undefined ? undefined : !inner);
  }
  return parts.includes(false) ? false : parts.includes(undefined) ? undefined : true;
}
const passes = (g: Grant, args: Json): boolean =>
  Object.entries(g.arguments ?? {}).every(([name, c]) => holds(c, args[name]) === true);
const refuses = (g: Grant, args: Json): boolean =>
  (g.rules ?? []).some(({ when }) =>
    Object.entries(when).every(([name, c]) => holds(c, args[name]) !== false),
  );
function reference({ agent, roles }: Lists, held: readonly string[], tool: string, args: Json) {
  const its = held.flatMap((role) => roles[role] ?? []);
  if ([agent, ...its].some((list) => denies(list, tool))) return "hidden";
  const [mine, theirs] = [entries(agent, tool), its.map((list) => entries(list, tool))];
  if (mine.length === 0 || theirs.every((list) => list.length === 0)) return "hidden";
  if ([...mine, ...theirs.flat()].some((g) => refuses(g, args))) return "refused";
  const byRole = theirs.some((list) => list.length > 0 && list.every((g) => passes(g, args)));
  return mine.every((g) => passes(g, args)) && byRole ? "allowed" : "refused";
}

const some = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const onText = fc.record(
  {
    enum: fc.subarray(TEXTS, { minLength: 1 }),
    equals: fc.constant("principal.subject"),
    optional: fc.boolean(),
  },
  { requiredKeys: [] },
);
const onAmount = fc.record(
  {
    maximum: fc.constantFrom(...AMOUNTS),
    enum: fc.subarray([-1, 0, 5, 10], { minLength: 1 }),
    optional: fc.boolean(),
  },
  { requiredKeys: [] },
);
const says = (c: Condition): boolean => Object.keys(c).some((key) => key !== "optional");
const orNot = (of: fc.Arbitrary<Condition>): fc.Arbitrary<Condition> =>
  fc.oneof(
    of.filter(says),
    of
      .map((c): Condition => ({ ...c, optional: undefined }))
      .filter(says)
      .map((not) => ({ not })),
  );
const conditions: fc.Arbitrary<Conditions> = fc
  .record({ amount: orNot(onAmount), text: orNot(onText) }, { requiredKeys: [] })
  .filter((c) => Object.keys(c).length > 0);
const rule = conditions.map((when) => ({ when, refuse: "no" }));
const ruled = fc
  .record({
    arguments: some(conditions),
    rules: some(fc.array(rule, { minLength: 1, maxLength: 2 })),
  })
  .map((g) => JSON.parse(JSON.stringify(g)) as Grant);
const grant = fc.oneof(fc.constant<Grant>({}), ruled);
const rarely = <T>(usual: T, of: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: of });
const list: fc.Arbitrary<List> = fc.record({
  tools: fc.oneof(
    fc.dictionary(fc.constantFrom(...SELECTORS), grant, { minKeys: 1, maxKeys: 3 }),
    grant.map((g) => ({ "toolset:shop": g })),
  ),
  exclude: rarely([], fc.subarray(SELECTORS, { maxLength: 1 })),
  read_only: rarely(false, fc.constant(true)),
});
const lists: fc.Arbitrary<Lists> = fc.record({
  agent: list,
  roles: fc.dictionary(fc.constantFrom(...ROLES), list, { minKeys: 1, maxKeys: 2 }),
});
const heldRoles = fc.subarray([...ROLES, "nobody"], { minLength: 1 });
const calls = fc.array(
  fc.record(
    { amount: fc.constantFrom(...AMOUNTS), text: fc.constantFrom(...TEXTS) },
    { requiredKeys: [] },
  ),
  { minLength: 3, maxLength: 6 },
);

function policyOf({ agent, roles }: Lists) {
  const agents = { desk: { title: "d", purpose: "p", ...agent } };
  // A role may not name a tool that its agent lacks: such a file does not load.
  const fitting = Object.entries(roles).map(([name, its]) => {
    const tools = Object.entries(its.tools).filter(
      ([s]) => s.includes(":") || entries(agent, s).length > 0,
    );
    return [name, { desk: { ...its, tools: Object.fromEntries(tools) } }] as const;
  });
  const config = configFrom(minimalConfig({ agents, roles: Object.fromEntries(fitting) }));
  return compilePolicy(config, catalog());
}

const FACTS = { who: withRoles([]), now_ms: 0, seen: () => [] };

function verdictOf(policy: ReturnType<typeof policyOf>, held: string[], tool: string, args: Json) {
  const door = policy.surface(withRoles(held), "desk").get(tool);
  if (door === undefined) return "hidden";
  return door.judge(args, FACTS).allowed ? "allowed" : "refused";
}

verifies(
  ["policy.reference", "surface.one-object"],
  "a call is allowed if and only if the reference says so, for each tool and arguments",
  () => {
    const counts = { hidden: 0, allowed: 0, refused: 0 };
    fc.assert(
      fc.property(lists, heldRoles, calls, (given, held, args) => {
        const policy = policyOf(given);
        const explained = policy.explain(withRoles(held), "desk");
        for (const tool of [...TOOLS, "t_none", "__proto__"]) {
          for (const one of args) {
            const expected = TOOLS.includes(tool) ? reference(given, held, tool, one) : "hidden";
            expect([tool, one, verdictOf(policy, held, tool, one)]).toEqual([tool, one, expected]);
            counts[expected]++;
            const isListed = explained.some((e) => e.tool === tool && e.allowed);
            expect(isListed).toBe(expected !== "hidden");
          }
        }
      }),
      SEED,
    );
    // The policies are neither all open nor all closed, or this would have shown nothing.
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(300);
  },
);

/** One more thing that denies: somewhere in the lists. */
type Deny = (given: Lists) => Lists;
const onList = (change: (one: List) => List) =>
  fc.constantFrom("agent", ...ROLES).map((where): Deny => ({ agent, roles }) => {
    if (where === "agent") return { agent: change(agent), roles };
    const its = roles[where];
    return { agent, roles: its === undefined ? roles : { ...roles, [where]: change(its) } };
  });
const onGrants = (change: (one: Grant) => Grant) =>
  onList((one) => ({
    ...one,
    tools: Object.fromEntries(Object.entries(one.tools).map(([s, g]) => [s, change(g)])),
  }));
const deny: fc.Arbitrary<Deny> = fc.oneof(
  fc.constantFrom(...SELECTORS).chain((s) => onList((l) => ({ ...l, exclude: [...l.exclude, s] }))),
  onList((one) => ({ ...one, read_only: true })),
  rule.chain((r) => onGrants((g) => ({ ...g, rules: [...(g.rules ?? []), r] }))),
  conditions.chain((c) => onGrants((g) => ({ ...g, arguments: { ...c, ...g.arguments } }))),
);

verifies("policy.monotone", "a deny more, of any kind, allows no call that was not", () => {
  let taken = 0;
  fc.assert(
    fc.property(lists, deny, heldRoles, calls, (given, more, held, args) => {
      const [before, after] = [policyOf(given), policyOf(more(given))];
      for (const tool of TOOLS) {
        for (const one of args) {
          const [was, is] = [before, after].map((p) => verdictOf(p, held, tool, one));
          if (was === "hidden") expect(is).toBe("hidden");
          if (was === "refused") expect(is).not.toBe("allowed");
          if (was !== is) taken++;
        }
      }
    }),
    SEED,
  );
  expect(taken).toBeGreaterThan(50);
});
