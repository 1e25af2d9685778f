// `npm run bench -- ledger [--quick] [--json]`: how long the advertised questions take over ten
// million records, and how many records a second become durable, beside a bare loop of write and
// fdatasync with the same bytes in the same batches, in the same run.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/kernel/clock.ts";
import { openIndexThread } from "../../src/ledger/index-thread.ts";
import { openLedger } from "../../src/ledger/ledger.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { noDigests, OPERATOR, plainNames, withDigests } from "../../src/ledger/query.ts";
import type { AuditFilter, LedgerIndex, Reader } from "../../src/ledger/query.ts";
import { openSegmentFile } from "../../src/ledger/wal.ts";
import type { SegmentFile } from "../../src/ledger/wal.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { markdown, median } from "./report.ts";
import { BEGAN_MS, LOG_ID, openFixture } from "./ledger-fixture.ts";

const DAY_MS = 86_400_000;
const CALLERS = [1, 64, 256];
const PLANS = {
  quick: { records: 200_000, repeats: 10, rounds: 3, round_ms: 500 },
  full: { records: 10_000_000, repeats: 20, rounds: 7, round_ms: 2000 },
} as const;
type Plan = (typeof PLANS)[keyof typeof PLANS];

/** A week, a month back. */
const WEEK = { from_ms: BEGAN_MS + 53 * DAY_MS, to_ms: BEGAN_MS + 60 * DAY_MS };
const AUDITOR: Reader = { kind: "auditor", tenant: "tenant-0" };

// Of the busiest and of a quiet one, since an index is as slow as its fullest key.
const QUESTIONS: Readonly<Record<string, [Partial<AuditFilter>, Reader?]>> = {
  "newest, all": [{}],
  "a week, all": [WEEK],
  "user, busiest": [{ user: "user-0", ...WEEK }],
  "user, quiet": [{ user: "user-9000", ...WEEK }],
  "user by readable name": [{ user: "Person 77", ...WEEK }],
  "tool, busiest": [{ tool: "tool_0", ...WEEK }],
  "tool, rare": [{ tool: "tool_199", ...WEEK }],
  "outcome ok": [{ outcome: "ok", ...WEEK }],
  "outcome timeout": [{ outcome: "timeout", ...WEEK }],
  record: [{ record: "deal:4242", from_ms: BEGAN_MS, to_ms: BEGAN_MS + 80 * DAY_MS }],
  session: [{ session: "ses_0_55", ...WEEK }],
  agent: [{ agent: "support", ...WEEK }],
  "agent, of nobody": [{ agent: "nobody" }],
  "tool x outcome": [{ tool: "tool_199", outcome: "timeout", ...WEEK }],
  "user x agent": [{ user: "user-0", agent: "sales", ...WEEK }],
  "user x agent, none": [{ user: "user-0", agent: "support" }],
  "user x tool": [{ user: "user-0", tool: "tool_3", ...WEEK }],
  "user x outcome": [{ user: "user-0", outcome: "timeout", ...WEEK }],
  "user x tool x outcome": [{ user: "user-0", tool: "tool_0", outcome: "timeout", ...WEEK }],
  "auditor, a week": [WEEK, AUDITOR],
  "auditor, tool": [{ tool: "tool_0", ...WEEK }, AUDITOR],
  "auditor, outcome": [{ outcome: "timeout", ...WEEK }, AUDITOR],
};

interface QueryTime {
  readonly question: string;
  readonly rows: number;
  readonly cold_ms: number;
  readonly p50_ms: number;
  readonly max_ms: number;
}

interface AppendRate {
  readonly callers: number;
  readonly ledger_per_s: number;
  readonly bare_per_s: number;
  readonly batch: number;
  readonly ratio: number;
  readonly ratios: readonly number[];
}

export async function benchLedger(given: { quick: boolean; json: boolean }): Promise<void> {
  const plan = given.quick ? PLANS.quick : PLANS.full;
  const say = (text: string): void => console.error(text);
  const queries = await queryTimes(plan, say);
  const appends: AppendRate[] = [];
  for (const callers of CALLERS) appends.push(await appendRate(plan, callers));
  const report = { node: process.version, records: plan.records, queries, appends };
  console.log(given.json ? JSON.stringify(report) : textReport(report));
}

function textReport(report: {
  records: number;
  queries: readonly QueryTime[];
  appends: readonly AppendRate[];
}): string {
  const ms = (value: number): string => value.toFixed(1);
  return [
    `First page of 50 over ${report.records} records, asked as the server asks its index.`,
    "",
    ...markdown(
      ["question", "rows", "cold ms", "p50 ms", "max ms"],
      report.queries.map((q) => [
        q.question,
        String(q.rows),
        ms(q.cold_ms),
        ms(q.p50_ms),
        ms(q.max_ms),
      ]),
    ),
    "",
    "Durable records a second, and a bare loop of write and fdatasync with the same batches;",
    "medians of alternating rounds.",
    "",
    ...markdown(
      ["callers", "ledger per s", "bare per s", "records a batch", "ratio (min-max)"],
      report.appends.map((a) => [
        String(a.callers),
        a.ledger_per_s.toFixed(0),
        a.bare_per_s.toFixed(0),
        a.batch.toFixed(1),
        `${a.ratio.toFixed(2)} (${spread(a.ratios)})`,
      ]),
    ),
  ].join("\n");
}

function spread(ratios: readonly number[]): string {
  return `${Math.min(...ratios).toFixed(2)}-${Math.max(...ratios).toFixed(2)}`;
}

async function queryTimes(plan: Plan, say: (text: string) => void): Promise<QueryTime[]> {
  const fixture = await openFixture(plan.records, say);
  const onBehind = (error: unknown): void => {
    throw error;
  };
  const { folder, index_file } = fixture;
  const options = { folder, index_file, log_id: LOG_ID, namesOf: plainNames, onBehind };
  const index = await openIndexThread(options);
  try {
    const times: QueryTime[] = [];
    for (const [question, [filter, reader]] of Object.entries(QUESTIONS)) {
      times.push(await timesOf(index, question, { limit: 50, ...filter }, reader, plan.repeats));
    }
    // Nothing is found very quickly. A small fixture has no answer to some questions.
    if (times.every(({ rows }) => rows === 0)) throw new Error("the index holds nothing");
    return times;
  } finally {
    await index.close();
  }
}

async function timesOf(
  index: LedgerIndex,
  question: string,
  filter: AuditFilter,
  reader: Reader = OPERATOR,
  repeats: number,
): Promise<QueryTime> {
  const took: number[] = [];
  let rows = 0;
  for (let i = 0; i <= repeats; i++) {
    const began = performance.now();
    // As the ledger asks it: also where a tool's name is sealed, once for each tenant.
    const asked = await withDigests(filter, reader, index, noDigests);
    rows = (await index.query(asked, reader)).records.length;
    took.push(performance.now() - began);
  }
  const [cold_ms = 0, ...warm] = took;
  return { question, rows, cold_ms, p50_ms: median(warm), max_ms: Math.max(...warm) };
}

/** How many bytes, of how many records, went to the disk in one batch. */
interface Batch {
  readonly bytes: number;
  readonly records: number;
}

async function appendRate(plan: Plan, callers: number): Promise<AppendRate> {
  const folder = mkdtempSync(join(tmpdir(), "doorless-bench-ledger-"));
  const batches: Batch[] = [];
  const ledger = await openBenchLedger(folder, batches);
  try {
    const ratios: number[] = [];
    const rates: { ledger: number; bare: number; batch: number }[] = [];
    await appendFor(ledger, callers, plan.round_ms / 2);
    for (let round = 0; round < plan.rounds; round++) {
      batches.length = 0;
      const rate = await appendFor(ledger, callers, plan.round_ms);
      const bare = await bareLoop(folder, batches);
      const records = batches.reduce((sum, batch) => sum + batch.records, 0);
      rates.push({ ledger: rate, bare, batch: records / batches.length });
      ratios.push(rate / bare);
    }
    return {
      callers,
      ledger_per_s: median(rates.map((rate) => rate.ledger)),
      bare_per_s: median(rates.map((rate) => rate.bare)),
      batch: median(rates.map((rate) => rate.batch)),
      ratio: median(ratios),
      ratios,
    };
  } finally {
    await ledger.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function openBenchLedger(folder: string, batches: Batch[]): Promise<Ledger> {
  mkdirSync(join(folder, "ledger"));
  const openSegment = async (path: string): Promise<SegmentFile> => {
    const file = await openSegmentFile(path);
    const write = (bytes: Buffer, at: number): Promise<void> => {
      const records = linesIn(bytes);
      // Room that is made ahead is the ledger's own cost: it holds none.
      if (records > 0) batches.push({ bytes: bytes.length, records });
      return file.write(bytes, at);
    };
    return { ...file, write };
  };
  const { ledger } = await openLedger({
    folder: join(folder, "ledger"),
    keys_folder: join(folder, "keys"),
    anchors: [],
    log: createLogger("warn"),
    namesOf: plainNames,
    digestOf: noDigests,
    index_file: join(folder, "index.sqlite"),
    openIndex: openIndexThread,
    clock: systemClock,
    segment_bytes_max: 67_108_864,
    disk_free_bytes_min: 0,
    reserve_bytes: 0,
    sinks: [],
    cursors_folder: folder,
    isHeld: () => false,
    openSegment,
    onFatal: (error) => {
      throw error;
    },
  });
  return ledger;
}

function linesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) lines++;
  return lines;
}

/** Callers that each wait until their own record is durable; records a second. */
async function appendFor(ledger: Ledger, callers: number, for_ms: number): Promise<number> {
  const began = performance.now();
  const until = began + for_ms;
  let records = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < until) {
      const call_id = crypto.randomUUID();
      await ledger.intent({ kind: "intent", call_id, ...FACTS });
      await ledger.outcome({ kind: "outcome", call_id, ...END });
      records += 2;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (records * 1000) / (performance.now() - began);
}

/** The same batches, of bytes that are there already, and nothing else. */
async function bareLoop(folder: string, batches: readonly Batch[]): Promise<number> {
  const path = join(folder, "bare");
  const handle = await open(path, "a", 0o600);
  const bytes = Buffer.alloc(Math.max(...batches.map((batch) => batch.bytes)), "x");
  const began = performance.now();
  let records = 0;
  for (const batch of batches) {
    await handle.write(bytes, 0, batch.bytes);
    await handle.datasync();
    records += batch.records;
  }
  const took_ms = performance.now() - began;
  await handle.close();
  rmSync(path);
  return (records * 1000) / took_ms;
}

const FACTS = {
  parent: null,
  user: "Mia Keller",
  subject: "mia",
  issuer: "https://id.example",
  tenant: "acme",
  roles: ["sales"],
  actor_chain: [],
  agent: "sales",
  client_id: "an-ide",
  session: "ses_0123456789abcdef",
  tool: "crm_update_deal_stage",
  target: "deal:42",
  args: { id: 42, stage: "won" },
  effects: { readOnly: false, destructive: false, idempotent: true, openWorld: false },
  rule: "mcp.config.json:1",
  approved_by: null,
  trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
  isolation: "declarative",
  liveness: { source: "token_lifetime", bound_ms: 300_000 },
  policy: `sha256:${"0".repeat(64)}`,
  tool_hash: `sha256:${"0".repeat(64)}`,
} as const;

const END = {
  outcome: "ok",
  effect: "done",
  error_code: null,
  duration_ms: 12.345,
  steps: { who: 0.1, door: 0.01, arguments: 0.1, limits: 0.05, intent: 0.4, run: 9.5 },
  downstream: [
    { method: "PATCH", url: "https://crm.example/deals/42", status: 200, request_id: "req_1" },
  ],
  result: { id: 42, stage: "won" },
} as const;
