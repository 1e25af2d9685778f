// `npm run bench -- ledger [--quick] [--json] [--only appends]`: how long the advertised questions
// take over ten million records, and how many records a second become durable, beside a bare loop
// of write and fdatasync with the same bytes in the same batches, in the same run.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/kernel/clock.ts";
import { fingerprint, uuidv7 } from "../../src/kernel/ids.ts";
import { openIndexThread } from "../../src/ledger/index-thread.ts";
import { openLedger } from "../../src/ledger/ledger.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { noDigests, OPERATOR, plainNames, withDigests } from "../../src/ledger/query.ts";
import type { AuditFilter, LedgerIndex, Reader } from "../../src/ledger/query.ts";
import { BLANK } from "../../src/ledger/segments.ts";
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
  /** Microseconds of the calling thread's processor for one record, the callers' own included. */
  readonly cpu_us: number;
  readonly ratio: number;
  readonly ratios: readonly number[];
}

interface Report {
  readonly records: number;
  readonly queries: readonly QueryTime[];
  readonly appends: readonly AppendRate[];
}

interface Given {
  readonly quick: boolean;
  readonly json: boolean;
  readonly only: string;
}

export async function benchLedger(given: Given): Promise<void> {
  const plan = given.quick ? PLANS.quick : PLANS.full;
  const say = (text: string): void => console.error(text);
  const queries = given.only === "appends" ? [] : await queryTimes(plan, say);
  const appends: AppendRate[] = [];
  for (const callers of CALLERS) appends.push(await appendRate(plan, callers));
  const report = { node: process.version, records: plan.records, queries, appends };
  console.log(given.json ? JSON.stringify(report) : textReport(report));
}

function textReport({ records, queries, appends }: Report): string {
  return [
    ...(queries.length === 0 ? [] : [queryReport(records, queries)]),
    appendReport(appends),
  ].join("\n\n");
}

function queryReport(records: number, queries: readonly QueryTime[]): string {
  const ms = (value: number): string => value.toFixed(1);
  return [
    `First page of 50 over ${records} records, asked as the server asks its index.`,
    "",
    ...markdown(
      ["question", "rows", "cold ms", "p50 ms", "max ms"],
      queries.map((q) => [q.question, String(q.rows), ms(q.cold_ms), ms(q.p50_ms), ms(q.max_ms)]),
    ),
  ].join("\n");
}

function appendReport(appends: readonly AppendRate[]): string {
  return [
    "Durable records a second, and a bare loop of write and fdatasync with the same batches;",
    "medians of alternating rounds. Processor: of the thread that appends, for one record.",
    "",
    ...markdown(
      ["callers", "ledger per s", "bare per s", "records a batch", "cpu us", "ratio (min-max)"],
      appends.map((a) => [
        String(a.callers),
        a.ledger_per_s.toFixed(0),
        a.bare_per_s.toFixed(0),
        a.batch.toFixed(1),
        a.cpu_us.toFixed(1),
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

async function appendRate(plan: Plan, callers: number): Promise<AppendRate> {
  const folder = mkdtempSync(join(tmpdir(), "doorless-bench-ledger-"));
  const batches: number[] = [];
  const ledger = await openBenchLedger(folder, batches);
  try {
    const rounds: (Round & { bare_per_s: number; batch: number })[] = [];
    await appendFor(ledger, callers, plan.round_ms / 2);
    for (let i = 0; i < plan.rounds; i++) {
      batches.length = 0;
      const round = await appendFor(ledger, callers, plan.round_ms);
      const bare_per_s = (round.records * 1000) / (await bareLoop(folder, batches));
      rounds.push({ ...round, bare_per_s, batch: round.records / batches.length });
    }
    const ratios = rounds.map(({ per_s, bare_per_s }) => per_s / bare_per_s);
    return {
      callers,
      ledger_per_s: median(rounds.map(({ per_s }) => per_s)),
      bare_per_s: median(rounds.map(({ bare_per_s }) => bare_per_s)),
      batch: median(rounds.map(({ batch }) => batch)),
      cpu_us: median(rounds.map(({ cpu_us }) => cpu_us)),
      ratio: median(ratios),
      ratios,
    };
  } finally {
    await ledger.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `batches`: of each that goes to the disk, its bytes. */
async function openBenchLedger(folder: string, batches: number[]): Promise<Ledger> {
  mkdirSync(join(folder, "ledger"));
  const openSegment = async (path: string): Promise<SegmentFile> => {
    const file = await openSegmentFile(path);
    const write = (bytes: Buffer, at: number): Promise<void> => {
      // Room that is made ahead is the ledger's own cost: it holds no records.
      if (bytes[0] !== BLANK) batches.push(bytes.length);
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

interface Round {
  readonly records: number;
  readonly per_s: number;
  readonly cpu_us: number;
}

/** Callers that each wait until their own record is durable. */
async function appendFor(ledger: Ledger, callers: number, for_ms: number): Promise<Round> {
  const cpu = process.threadCpuUsage();
  const began = performance.now();
  const until = began + for_ms;
  let records = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() < until) {
      const call_id = uuidv7(systemClock.now());
      await ledger.intent({ kind: "intent", call_id, ...FACTS });
      await ledger.outcome({ kind: "outcome", call_id, ...END });
      records += 2;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const per_s = (records * 1000) / (performance.now() - began);
  const { user, system } = process.threadCpuUsage(cpu);
  return { records, per_s, cpu_us: (user + system) / records };
}

/** The same batches, of bytes that are there already, and nothing else; in milliseconds. */
async function bareLoop(folder: string, batches: readonly number[]): Promise<number> {
  const path = join(folder, "bare");
  const handle = await open(path, "a", 0o600);
  const bytes = Buffer.alloc(Math.max(...batches), "x");
  const began = performance.now();
  for (const size of batches) {
    await handle.write(bytes, 0, size);
    await handle.datasync();
  }
  const took_ms = performance.now() - began;
  await handle.close();
  rmSync(path);
  return took_ms;
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
  policy: fingerprint("a policy"),
  tool_hash: fingerprint("a tool"),
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
