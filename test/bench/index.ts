// `npm run bench [-- --quick] [--json] [--profile DIR] [--only TEXT]`: doorless beside an
// unprotected server, in one run. Rounds alternate between the two, so that a busy machine slows
// both; what counts is the ratio of each round. Never part of CI's verdict.
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startChild } from "../setup/child.ts";
import type { Child } from "../setup/child.ts";
import { agentUrls, ROOT, writeCoreConfig } from "../setup/core-config.ts";
import { freePort } from "../../src/cli/demo-world.ts";
import { benchImport } from "./import.ts";
import { benchLedger } from "./ledger.ts";
import { benchLimits } from "./limits.ts";
import { benchPolicy } from "./policy.ts";
import { benchRevocation } from "./revocation.ts";
import { measureCode } from "./code.ts";
import { textReport } from "./report.ts";
import type { CaseResult, Report, Sample } from "./report.ts";
import { stepTimes } from "./steps.ts";
import type { Measured } from "./load.ts";
import type { Case, Era, Target } from "./protocol.ts";

const CONNECTIONS = 8;
const PLANS = {
  quick: { rounds: 3, round_ms: 800, warm_ms: 700, code_rounds: 5 },
  full: { rounds: 7, round_ms: 2000, warm_ms: 2000, code_rounds: 30 },
} as const;
const SALES_TOOLS = [
  "crm_get_customer",
  "crm_get_deal",
  "crm_search_deals",
  "crm_update_deal_stage",
  "mail_send",
];
const ERAS: readonly Era[] = ["2026-07-28", "2025-11-25"];
const CASES: readonly Case[] = ERAS.flatMap((era): Case[] => [
  { era, method: "tools/call", expect: '"structuredContent":{"id":42,' },
  { era, method: "tools/list", expect: '"name":"crm_get_deal"' },
]);

interface Side {
  readonly child: Child;
  readonly target: () => Promise<Target>;
}

interface Bench {
  readonly doorless: Side;
  readonly unprotected: Side;
  readonly load: Child;
  readonly world: Child;
  readonly places: Parameters<typeof measureCode>[1];
}

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    profile: { type: "string" },
    only: { type: "string", default: "" },
  },
});
if (positionals[0] === "revocation") {
  await benchRevocation(given);
  process.exit();
}
if (positionals[0] === "import") {
  await benchImport(given);
  process.exit();
}
if (positionals[0] === "limits") {
  await benchLimits(given);
  process.exit();
}
if (positionals[0] === "ledger") {
  await benchLedger(given);
  process.exit();
}
if (positionals[0] === "policy") {
  benchPolicy(given);
  process.exit();
}
const plan = given.quick ? PLANS.quick : PLANS.full;
const data = mkdtempSync(join(tmpdir(), "doorless-bench-"));
await using undo = new AsyncDisposableStack();
undo.defer(() => rmSync(data, { recursive: true, force: true }));

// What else the machine was doing: under load from elsewhere the ratios say little.
const [load_before = 0] = loadavg();
const bench = await open();
const cases: CaseResult[] = [];
for (const what of CASES) {
  if (`${what.era} ${what.method}`.includes(given.only)) cases.push(await compare(what));
}
const report: Report = {
  node: process.version,
  cpu: `${cpus().length} x ${cpus()[0]?.model ?? "unknown"}`,
  load_before,
  connections: CONNECTIONS,
  plan,
  cases,
  rss_mib: {
    doorless: await rssOf(bench.doorless),
    unprotected: await rssOf(bench.unprotected),
  },
  steps: stepTimes(join(data, "core", "ledger")),
  ...(["", "code"].includes(given.only)
    ? { code: await measureCode(bench.world, bench.places, data, start, plan.code_rounds) }
    : {}),
};
console.log(given.json ? JSON.stringify(report) : textReport(report));

async function open(): Promise<Bench> {
  const port = await freePort();
  const here = join(ROOT, "test", "bench");
  const world = await start(join(here, "world.ts"), [join(data, "world"), String(port)]);
  const issuer = String(world.ready["issuer"]);
  const api = String(world.ready["api"]);
  const mail_accounts = String(world.ready["mail_accounts"]);
  const places = { issuer, api, mail_accounts };
  const file = writeCoreConfig({ data: join(data, "core"), port, world: places });
  const profiled = given.profile === undefined ? [] : profileFlags(given.profile);
  const core = await start(join(ROOT, "test", "setup", "core-process.ts"), [file], profiled);
  const bare = await start(join(here, "unprotected.ts"), [api, SALES_TOOLS.join(",")], profiled);
  const load = await start(join(here, "load.ts"), []);
  const path = new URL(agentUrls(port)["sales"] ?? "").pathname;
  const token = await world.ask<string>("agentToken");
  return {
    load,
    world,
    places: { ...places, port },
    doorless: { child: core, target: async () => ({ port, path, token }) },
    unprotected: {
      child: bare,
      async target() {
        // The API's tokens live two minutes; renewing its one is not part of what is measured.
        await bare.ask("useToken", { token: await world.ask<string>("downstreamToken") });
        return { port: Number(bare.ready["port"]), path, token };
      },
    },
  };
}

function profileFlags(folder: string): string[] {
  return ["--cpu-prof", `--cpu-prof-dir=${folder}`];
}

async function start(
  program: string,
  args: readonly string[],
  execArgv: readonly string[] = [],
): Promise<Child> {
  const child = await startChild(program, { args, execArgv });
  undo.defer(() => child.stop());
  return child;
}

async function compare(what: Case): Promise<CaseResult> {
  const { doorless, unprotected } = bench;
  const rounds: { doorless: Sample; unprotected: Sample }[] = [];
  for (const side of [doorless, unprotected]) await sample(side, what, plan.warm_ms);
  for (let i = 0; i < plan.rounds; i++) {
    // Who goes first changes, so that neither always meets the warmer machine.
    const order = i % 2 === 0 ? [doorless, unprotected] : [unprotected, doorless];
    const [first, second] = [order[0], order[1]];
    if (first === undefined || second === undefined) throw new Error("no sides");
    const [a, b] = [
      await sample(first, what, plan.round_ms),
      await sample(second, what, plan.round_ms),
    ];
    rounds.push(first === doorless ? round(a, b) : round(b, a));
  }
  return { era: what.era, method: what.method, rounds };
}

function round(doorless: Sample, unprotected: Sample) {
  return { doorless, unprotected };
}

async function sample(side: Side, what: Case, duration_ms: number): Promise<Sample> {
  const target = await side.target();
  const before = await side.child.usage();
  const job = { target, what, connections: CONNECTIONS, duration_ms };
  const measured = await bench.load.ask<Measured>("measure", { job });
  const after = await side.child.usage();
  const { requests, errors, wrong, elapsed_ms, latencies_ms } = measured;
  // A wrong answer is often a quick one: a run with errors measures nothing.
  if (errors > 0) throw new Error(`${errors} of ${requests} were wrong: ${wrong}`);
  return {
    per_s: (requests * 1000) / elapsed_ms,
    cpu_us: (after.cpu_us - before.cpu_us) / Math.max(requests, 1),
    main_us: (after.main_us - before.main_us) / Math.max(requests, 1),
    latencies_ms: latencies_ms.toSorted((a, b) => a - b),
    requests,
  };
}

async function rssOf(side: Side): Promise<number> {
  return (await side.child.usage()).rss_bytes / 2 ** 20;
}
