// The ledger as the gate sees it: intent before, outcome after, refusals coalesced, all durable.
// No sink, no call: there is no constructor without a log to write to.
import { join } from "node:path";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { createAnchoring } from "./anchor.ts";
import type { Anchor } from "./anchor.ts";
import { openCheckpointer } from "./checkpointer.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { NoteFile } from "./checkpoint-log.ts";
import { Coalescer } from "./coalescer.ts";
import { LogIndex } from "./log-index.ts";
import type { LogIndexOptions } from "./log-index.ts";
import type { EventName, LedgerEvent, LedgerEvents } from "./events.ts";
import { LINK_EVENT } from "./query.ts";
import type { AuditFilter, AuditPage, Identity, LedgerIndex, NamesOf, Reader } from "./query.ts";
import type { Intent, OutcomeRecord, RefusalRecord } from "./record.ts";
import { LedgerUnavailable, Room } from "./room.ts";
import { recover } from "./segments.ts";
import type { Tail } from "./segments.ts";
import { Wal } from "./wal.ts";
import type { SegmentFile, WalOptions } from "./wal.ts";

export interface LedgerOptions {
  readonly folder: string;
  /** Where the signing key is kept, outside the ledger's folder. */
  readonly keys_folder: string;
  readonly anchors: readonly Anchor[];
  readonly log: Logger;
  /** Opens the names that are sealed in the lines. */
  readonly namesOf: NamesOf;
  /** Where the derived index is kept; not in the ledger's folder, which is evidence. */
  readonly index_file: string;
  readonly clock: Clock;
  readonly segment_bytes_max: number;
  readonly disk_free_bytes_min: number;
  /** Room on the disk that is kept for the ends of running calls. */
  readonly reserve_bytes: number;
  readonly onFatal: (error: unknown) => void;
  readonly openSegment?: (path: string) => Promise<SegmentFile>;
  readonly room?: WalOptions["room"];
  readonly syncFolder?: (folder: string) => Promise<void>;
  readonly openNotes?: (folder: string) => Promise<NoteFile>;
  /** Without it, the index is in this thread. */
  readonly openIndex?: (options: LogIndexOptions) => Promise<LedgerIndex>;
}

/** What a start found and mended. */
export interface Recovery {
  readonly cut_bytes: number;
  readonly orphans: number;
}

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
    ...options,
    ledger_folder: options.folder,
    keys_folder: options.keys_folder,
    anchoring,
    onFailed,
  });
  const index = await openIndex(options, checkpointer);
  let tail: Tail;
  let orphans: readonly string[];
  try {
    tail = recover(options.folder, {
      leaf: (raw) => checkpointer.replay(raw),
      durable_to: () => Math.max(index.held, checkpointer.known_size),
    });
    checkpointer.mustBeKnown();
    index.follow(tail.seq);
    orphans = await index.orphans();
  } catch (error) {
    await index.close().catch(() => undefined);
    await checkpointer.abandon();
    throw error;
  }
  const onDurable = (to: number, leaves: readonly Buffer[]): void => {
    checkpointer.follow(leaves);
    index.follow(to);
  };
  const wal = new Wal({ room: new Room(options), ...options, tail, onDurable });
  const ledger = new Ledger({ wal, index, checkpointer, clock: options.clock });
  const recovery = { cut_bytes: tail.cut_bytes, orphans: orphans.length };
  try {
    // What is kept on the disk for the ends of calls is there before there are any.
    await wal.closed();
    await Promise.all(orphans.map((call_id) => ledger.outcome(unknownOutcome(call_id))));
    if (tail.cut_bytes > 0 || orphans.length > 0) await ledger.event("recovered", { ...recovery });
  } catch (error) {
    await ledger.close().catch(() => undefined);
    throw error;
  }
  return { ledger, recovery };
}

async function openIndex(options: LedgerOptions, checkpointer: Checkpointer): Promise<LedgerIndex> {
  const { log, openIndex: open = inThisThread } = options;
  const onBehind = (err: unknown): void => log.error({ err }, "the ledger's index is behind");
  try {
    return await open({ ...options, log_id: checkpointer.log_id, onBehind });
  } catch (error) {
    await checkpointer.abandon();
    throw error;
  }
}

function inThisThread(options: LogIndexOptions): Promise<LedgerIndex> {
  return Promise.resolve(new LogIndex(options));
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
  readonly checkpointer: Checkpointer;
  readonly clock: Clock;
}

export class Ledger {
  private readonly wal: Wal;
  private readonly index: LedgerIndex;
  private readonly checkpointer: Checkpointer;
  private readonly coalescer: Coalescer;
  private readonly timer: NodeJS.Timeout;
  private readonly clock: Clock;
  private closing = false;
  private interrupted: LedgerEvents["audit_unavailable"] | undefined;

  constructor({ wal, index, checkpointer, clock }: Parts) {
    this.clock = clock;
    this.wal = wal;
    this.index = index;
    this.checkpointer = checkpointer;
    this.coalescer = new Coalescer(clock);
    // What was only counted is written when its window ends, asked or not.
    this.timer = setInterval(() => void this.writeCounted(false), COUNTED_EVERY_MS).unref();
  }

  /** False while it takes no calls; that passes with its cause, but for a failed sync. */
  get healthy(): boolean {
    return this.wal.healthy && !this.closing;
  }

  /** Resolves only when durable. Else, or where there is no room, rejects `LedgerUnavailable`. */
  async intent(record: Intent): Promise<void> {
    const why = await this.wal.closed();
    if (why !== undefined) throw this.interrupt(why);
    try {
      await this.wal.append(record);
    } catch (error) {
      throw this.interrupt(error);
    }
    this.resume();
  }

  private interrupt(error: unknown): unknown {
    const cause = error instanceof LedgerUnavailable ? error.reason : "failed";
    const since = new Date(this.clock.now()).toISOString();
    this.interrupted ??= { cause, since };
    return error;
  }

  // That nothing could be recorded for a while is recorded, as soon as anything can be.
  private resume(): void {
    const { interrupted } = this;
    if (interrupted === undefined) return;
    this.interrupted = undefined;
    // A failed append has stopped the server already, and says why.
    this.event("audit_unavailable", interrupted).catch(() => undefined);
  }

  /** Resolves only when durable; takes the room that `intent` keeps. */
  async outcome(record: OutcomeRecord): Promise<void> {
    await this.wal.append(record);
  }

  /** Durable, or counted into a record that will be: no loop fills the disk with refusals. */
  async refusal(record: RefusalRecord): Promise<void> {
    if ((await this.wal.closed()) !== undefined) return this.coalescer.hold(record);
    await this.writeCounted(false);
    if (this.coalescer.admits(record)) await this.wal.append(record);
  }

  async event<Name extends EventName>(event: Name, detail: LedgerEvents[Name]): Promise<void> {
    await this.wal.append({ kind: "event", event, detail } as LedgerEvent);
  }

  private async writeCounted(all: boolean): Promise<void> {
    // What is kept free is for the ends of calls.
    if ((await this.wal.closed()) !== undefined) return;
    const counted = this.coalescer.counted(all);
    // A failed append has stopped the server already, and says why.
    await Promise.allSettled(counted.map((record) => this.wal.append(record)));
  }

  /** Newest first, of what `reader` may read; says up to where it is complete. */
  async query(filter: AuditFilter, reader: Reader): Promise<AuditPage> {
    await this.writeCounted(true);
    return this.index.query(filter, reader);
  }

  /** Resolves when everything that is durable now is covered by a kept checkpoint. */
  async checkpoint(): Promise<void> {
    this.wal.settle();
    await this.checkpointer.signNow();
  }

  /** Whom a name means. Rejects with `AmbiguousUser`. */
  identities(user: string): Promise<readonly Identity[]> {
    return this.index.identities(user);
  }

  /** Takes a person's name out of the index; his records stay, by subject. */
  forget(identity: Identity): Promise<void> {
    return this.index.forget(identity);
  }

  /** The highest version of a stored link that is recorded; 0 where none is. */
  linkVersion(id: string): Promise<number> {
    return this.index.linkVersion(id);
  }

  /** Records a new version of a stored link. Resolves only when durable. */
  link(id: string, version: number, detail: Readonly<Record<string, unknown>>): Promise<void> {
    return this.event(LINK_EVENT, { id, version, ...detail });
  }

  /** Makes the index anew from the log. Resolves with the last record that it holds then. */
  reindex(): Promise<number> {
    return this.index.rebuild();
  }

  /** A new signing key; the next checkpoint is signed by both and attests the change. */
  async rotateKey(): Promise<string> {
    const verifier = this.checkpointer.rotate();
    await this.event("key_rotated", { verifier });
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
      await this.index.close();
    }
  }
}

/** Reads a log that nobody writes, into an index that nobody keeps. */
export function readLedger(folder: string, namesOf: NamesOf): LedgerIndex {
  const index_file = ":memory:";
  const onBehind = (): void => undefined;
  const index = new LogIndex({ folder, index_file, log_id: "a reader", namesOf, onBehind });
  index.follow(Number.POSITIVE_INFINITY);
  return index;
}

export function ledgerIndexFile(data: string): string {
  return join(data, "index.sqlite");
}
