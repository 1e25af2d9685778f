// The ledger as the gate sees it: intent before, outcome after, refusals coalesced, all durable.
// No sink, no call: there is no constructor without a log to write to.
import { join } from "node:path";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { createAnchoring } from "./anchor.ts";
import type { Anchor } from "./anchor.ts";
import { openCheckpointer } from "./checkpointer.ts";
import type { Checkpointer } from "./checkpointer.ts";
import { Coalescer } from "./coalescer.ts";
import { IndexFollower } from "./follower.ts";
import { openSqliteIndex } from "./index-sqlite.ts";
import type { NameOf } from "./index-sqlite.ts";
import type { AuditFilter, AuditPage, Identity, LedgerIndex } from "./query.ts";
import type { Intent, Line, OutcomeRecord, RefusalRecord } from "./record.ts";
import { recover, segmentsOf, walk } from "./segments.ts";
import type { Tail } from "./segments.ts";
import { Wal } from "./wal.ts";
import type { SegmentFile } from "./wal.ts";

export interface LedgerOptions {
  readonly folder: string;
  /** Where the signing key is kept, outside the ledger's folder. */
  readonly keys_folder: string;
  readonly anchors: readonly Anchor[];
  readonly log: Logger;
  /** Opens the names that are sealed in the lines. */
  readonly nameOf: NameOf;
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
const COUNTED_EVERY_MS = 5000;

/** Opens the log in `folder`, recovers it, and writes outcomes for calls that a crash cut off. */
export async function openLedger(
  options: LedgerOptions,
): Promise<{ ledger: Ledger; recovery: Recovery }> {
  const onFailed = (error: unknown): void => wal.poison(error);
  const anchoring = createAnchoring({
    ...options,
    onChange: (state) => {
      ledger.event("anchor", { ...state }).catch(onFailed);
    },
  });
  const checkpointer = await openCheckpointer({
    ledger_folder: options.folder,
    keys_folder: options.keys_folder,
    anchoring,
    onFailed,
  });
  const index = openSqliteIndex(options.index_file, checkpointer.log_id, options.nameOf);
  let tail: Tail;
  try {
    tail = recover(options.folder, {
      leaf: (raw) => checkpointer.replay(raw),
      durable_to: () => Math.max(index.last, checkpointer.known_size),
    });
    checkpointer.mustBeKnown();
    fill(index, options.folder);
  } catch (error) {
    index.close();
    await checkpointer.abandon();
    throw error;
  }
  const follower = new IndexFollower(index, onFailed);
  const onDurable = (lines: readonly Line[], leaves: readonly Buffer[]): void => {
    checkpointer.follow(leaves);
    follower.follow(lines);
  };
  const wal = new Wal({ ...options, tail, onDurable });
  const { clock, folder } = options;
  const ledger = new Ledger({ wal, index, follower, checkpointer, clock, folder });
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

interface Parts {
  readonly wal: Wal;
  readonly index: LedgerIndex;
  readonly follower: IndexFollower;
  readonly checkpointer: Checkpointer;
  readonly clock: Clock;
  readonly folder: string;
}

export class Ledger {
  private readonly wal: Wal;
  private readonly index: LedgerIndex;
  private readonly follower: IndexFollower;
  private readonly checkpointer: Checkpointer;
  private readonly coalescer: Coalescer;
  private readonly folder: string;
  private readonly timer: NodeJS.Timeout;
  private closing = false;

  constructor({ wal, index, follower, checkpointer, clock, folder }: Parts) {
    this.folder = folder;
    this.wal = wal;
    this.index = index;
    this.follower = follower;
    this.checkpointer = checkpointer;
    this.coalescer = new Coalescer(clock);
    // What was only counted is written when its window ends, asked or not.
    this.timer = setInterval(() => void this.writeCounted(false), COUNTED_EVERY_MS).unref();
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

  /** Durable, or counted into a record that will be: no loop fills the disk with refusals. */
  async refusal(record: RefusalRecord): Promise<void> {
    await this.writeCounted(false);
    if (this.coalescer.admits(record)) await this.wal.append(record);
  }

  async event(event: string, detail: Readonly<Record<string, unknown>>): Promise<void> {
    await this.wal.append({ kind: "event", event, detail });
  }

  private async writeCounted(all: boolean): Promise<void> {
    const counted = this.coalescer.counted(all);
    // A failed append has stopped the server already, and says why.
    await Promise.allSettled(counted.map((record) => this.wal.append(record)));
  }

  /** Newest first; says up to where it is complete. */
  async query(filter: AuditFilter): Promise<AuditPage> {
    await this.writeCounted(true);
    this.follower.catchUp();
    return this.index.query(filter);
  }

  /** Resolves when everything that is durable now is covered by a kept checkpoint. */
  async checkpoint(): Promise<void> {
    await this.checkpointer.signNow();
  }

  /** Whom a name means. Throws `AmbiguousUser`. */
  identities(user: string): readonly Identity[] {
    this.follower.catchUp();
    return this.index.identities(user);
  }

  /** Takes a person's name out of the index; his records stay, by subject. */
  forget(identity: Identity): void {
    this.index.forget(identity);
  }

  /** Makes the index anew from the log. Resolves with how many records it holds then. */
  reindex(): number {
    this.follower.catchUp();
    this.index.clear();
    fill(this.index, this.folder);
    return this.index.last;
  }

  /** A new signing key; the next checkpoint is signed by both and attests the change. */
  async rotateKey(): Promise<string> {
    const verifier = this.checkpointer.rotate();
    await this.event("signing key rotated", { verifier });
    return verifier;
  }

  async close(): Promise<void> {
    this.closing = true;
    clearInterval(this.timer);
    await this.writeCounted(true);
    try {
      await this.wal.close();
    } finally {
      await this.checkpointer.close();
      this.follower.catchUp();
      this.index.close();
    }
  }
}

/** Reads a log that nobody writes, into an index that nobody keeps. */
export function readLedger(folder: string, nameOf: NameOf): LedgerIndex {
  const index = openSqliteIndex(":memory:", "a reader", nameOf);
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
