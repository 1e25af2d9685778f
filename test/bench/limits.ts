// `npm run bench -- limits [--quick] [--json]`: what the limits cost a call, and what one user who
// floods costs another.
import { limitsSchema } from "../../src/config/limits.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { Secret } from "../../src/kernel/secret.ts";
import type { Credential } from "../../src/kernel/principal.ts";
import { runCodeTool } from "../../src/catalog/generated.ts";
import { Limits } from "../../src/limits/limits.ts";
import { sessionOf } from "../../src/session/session.ts";
import { markdown, median } from "./report.ts";

const PLANS = {
  quick: { rounds: 5, decisions: 50_000 },
  full: { rounds: 15, decisions: 200_000 },
} as const;
const USERS = [1, 1000, 10_000];
const MANY = { calls: 1_000_000, per_s: 1, burst: 1_000_000 };

interface Cost {
  readonly users: number;
  readonly decisions_per_s: number;
  readonly us: number;
  readonly refusals_per_s: number;
  readonly keys: number;
  readonly bytes_per_key: number;
}

export function benchLimits(given: { quick: boolean; json: boolean }): void {
  const plan = given.quick ? PLANS.quick : PLANS.full;
  const costs = USERS.map((users) => costWith(users, plan));
  const report = { node: process.version, costs };
  console.log(given.json ? JSON.stringify(report) : textReport(costs));
}

function textReport(costs: readonly Cost[]): string {
  const head = ["users", "decisions per s", "us each", "refusals per s", "keys", "bytes a key"];
  const rows = costs.map((cost) => [
    String(cost.users),
    cost.decisions_per_s.toFixed(0),
    cost.us.toFixed(2),
    cost.refusals_per_s.toFixed(0),
    String(cost.keys),
    cost.bytes_per_key.toFixed(0),
  ]);
  const said = "Step 6 alone: 7 rates, 6 budgets, places and loops, taken and given back.";
  return [said, "", ...markdown(head, rows)].join("\n");
}

function costWith(users: number, plan: { rounds: number; decisions: number }): Cost {
  const tool = runCodeTool(1000);
  const people = Array.from({ length: users }, (_, i) => goingOf(`user-${i}`));
  const before = heapUsed();
  const limits = open({
    calls_per_user: MANY,
    calls_per_user_and_tool: MANY,
    calls_per_tenant: MANY,
    calls_per_client: MANY,
    calls_per_tool: MANY,
    budget_per_user: { calls: 1e9, bytes: 2 ** 50, cost: 1e9 },
    budget_per_tenant: { calls: 1e9, bytes: 2 ** 50, cost: 1e9 },
  });
  const take = (on: Limits, i: number): boolean => {
    const taken = on.take(people[i % users] ?? goingOf(""), {
      tool,
      args: { i },
      parent: undefined,
    });
    if (taken.ok) taken.value.end(0, undefined);
    return taken.ok;
  };
  const rates: number[] = [];
  let i = 0;
  for (let round = 0; round < plan.rounds; round++) {
    rates.push(perSecond(plan.decisions, () => (must(take(limits, i)), i++)));
  }
  const { keys } = limits;
  const bytes_per_key = (heapUsed() - before) / keys;
  const strict = open({ calls_per_tool: { calls: 1, per_s: 86_400, burst: 1 } });
  take(strict, 0);
  const refused: number[] = [];
  for (let round = 0; round < plan.rounds; round++) {
    refused.push(perSecond(plan.decisions, () => must(!take(strict, i++))));
  }
  const decisions_per_s = median(rates);
  const refusals_per_s = median(refused);
  return { users, decisions_per_s, us: 1e6 / decisions_per_s, refusals_per_s, keys, bytes_per_key };
}

function open(changes: object): Limits {
  const limits = limitsSchema.parse({ keys_max: 1_000_000, ...changes });
  return new Limits({ limits, clock: systemClock, onJump: () => undefined });
}

function must(held: boolean): void {
  if (!held) throw new Error("a decision was the wrong one");
}

function perSecond(times: number, once: () => void): number {
  const began = performance.now();
  for (let n = 0; n < times; n++) once();
  return (times * 1000) / (performance.now() - began);
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function goingOf(subject: string) {
  const credential: Credential = {
    principal: {
      issuer: "https://login.test",
      subject,
      name: subject,
      tenant: "acme",
      roles: [],
      actor_chain: [],
    },
    issuer_name: "corp",
    agent: "desk",
    client_id: "an-ide",
    scopes: [],
    family: "1",
    issued_at_s: 0,
    expires_at_ms: 0,
    incomplete: undefined,
    token_digest: "",
    proof: new Secret("x"),
  };
  return { credential, session: sessionOf(credential) };
}
