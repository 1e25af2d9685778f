// The ledger as the gate sees it: intent before, outcome after, refusals coalesced, all durable.
// No sink, no call: there is no constructor without a log to write to.
import { join } from "node:path";
import type { Clock } from "../kernel/clock.ts";
import { digestOf } from "../kernel/ids.ts";
import { IndexFollower } from "./follower.ts";
import { openSqliteIndex } from "./index-sqlite.ts";
import type { AuditFilter, AuditPage, LedgerIndex } from "./query.ts";
import type { Intent, Line, OutcomeRecord, RefusalRecord } from "./record.ts";
import { recover, segmentsOf, walk } from "./segments.ts";
import { Wal } from "./wal.ts";
import { comparable } from "./seal.ts";
import type { SegmentFile } from "./wal.ts";

export interface LedgerOptions {
  readonly folder: string;
  /** Where the derived index is kept; not in the ledger's folder, which is evidence. */
  readonly index_file: string;
  readonly clock: Clock;
  readonly segment_bytes_max: number;
  readonly disk_free_bytes_min: number;
  readonly onFatal: (error: unknown) => void;
  readonly openSegment?: (path: string) => Promise<SegmentFile>;
}

/** What a start found and mended. */
export interface Recovery {
  readonly cut_bytes: number;
  readonly orphans: number;
}

const FILL_BATCH = 2000;
const REPEATS_WRITTEN = 5;
const REPEAT_WINDOW_MS = 10_000;
const REPEAT_KEYS_MAX = 10_000;

interface Repeats {
  readonly until_ms: number;
  written: number;
  held: number;
  last: RefusalRecord;
}

/** Opens the log in `folder`, recovers it, and writes outcomes for calls that a crash cut off. */
export async function openLedger(
  options: LedgerOptions,
): Promise<{ ledger: Ledger; recovery: Recovery }> {
  const index = openSqliteIndex(options.index_file);
  const tail = recover(options.folder, () => undefined);
  // An index ahead of its log was derived from another one.
  if (index.last > tail.seq) index.clear();
  fill(index, options.folder);
  const follower = new IndexFollower(index, (error) => wal.poison(error));
  const wal = new Wal({ ...options, tail, onDurable: (batch) => follower.follow(batch) });
  const ledger = new Ledger(wal, index, follower, options.clock);
  const orphans = index.orphans();
  for (const call_id of orphans) await ledger.outcome(unknownOutcome(call_id));
  const recovery = { cut_bytes: tail.cut_bytes, orphans: orphans.length };
  if (tail.cut_bytes > 0 || orphans.length > 0) await ledger.event("recovered", { ...recovery });
  return { ledger, recovery };
}

function unknownOutcome(call_id: string): OutcomeRecord {
  return {
    kind: "outcome",
    call_id,
    outcome: "unknown",
    effect: "unknown",
    error_code: null,
    duration_ms: 0,
    steps: {},
    downstream: [],
    result: null,
  };
}

export class Ledger {
  private readonly wal: Wal;
  private readonly index: LedgerIndex;
  private readonly follower: IndexFollower;
  private readonly clock: Clock;
  private readonly repeats = new Map<string, Repeats>();
  private closing = false;

  constructor(wal: Wal, index: LedgerIndex, follower: IndexFollower, clock: Clock) {
    this.wal = wal;
    this.index = index;
    this.follower = follower;
    this.clock = clock;
  }

  get healthy(): boolean {
    return this.wal.healthy && !this.closing;
  }

  /** Resolves only when durable. Rejects where it is not, or where the disk is nearly full. */
  async intent(record: Intent): Promise<void> {
    if (!(await this.wal.hasRoom())) throw new Error("the disk is nearly full");
    await this.wal.append(record);
  }

  /** Resolves only when durable; takes the room that `intent` keeps. */
  async outcome(record: OutcomeRecord): Promise<void> {
    await this.wal.append(record);
  }

  /** Durable; from the sixth identical refusal in ten seconds on, counted into one record. */
  async refusal(record: RefusalRecord): Promise<void> {
    const now = this.clock.monotonic();
    await this.writeRepeats((repeats) => repeats.until_ms <= now);
    const key = repeatKey(record);
    const repeats = this.repeats.get(key);
    if (repeats !== undefined && repeats.written >= REPEATS_WRITTEN) {
      repeats.held++;
      repeats.last = record;
      return;
    }
    if (repeats !== undefined) repeats.written++;
    else if (this.repeats.size < REPEAT_KEYS_MAX) {
      const until_ms = now + REPEAT_WINDOW_MS;
      this.repeats.set(key, { until_ms, written: 1, held: 0, last: record });
    }
    await this.wal.append(record);
  }

  async event(event: string, detail: Readonly<Record<string, unknown>>): Promise<void> {
    await this.wal.append({ kind: "event", event, detail });
  }

  /** Writes what was only counted so far; called by a timer, a query and the end. */
  async writeRepeats(which: (repeats: Repeats) => boolean = () => true): Promise<void> {
    const due = [...this.repeats].filter(([, repeats]) => which(repeats));
    for (const [key] of due) this.repeats.delete(key);
    const counted = due.filter(([, { held }]) => held > 0);
    await Promise.all(
      counted.map(([, { last, held }]) => this.wal.append({ ...last, count: held })),
    );
  }

  /** Newest first; says up to where it is complete. */
  async query(filter: AuditFilter): Promise<AuditPage> {
    await this.writeRepeats();
    this.follower.catchUp();
    return this.index.query(filter);
  }

  async close(): Promise<void> {
    this.closing = true;
    await this.writeRepeats();
    await this.wal.close();
    this.follower.catchUp();
    this.index.close();
  }
}

function repeatKey(record: RefusalRecord): string {
  const { session, tool, error_code, args } = record;
  return digestOf(session, tool, error_code ?? "", comparable(args));
}

/** Reads a log that nobody writes, into an index that nobody keeps. */
export function readLedger(folder: string): LedgerIndex {
  const index = openSqliteIndex(":memory:");
  fill(index, folder);
  return index;
}

// In batches, so that a long log need not fit into memory. Breaks are not this reader's business:
// a start has refused them before, and `audit verify` reports them.
function fill(index: LedgerIndex, folder: string): void {
  let batch: Line[] = [];
  const visit = (line: Line): void => {
    if (batch.push(line) < FILL_BATCH) return;
    index.ingest(batch);
    batch = [];
  };
  walk(segmentsOf(folder), visit, () => undefined);
  index.ingest(batch);
}

export function ledgerIndexFile(data: string): string {
  return join(data, "index.sqlite");
}
