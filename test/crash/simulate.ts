// The ledger over a simulated disk, seed by seed: callers, a power loss at some step, a recovery
// that may lose power too, and what must hold afterwards.
// `node test/crash/simulate.ts [--seed N] [--seeds COUNT] [--source DIR]`: --seed replays one.
// --source runs another copy of src/, such as one with a fault in it; what judges is never that.
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { verifyFiles } from "../../scripts/verify-ledger.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { anchorLine } from "../../src/ledger/anchor.ts";
import type { Anchor } from "../../src/ledger/anchor.ts";
import { LogIndex } from "../../src/ledger/log-index.ts";
import type { Ledger, LedgerOptions } from "../../src/ledger/ledger.ts";
import { noDigests, OPERATOR, plainNames } from "../../src/ledger/query.ts";
import type { Line } from "../../src/ledger/record.ts";
import type { LedgerUnavailable } from "../../src/ledger/room.ts";
import { segmentsOf, walk } from "../../src/ledger/segments.ts";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { seeded } from "../setup/seeded.ts";
import { PowerLost, SimDisk } from "./sim-disk.ts";
import type { Plan } from "./sim-disk.ts";

const LIVES_MAX = 3;
const CALLERS_MAX = 4;
const CALLS_MAX = 4;
const STEPS_MAX = 60;
const TWICE_EVERY = 4;

/** What it prints, as JSON. */
export interface Simulated {
  readonly seeds: number;
  readonly crashes: number;
  readonly failed: readonly { readonly seed: number; readonly why: string }[];
}

/** What the world outside has seen: it must never know more than the log. */
interface World {
  readonly effects: Set<string>;
  readonly answers: Set<string>;
  readonly anchored: string[];
}

interface Home {
  readonly folder: string;
  readonly keys: string;
  readonly openLedger: (options: LedgerOptions) => Promise<{ ledger: Ledger }>;
}

const clock: Clock = { now: () => 1_773_480_413_000, monotonic: () => 0 };
const log = createLogger("silent");

/** Runs one seed: lives that end badly, and one that only recovers. Throws where it must. */
async function live(home: Home, seed: number, totals: { crashes: number }): Promise<void> {
  const random = seeded(seed);
  const world: World = { effects: new Set(), answers: new Set(), anchored: [] };
  const lives = 1 + Math.floor(random() * LIVES_MAX);
  for (let life = 1; life <= lives; life++) {
    const disk = new SimDisk(random, planOf(random));
    const calls = Math.floor(random() * CALLS_MAX);
    await oneLife(home, disk, random, { world, name: `${seed}-${life}`, calls });
    if (!disk.broken) continue;
    totals.crashes++;
    disk.restore();
  }
  const sound = new SimDisk(random, { steps: 0, full: 0, eio: 0 });
  await oneLife(home, sound, random, { world, name: "", calls: 0 });
  const lines = judge(home, world);
  if (seed % TWICE_EVERY === 0) await judgeTwice(home, world, lines);
}

function planOf(random: () => number): Plan {
  const fails = random() < 0.3;
  return {
    steps: random() < 0.1 ? 0 : 1 + Math.floor(random() ** 2 * STEPS_MAX),
    full: fails ? 0.1 : 0,
    eio: fails ? 0.05 : 0,
  };
}

async function oneLife(
  home: Home,
  disk: SimDisk,
  random: () => number,
  { world, name, calls }: { world: World; name: string; calls: number },
): Promise<void> {
  const anchor: Anchor = {
    name: "sim",
    put: async (note) => void world.anchored.push(anchorLine(note)),
  };
  let ledger: Ledger;
  try {
    ({ ledger } = await home.openLedger({
      folder: home.folder,
      keys_folder: home.keys,
      anchors: [anchor],
      log,
      namesOf: plainNames,
      digestOf: noDigests,
      index_file: ":memory:",
      clock,
      segment_bytes_max: 2000 + Math.floor(random() * 4000),
      disk_free_bytes_min: 0,
      reserve_bytes: 0,
      sinks: [],
      cursors_folder: home.keys,
      isHeld: () => false,
      room: roomOf(random),
      openSegment: disk.openSegment,
      syncFolder: disk.syncFolder,
      openNotes: disk.openNotes,
      onFatal: () => undefined,
    }));
  } catch (error) {
    // A start that finds no room for what it must write is none.
    const full = error instanceof Error && error.name === "LedgerUnavailable";
    if (disk.broken || full) return;
    throw error;
  }
  const callers = 1 + Math.floor(random() * CALLERS_MAX);
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let i = 0; i < calls && !disk.off; i++) {
        await oneCall(ledger, disk, world, `${name}-${caller}-${i}`, random);
      }
    }),
  );
  await ledger.close().catch((error: unknown) => {
    if (!disk.broken) throw error;
  });
}

/** Closed after a write that found none, for a few questions. */
function roomOf(random: () => number): NonNullable<LedgerOptions["room"]> {
  let why: LedgerUnavailable | undefined;
  return {
    get open() {
      return why === undefined;
    },
    closed() {
      const answer = why;
      if (random() < 0.5) why = undefined;
      return Promise.resolve(answer);
    },
    close: (error) => void (why = error),
    release: () => random() < 0.5,
  };
}

async function oneCall(
  ledger: Ledger,
  disk: SimDisk,
  world: World,
  call_id: string,
  random: () => number,
): Promise<void> {
  try {
    if (random() < 0.1) await ledger.checkpoint();
    await ledger.intent({ kind: "intent", call_id, ...FACTS });
    // After the power is gone nobody sends anything, and nobody is told anything.
    if (disk.off) return;
    world.effects.add(call_id);
    await ledger.outcome({ kind: "outcome", call_id, ...END });
    if (!disk.off) world.answers.add(call_id);
  } catch (error) {
    if (error instanceof PowerLost) throw error;
  }
}

function judge({ folder, keys }: Home, world: World): readonly Line[] {
  const lines: Line[] = [];
  const visit = (line: Line): void => void lines.push(line);
  walk(segmentsOf(folder), visit, () => undefined);
  const intents = idsOf(lines, "intent");
  const ends = idsOf(lines, "outcome");
  const ok = new Set(lines.flatMap((line) => (isOk(line) ? [line.call_id] : [])));
  none(
    "an effect without its intent",
    [...world.effects].filter((id) => !intents.includes(id)),
  );
  none(
    "an answer without its outcome",
    [...world.answers].filter((id) => !ok.has(id)),
  );
  none(
    "an intent without exactly one outcome",
    intents.filter((id) => count(ends, id) !== 1),
  );
  none(
    "an intent given twice",
    intents.filter((id) => count(intents, id) !== 1),
  );
  none(
    "an outcome without its intent",
    ends.filter((id) => !intents.includes(id)),
  );
  // Nothing was ever written: of an empty log there is nothing to verify.
  if (lines.length === 0) return lines;
  const evidence = evidenceOf(keys, world);
  const { problems, covered_to } = verifyLedger(folder, evidence);
  none(
    "a problem that verify finds",
    problems.map(({ message }) => message),
  );
  if (covered_to !== lines.length) throw new Error(`covered to ${covered_to} of ${lines.length}`);
  return lines;
}

function evidenceOf(keys: string, { anchored }: World) {
  const anchor = join(keys, "anchored");
  writeFileSync(anchor, `${anchored.join("\n")}\n`);
  const anchors = anchored.length === 0 ? [] : [anchor];
  return { public_keys: join(keys, "ledger-signing.pub"), anchors };
}

function isOk(line: Line): line is Extract<Line, { kind: "outcome" }> {
  return line.kind === "outcome" && line.outcome === "ok";
}

/** What is slow to ask: another verifier, and an index from nothing. */
async function judgeTwice({ folder, keys }: Home, world: World, lines: readonly Line[]) {
  if (lines.length === 0) return;
  const { public_keys, anchors } = evidenceOf(keys, world);
  const { problems } = verifyFiles(folder, public_keys, anchors);
  none("a problem that the second verifier finds", problems);
  const onBehind = (): void => undefined;
  const options = { folder, index_file: ":memory:", log_id: "sim", namesOf: plainNames, onBehind };
  const index = new LogIndex(options);
  index.follow(lines.length);
  const { records, complete_to } = await index.query({ limit: 1_000_000 }, OPERATOR);
  await index.close();
  const intents = idsOf(lines, "intent");
  const found = new Map(records.map((record) => [record.call_id, record.outcome]));
  const wrong = lines.filter(
    (line) => line.kind === "outcome" && found.get(line.call_id) !== line.outcome,
  );
  none(
    "what the index says of a call",
    wrong.map(({ seq }) => String(seq)),
  );
  if (records.length !== intents.length) throw new Error("the index has other calls");
  if (complete_to !== lines.length) throw new Error("the index is not complete");
}

function idsOf(lines: readonly Line[], kind: "intent" | "outcome"): string[] {
  return lines.flatMap((line) => (line.kind === kind ? [line.call_id] : []));
}

function count(ids: readonly string[], id: string): number {
  return ids.filter((one) => one === id).length;
}

function none(what: string, found: readonly string[]): void {
  if (found.length > 0) throw new Error(`${what}: ${found.slice(0, 3).join("; ")}`);
}

const FACTS = {
  parent: null,
  user: "Mia",
  subject: "mia",
  issuer: "i",
  tenant: "acme",
  roles: [],
  actor_chain: [],
  agent: "sales",
  client_id: "c",
  session: "s",
  tool: "t",
  target: null,
  args: {},
  effects: null,
  rule: null,
  approved_by: null,
  trace_id: "0",
  isolation: "declarative",
  liveness: { source: "token_lifetime", bound_ms: 1 },
  policy: "p",
  tool_hash: null,
} as const;

const END = {
  outcome: "ok",
  effect: "none",
  error_code: null,
  duration_ms: 1,
  steps: {},
  downstream: [],
  result: null,
} as const;

/** Seeds from `first` on; with `stop`, up to the first that fails. */
async function simulate(
  source: string,
  first: number,
  seeds: number,
  stop: boolean,
): Promise<Simulated> {
  const root = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "doorless-sim-"));
  // No timer comes between: what a seed does once, it does again.
  globalThis.setTimeout = (() => ({ unref: () => 0 })) as never;
  globalThis.setInterval = (() => ({ unref: () => 0 })) as never;
  globalThis.clearTimeout = () => undefined;
  globalThis.clearInterval = () => undefined;
  const module = (await import(join(source, "ledger", "ledger.ts"))) as Pick<Home, "openLedger">;
  const made = join(root, "made");
  const keys = join(root, "keys");
  const totals = { crashes: 0 };
  const failed: { seed: number; why: string }[] = [];
  try {
    // One log's name and key for all: making them is nobody's question here.
    mkdirSync(made);
    await live({ folder: made, keys, openLedger: module.openLedger }, 0, totals);
    let seed = first;
    const enough = (): boolean => seed >= first + seeds || (stop && failed.length > 0);
    for (; !enough(); seed++) {
      const folder = join(root, "ledger");
      mkdirSync(folder);
      // Each is a log that nothing was signed of yet.
      rmSync(join(keys, "ledger-signed"), { force: true });
      for (const name of ["log_id", "keys.pub"]) copyFileSync(join(made, name), join(folder, name));
      try {
        await live({ folder, keys, openLedger: module.openLedger }, seed, totals);
      } catch (error) {
        failed.push({ seed, why: error instanceof Error ? error.message : String(error) });
      }
      rmSync(folder, { recursive: true });
    }
    return { seeds: seed - first, ...totals, failed };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    first: { type: "string", default: "1" },
    seeds: { type: "string", default: "1000" },
    source: { type: "string", default: resolve(import.meta.dirname, "../../src") },
    stop: { type: "boolean", default: false },
  },
});
const one = values.seed !== undefined;
const result = await simulate(
  values.source,
  Number(values.seed ?? values.first),
  one ? 1 : Number(values.seeds),
  values.stop,
);
console.log(JSON.stringify(result));
process.exitCode = result.failed.length === 0 ? 0 : 1;
