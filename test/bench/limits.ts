// `npm run bench -- limits [--quick] [--json]`: what the limits cost a call, and what one user who
// floods costs another.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../src/cli/demo-world.ts";
import { limitsSchema } from "../../src/config/limits.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { runCodeTool } from "../../src/catalog/generated.ts";
import { Limits } from "../../src/limits/limits.ts";
import { startChild } from "../setup/child.ts";
import type { Child } from "../setup/child.ts";
import { agentUrls, ROOT, writeCoreConfig } from "../setup/core-config.ts";
import { going } from "../setup/going.ts";
import { callTool } from "../setup/mcp-post.ts";
import type { Measured } from "./load.ts";
import { markdown, median } from "./report.ts";

const PLANS = {
  quick: { rounds: 5, decisions: 50_000, quiet_calls: 20 },
  full: { rounds: 15, decisions: 200_000, quiet_calls: 60 },
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

/** How long a quiet user's calls take. */
interface Fairness {
  readonly alone_ms: number;
  readonly beside_ms: number;
  readonly ratio: number;
  readonly failed: number;
  /** Of the one who floods: requests a second, and how many of them ran. */
  readonly flood_per_s: number;
  readonly flood_ran: number;
}

export async function benchLimits(given: { quick: boolean; json: boolean }): Promise<void> {
  const plan = given.quick ? PLANS.quick : PLANS.full;
  const fairness = await measureFairness(plan.quiet_calls);
  const costs = USERS.map((users) => costWith(users, plan));
  const report = { node: process.version, costs, fairness };
  console.log(given.json ? JSON.stringify(report) : textReport(costs, fairness));
}

function textReport(costs: readonly Cost[], fairness: Fairness): string {
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
  const { alone_ms, beside_ms, ratio, failed, flood_per_s, flood_ran } = fairness;
  const quiet = `${alone_ms.toFixed(1)} ms alone, ${beside_ms.toFixed(1)} ms beside a flood`;
  return [
    said,
    "",
    ...markdown(head, rows),
    "",
    `A quiet user's median call: ${quiet}, ratio ${ratio.toFixed(2)}, ${failed} failed.`,
    `The flood: ${FLOOD_CONNECTIONS} connections, ${flood_per_s.toFixed(0)} requests per s;`,
    `${flood_ran} of them ran.`,
  ].join("\n");
}

const FLOOD_CONNECTIONS = 32;
const QUIET_EVERY_MS = 250;

/** With the limits that there are without configuration. */
async function measureFairness(quiet_calls: number): Promise<Fairness> {
  const data = mkdtempSync(join(tmpdir(), "doorless-bench-"));
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rmSync(data, { recursive: true, force: true }));
  const start = async (program: string, args: readonly string[]): Promise<Child> => {
    const child = await startChild(program, { args, execArgv: [] });
    undo.defer(() => child.stop());
    return child;
  };
  const port = await freePort();
  const here = join(ROOT, "test", "bench");
  const world = await start(join(here, "world.ts"), [join(data, "world"), String(port)]);
  const { issuer, api, mail_accounts } = world.ready as Record<string, string>;
  const places = { issuer: `${issuer}`, api: `${api}`, mail_accounts: `${mail_accounts}` };
  const file = writeCoreConfig({ data: join(data, "core"), port, world: places, limits: {} });
  await start(join(ROOT, "test", "setup", "core-process.ts"), [file]);
  const load = await start(join(here, "load.ts"), []);
  const url = agentUrls(port)["sales"] ?? "";
  const authorization = `Bearer ${await tokenOf(world, "omar")}`;
  let nth = 0;
  const quiet = async (): Promise<{ latencies_ms: number[]; failed: number }> => {
    const latencies_ms: number[] = [];
    let failed = 0;
    for (let i = 0; i < quiet_calls; i++) {
      await new Promise((done) => setTimeout(done, QUIET_EVERY_MS));
      const began = performance.now();
      const args = { limit: 1 + (nth++ % 20) };
      const called = await callTool(url, authorization, "crm_search_deals", args);
      latencies_ms.push(performance.now() - began);
      if (called.error !== undefined || called.result === undefined) failed++;
    }
    return { latencies_ms, failed };
  };
  await quiet();
  const alone = await quiet();
  const target = { port, path: new URL(url).pathname, token: await tokenOf(world, "mia") };
  const what = { era: "2026-07-28", method: "tools/call", expect: '"structuredContent":{"id":42,' };
  const duration_ms = quiet_calls * QUIET_EVERY_MS;
  const job = { target, what, connections: FLOOD_CONNECTIONS, duration_ms };
  const [flood, beside] = await Promise.all([load.ask<Measured>("measure", { job }), quiet()]);
  const [alone_ms, beside_ms] = [median(alone.latencies_ms), median(beside.latencies_ms)];
  return {
    alone_ms,
    beside_ms,
    ratio: beside_ms / alone_ms,
    failed: alone.failed + beside.failed,
    flood_per_s: (flood.requests * 1000) / flood.elapsed_ms,
    flood_ran: flood.requests - flood.errors,
  };
}

function tokenOf(world: Child, person: string): Promise<string> {
  return world.ask<string>("tokenFor", { person, agent: "sales" });
}

function costWith(users: number, plan: { rounds: number; decisions: number }): Cost {
  const tool = runCodeTool(1000);
  const people = Array.from({ length: users }, (_, i) => going({ subject: `user-${i}` }));
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
    const taken = on.take(people[i % users] ?? going(), {
      tool,
      args: { i },
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
