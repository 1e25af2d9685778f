// Policy over random configurations: what is listed is what is callable is what is explained.
import * as fc from "fast-check";
import { expect } from "vitest";
import type { Catalog } from "../../src/catalog/definition.ts";
import { compilePolicy } from "../../src/policy/policy.ts";
import type { Policy } from "../../src/policy/policy.ts";
import { narrow } from "../../src/policy/surface.ts";
import type { Surface } from "../../src/policy/surface.ts";
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

const SEED = { seed: 20_261_123, numRuns: 250 };
const TOOLS = ["t_a", "t_b", "t_c", "t_d"];
const AGENTS = ["desk", "yard", "constructor"];
const ROLES = ["clerk", "guest", "boss", "tostring"];
const STRANGE = ["__proto__", "constructor", "toString", "hasOwnProperty", "", "CLERK", "nobody"];

const catalog = (): Catalog =>
  catalogOf(...TOOLS.map((name, i) => toolFile(name, i % 2 === 0 ? {} : WRITES)));

interface Rules {
  readonly agents: Readonly<Record<string, Json>>;
  readonly roles: Readonly<Record<string, Json>>;
}

const toolsOfAgents = fc.record(
  Object.fromEntries(AGENTS.map((name) => [name, fc.subarray(TOOLS)])),
) as fc.Arbitrary<Record<string, string[]>>;

/** Rules that name no tool which their agent lacks, for such a file would not load. */
const rules: fc.Arbitrary<Rules> = toolsOfAgents.chain((tools) => {
  const role = fc.record(
    Object.fromEntries(
      AGENTS.map((agent) => [agent, fc.oneof(fc.constant("all"), fc.subarray(tools[agent] ?? []))]),
    ),
    { requiredKeys: [] },
  );
  return fc
    .record(Object.fromEntries(ROLES.map((name) => [name, role])))
    .map((roles) => ({ agents: agentsWith(tools), roles: roles as Record<string, Json> }));
});

function agentsWith(tools: Readonly<Record<string, string[]>>): Record<string, Json> {
  const agents = Object.entries(tools).map(([name, its]) => {
    const listed = Object.fromEntries(its.map((tool) => [tool, {}]));
    return [name, { title: name, purpose: "x", tools: listed }] as const;
  });
  return Object.fromEntries(agents);
}

const policyOf = ({ agents, roles }: Rules, of: Catalog): Policy =>
  compilePolicy(configFrom(minimalConfig({ agents, roles })), of);

const strange = fc.constantFrom(...STRANGE);
const mostly = (names: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: strange });
const someRoles = fc.uniqueArray(mostly(ROLES), { maxLength: 4 });
const someAgent = mostly(AGENTS);
const namesOf = (surface: Surface): string[] => surface.list.map(({ name }) => name);

/** The policy in five lines: an agent lists it, and a role has it there. */
function model({ agents, roles }: Rules, held: readonly string[], agent: string): string[] {
  if (!Object.hasOwn(agents, agent)) return [];
  const listed = Object.keys(agents[agent]?.["tools"] ?? {});
  const has = held.flatMap((role) => (Object.hasOwn(roles, role) ? [roles[role]?.[agent]] : []));
  return listed
    .filter((tool) =>
      has.some((one) => one === "all" || (Array.isArray(one) && one.includes(tool))),
    )
    .toSorted();
}

verifies(
  ["surface.one-object", "surface.default-deny", "surface.explain"],
  "a tool is callable iff it is listed iff explain says so iff agent and role have it",
  () => {
    const of = catalog();
    let listed = 0;
    fc.assert(
      fc.property(rules, someRoles, someAgent, (given, held, agent) => {
        const policy = policyOf(given, of);
        const surface = policy.surface(withRoles(held), agent);
        const expected = model(given, held, agent);
        listed += expected.length;
        const callable = [...TOOLS, ...STRANGE].filter((name) => surface.get(name) !== undefined);
        const allowed = policy.explain(withRoles(held), agent).filter((one) => one.allowed);
        expect(namesOf(surface)).toEqual(expected);
        expect(callable.toSorted()).toEqual(expected);
        expect(allowed.map(({ tool }) => tool)).toEqual(expected);
        for (const { tool, rule } of allowed) expect(surface.get(tool)?.rule).toBe(rule);
      }),
      SEED,
    );
    expect(listed).toBeGreaterThan(100);
  },
);

verifies("surface.default-deny", "one more role never takes a tool away", () => {
  const of = catalog();
  const more = fc.constantFrom(...ROLES, ...STRANGE);
  fc.assert(
    fc.property(rules, someRoles, more, someAgent, (given, held, role, agent) => {
      const policy = policyOf(given, of);
      const before = namesOf(policy.surface(withRoles(held), agent));
      expect(namesOf(policy.surface(withRoles([...held, role]), agent))).toEqual(
        expect.arrayContaining(before),
      );
    }),
    SEED,
  );
});

verifies("surface.default-deny", "roles that the file does not know give nothing", () => {
  const of = catalog();
  const unknown = fc.uniqueArray(fc.oneof(fc.constantFrom(...STRANGE), fc.string()), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(rules, unknown, someAgent, (given, held, agent) => {
      const strangers = held.filter((role) => !ROLES.includes(role));
      expect(policyOf(given, of).surface(withRoles(strangers), agent).list).toEqual([]);
    }),
    SEED,
  );
});

verifies("surface.narrowing", "narrowing keeps only what was there, door for door", () => {
  const of = catalog();
  const by = fc.record({
    tools: fc.option(
      fc.array(fc.constantFrom(...TOOLS, ...STRANGE)).map((names) => new Set(names)),
      { nil: undefined },
    ),
    read_only: fc.boolean(),
  });
  fc.assert(
    fc.property(rules, someRoles, someAgent, by, (given, held, agent, narrowing) => {
      const surface = policyOf(given, of).surface(withRoles(held), agent);
      const narrowed = narrow(surface, narrowing);
      const expected = namesOf(surface).filter((name) => {
        const read = surface.get(name)?.tool.effects.readOnly === true;
        return (narrowing.tools?.has(name) ?? true) && (!narrowing.read_only || read);
      });
      expect(namesOf(narrowed)).toEqual(expected);
      for (const name of expected) expect(narrowed.get(name)).toEqual(surface.get(name));
      expect(namesOf(narrow(narrowed, narrowing))).toEqual(expected);
    }),
    SEED,
  );
});
