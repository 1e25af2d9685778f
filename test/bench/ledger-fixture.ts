// A ledger of ten million records, made once: ninety days of ten thousand people, most of them
// quiet, two hundred tools, a hundred thousand records that they touch. Real lines, really chained.
// It lies at DOORLESS_BENCH_DATA, or in the temporary folder.
import { hash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LogIndex } from "../../src/ledger/log-index.ts";
import { plainNames } from "../../src/ledger/query.ts";
import type { LedgerIndex } from "../../src/ledger/query.ts";
import { FIRST_PREV } from "../../src/ledger/record.ts";
import { segmentName } from "../../src/ledger/segments.ts";
import { seeded } from "../setup/seeded.ts";

export const BEGAN_MS = Date.parse("2026-01-01T00:00:00.000Z");
export const DAYS = 90;
const DAY_MS = 86_400_000;
const PEOPLE = 10_000;
const TOOLS = 200;
const TARGETS = 100_000;
const TENANTS = 50;
const SEGMENT_BYTES = 67_108_864;
const OUTCOMES = ["tool_error", "downstream_error", "timeout", "cancelled"];

export interface Fixture {
  readonly folder: string;
  readonly index_file: string;
  readonly records: number;
}

/** As the index knows it. */
export const LOG_ID = "bench";

/** Where the fixture is; makes it where it is not there yet, which takes minutes. */
export async function openFixture(records: number, say: (text: string) => void): Promise<Fixture> {
  const root = process.env["DOORLESS_BENCH_DATA"] ?? join(tmpdir(), "doorless-bench-data");
  const home = join(root, `ledger-${records}`);
  const fixture = { folder: join(home, "ledger"), index_file: join(home, "index.sqlite"), records };
  if (!existsSync(home)) make(home, records, say);
  say("its index, where it is not there yet or of an older doorless");
  const index = indexOf(fixture);
  await index.orphans();
  await index.close();
  return fixture;
}

function make(home: string, records: number, say: (text: string) => void): void {
  const draft = `${home}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(join(draft, "ledger"), { recursive: true });
  say(`making ${records} records in ${home}, once`);
  writeLog(join(draft, "ledger"), records);
  renameSync(draft, home);
}

function indexOf({ folder, index_file, records }: Fixture): LedgerIndex {
  const onBehind = (error: unknown): void => {
    throw error;
  };
  const options = { folder, index_file, log_id: LOG_ID, namesOf: plainNames, onBehind };
  const index = new LogIndex(options);
  index.follow(records);
  return index;
}

function writeLog(folder: string, records: number): void {
  const random = seeded(1);
  let prev = FIRST_PREV;
  let parts: string[] = [];
  let bytes = 0;
  let fd: number | undefined;
  let waiting: object | undefined;
  for (let seq = 1; seq <= records; seq++) {
    const time_ms = BEGAN_MS + Math.floor(((seq - 1) / records) * DAYS * DAY_MS);
    const record = waiting ?? callAt(seq, time_ms, random);
    waiting = waiting === undefined && "end" in record ? (record.end as object) : undefined;
    const line = { v: 1, seq, prev, time: new Date(time_ms).toISOString(), ...record };
    const text = JSON.stringify(line, (key, value: unknown) => (key === "end" ? undefined : value));
    prev = hash("sha256", text, "hex");
    parts.push(`${text}\n`);
    bytes += text.length + 1;
    fd ??= openSync(join(folder, segmentName(seq)), "wx", 0o600);
    if (parts.length < 10_000 && bytes < SEGMENT_BYTES && seq < records) continue;
    writeSync(fd, parts.join(""));
    parts = [];
    if (bytes < SEGMENT_BYTES && seq < records) continue;
    closeSync(fd);
    fd = undefined;
    bytes = 0;
  }
}

/** The few that do much, and the many that do little. */
const skewed = (random: () => number, count: number): number => Math.floor(count * random() ** 3);

function callAt(seq: number, time_ms: number, random: () => number): object {
  const person = skewed(random, PEOPLE);
  const day = Math.floor((time_ms - BEGAN_MS) / DAY_MS);
  const target = `deal:${Math.floor(random() * TARGETS)}`;
  const call_id = `${time_ms.toString(16).padStart(12, "0")}-${seq.toString(16).padStart(12, "0")}`;
  const facts = {
    call_id,
    parent: null,
    user: `Person ${person}`,
    subject: `user-${person}`,
    issuer: "https://id.example",
    tenant: `tenant-${person % TENANTS}`,
    roles: ["sales"],
    actor_chain: [],
    agent: person % 2 === 0 ? "sales" : "support",
    client_id: "bench",
    session: `ses_${person}_${day}`,
    tool: `tool_${skewed(random, TOOLS)}`,
    target,
    args: { id: target },
    effects: null,
    rule: "mcp.config.json:1",
    approved_by: null,
    trace_id: "0".repeat(32),
    isolation: "declarative",
    policy: "sha256:0",
    tool_hash: null,
  };
  const end = { effect: "none", duration_ms: 12, steps: {}, downstream: [], result: null };
  if (random() < 0.02) {
    const code = random() < 0.5 ? "rate_limited" : "refused";
    const why = { outcome: code, error_code: code };
    return { kind: "refusal", ...facts, ...end, ...why, count: 1 };
  }
  const bad = random() < 0.03 ? OUTCOMES[Math.floor(random() * OUTCOMES.length)] : undefined;
  const how = { outcome: bad ?? "ok", error_code: bad ?? null };
  return { kind: "intent", ...facts, end: { kind: "outcome", call_id, ...end, ...how } };
}
