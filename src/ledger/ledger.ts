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
import { askedOf, LINK_EVENT, withDigests } from "./query.ts";
import type { AuditFilter, AuditPage, DigestOf, Identity, LedgerIndex } from "./query.ts";
import type { NamesOf, Reader } from "./query.ts";
import { Owed } from "./owed.ts";
import type { Intent, OutcomeRecord, RefusalRecord, ReplayRecord } from "./record.ts";
import { expiredSegments, removeDropped } from "./retention.ts";
import { LedgerUnavailable, Room } from "./room.ts";
import { recover } from "./segments.ts";
import type { Tail } from "./segments.ts";
import { walkSigned } from "./signed-walk.ts";
import { Copies } from "./sink.ts";
import type { SinkPlace } from "./sink.ts";
import { placeTombstone, readTombstone } from "./tombstone.ts";
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
  readonly digestOf: DigestOf;
  /** Where the derived index is kept; not in the ledger's folder, which is evidence. */
  readonly index_file: string;
  readonly clock: Clock;
  readonly sinks: readonly SinkPlace[];
  /** Where the sinks' cursors are kept. */
  readonly cursors_folder: string;
  /** Without it, nothing is ever dropped. */
  readonly keep_days?: number | undefined;
  /** Whether anybody is under a legal hold: then nothing is dropped. */
  readonly isHeld: () => boolean;
  readonly segment_bytes_max: number;
  readonly disk_free_bytes_min: number;
  /** Room on the disk that is kept for the ends of running calls. */
  readonly reserve_bytes: number;
  readonly onFatal: (error: unknown) => void;
  readonly openSegment?: (path: string) => Promise<SegmentFile>;
  readonly room?: WalOptions["room"];
  readonly syncFolder?: (folder: string) => Promise<void>;
  readonly openNotes?: (folder: string) => Promise<NoteFile>;
  /** An operator's order, which he records: what was signed may be gone, a tombstone unsigned. */
  readonly accept_loss?: boolean;
  /** Without it, the index is in this thread. */
  readonly openIndex?: (options: LogIndexOptions) => Promise<LedgerIndex>;
}

/** What a start found and mended. */
export interface Recovery {
  readonly cut_bytes: number;
  readonly orphans: number;
}

const COUNTED_EVERY_MS = 5000;
const RETAINED_EVERY_MS = 600_000;
const DAY_MS = 86_400_000;

/** Opens the log in `folder`, recovers it, and writes outcomes for calls that a crash cut off. */
export async function openLedger(
  options: LedgerOptions,
): Promise<{ ledger: Ledger; recovery: Recovery }> {
  const onFailed = (error: unknown): void => wal.poison(error);
  // An anchor may fail before the log is open, on a full disk, or at the very end.
  const { promise: whenOpen, resolve: isOpen } = Promise.withResolvers<Ledger>();
  const anchoring = createAnchoring({
    ...options,
    onChange: (state) => void whenOpen.then((log) => log.eventually("anchor", { ...state })),
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
      begun: await walkSigned(options.folder, checkpointer, options),
      leaf: (raw) => checkpointer.replay(raw),
      durable_to: () => Math.max(index.held, checkpointer.known_size),
      signed_to: () =>
        options.accept_loss === true ? Number.POSITIVE_INFINITY : checkpointer.known_size,
    });
    checkpointer.mustBeKnown();
    // Only now: a tombstone that nobody signed removes nothing.
    removeDropped(options.folder);
    index.follow(tail.seq);
    const stone = readTombstone(options.folder);
    if (stone !== undefined) await index.drop(stone.dropped_to);
    orphans = await index.orphans();
  } catch (error) {
    await index.close().catch(() => undefined);
    await checkpointer.abandon();
    throw error;
  }
  const copies = new Copies({
    ...options,
    log_id: checkpointer.log_id,
    onChange: (state) => {
      ledger.event("sink", { ...state }).catch(() => undefined);
    },
  });
  copies.follow(tail.seq);
  const onDurable = (to: number): void => {
    index.follow(to);
    copies.follow(to);
  };
  const onLines = (lines: readonly Buffer[]): void => checkpointer.follow(lines);
  const room = new Room(options);
  const wal = new Wal({ room, ...options, tail, onDurable, onLines });
  const ledger = new Ledger({ wal, room, index, checkpointer, copies, options });
  const recovery = { cut_bytes: tail.cut_bytes, orphans: orphans.length };
  try {
    // What is kept on the disk for the ends of calls is there before there are any.
    await wal.closed();
    await Promise.all(orphans.map((call_id) => ledger.outcome(unknownOutcome(call_id))));
    if (tail.cut_bytes > 0 || orphans.length > 0) await ledger.event("recovered", { ...recovery });
    isOpen(ledger);
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
  readonly room: Room;
  readonly index: LedgerIndex;
  readonly checkpointer: Checkpointer;
  readonly copies: Copies;
  readonly options: Pick<
    LedgerOptions,
    "clock" | "folder" | "keep_days" | "isHeld" | "log" | "digestOf"
  >;
}

export class Ledger {
  private readonly wal: Wal;
  private readonly room: Room;
  private readonly index: LedgerIndex;
  private readonly checkpointer: Checkpointer;
  private readonly coalescer: Coalescer;
  private readonly timer: NodeJS.Timeout;
  private readonly copies: Copies;
  private readonly options: Parts["options"];
  private retention: NodeJS.Timeout | undefined;
  private closing = false;
  private readonly owed: Owed;
  private interrupted: LedgerEvents["audit_unavailable"] | undefined;

  constructor({ wal, room, index, checkpointer, copies, options }: Parts) {
    this.options = options;
    this.copies = copies;
    this.wal = wal;
    this.room = room;
    this.index = index;
    this.checkpointer = checkpointer;
    this.coalescer = new Coalescer(options.clock, (one) => wal.append(one), options.digestOf);
    this.owed = new Owed((record) => wal.append(record));
    // What was only counted is written when its window ends, asked or not.
    this.timer = setInterval(() => void this.writeCounted(false), COUNTED_EVERY_MS).unref();
    if (options.keep_days === undefined) return;
    const retain = (): void => {
      this.retain().catch((err: unknown) => options.log.error({ err }, "nothing could be dropped"));
    };
    this.retention = setInterval(retain, RETAINED_EVERY_MS).unref();
  }

  /** False while it takes no calls; that passes with its cause, but for a failed sync. */
  get healthy(): boolean {
    return this.wal.healthy && this.besides() === undefined && !this.closing;
  }

  /** Resolves only when durable. Else, or where there is no room, rejects `LedgerUnavailable`. */
  async intent(record: Intent | ReplayRecord): Promise<void> {
    const known = this.wal.closed();
    const why = (known instanceof Promise ? await known : known) ?? this.besides();
    if (why !== undefined) throw this.interrupt(why);
    try {
      await this.wal.append(record);
    } catch (error) {
      throw this.interrupt(error);
    }
    this.resume();
  }

  /** Why no call may begin, though the log itself can be written. */
  private besides(): LedgerUnavailable | undefined {
    return this.checkpointer.closed() ?? this.copies.closed();
  }

  private interrupt(error: unknown): unknown {
    const cause = error instanceof LedgerUnavailable ? error.reason : "failed";
    const since = new Date(this.options.clock.now()).toISOString();
    this.interrupted ??= { cause, since };
    return error;
  }

  // That nothing could be recorded for a while is recorded, as soon as anything can be.
  private resume(): void {
    const { interrupted } = this;
    if (interrupted === undefined) return;
    this.interrupted = undefined;
    void this.eventually("audit_unavailable", interrupted);
  }

  /** Resolves only when durable; takes the room that `intent` keeps. */
  outcome(record: OutcomeRecord): Promise<void> {
    return this.wal.append(record);
  }

  /** Durable, or counted into a record that will be: no loop fills the disk with refusals. */
  async refusal(record: RefusalRecord): Promise<void> {
    if ((await this.wal.closed()) !== undefined) return this.coalescer.hold(record);
    await this.writeCounted(false);
    await this.coalescer.write(record);
  }

  async event<Name extends EventName>(event: Name, detail: LedgerEvents[Name]): Promise<void> {
    // What is owed happened before.
    if (this.owed.isOwing) await this.owed.write();
    await this.wal.append({ kind: "event", event, detail } as LedgerEvent);
  }

  /** Of what holds already, whatever becomes of its record. Whether it is durable now. */
  eventually<Name extends EventName>(event: Name, detail: LedgerEvents[Name]): Promise<boolean> {
    return this.owed.add({ kind: "event", event, detail } as LedgerEvent);
  }

  /** Gives up what is kept for the ends of calls, for what may not wait either. */
  makeRoom(): boolean {
    return this.room.release();
  }

  private async writeCounted(all: boolean): Promise<void> {
    await this.owed.write();
    // What is kept free is for the ends of calls.
    if ((await this.wal.closed()) !== undefined) return;
    await this.coalescer.writeCounted(all);
  }

  /**
   * Newest first, of what `reader` may read; says up to where it is complete. That somebody read
   * his own records, or his tenant's, is on record before he gets them; an operator's reading is
   * recorded where his name is known.
   */
  async query(filter: AuditFilter, reader: Reader): Promise<AuditPage> {
    await this.writeCounted(true);
    const { digestOf } = this.options;
    if (reader.kind !== "operator") {
      const asked = askedOf(filter, (text) => digestOf(reader.tenant, text));
      await this.event("audit_read", { reader: { ...reader }, filter: asked });
    }
    return this.index.query(await withDigests(filter, reader, this.index, digestOf), reader);
  }

  /** Whether everything that is durable now is covered by a kept checkpoint then. */
  checkpoint(): Promise<boolean> {
    this.wal.settle();
    return this.checkpointer.signNow();
  }

  /** What tools said in a call, sealed. */
  toolLog(call_id: string): Promise<readonly unknown[]> {
    return this.index.toolLog(call_id);
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

  /**
   * Drops whole segments that are older than they are to be kept; says so in the log first. Nothing
   * while anybody is under a legal hold, or a sink lacks it. Resolves with the last record dropped.
   */
  async retain(): Promise<number> {
    const { clock, folder, keep_days, isHeld } = this.options;
    if (keep_days === undefined || isHeld()) return 0;
    await this.checkpoint();
    const to = Math.min(this.checkpointer.kept_size, this.copies.copied_to);
    const expired = expiredSegments(folder, clock.now() - keep_days * DAY_MS, to);
    if (expired === undefined) return 0;
    const { dropped_to, segments } = expired;
    const stone = await this.index.tombstoneAt(dropped_to);
    await this.event("retention", { dropped_to, hash: stone.hash, segments });
    // Nothing goes before that is signed, else it is not told from what was taken away.
    if (!(await this.checkpoint())) return 0;
    placeTombstone(folder, stone);
    await this.index.drop(dropped_to);
    removeDropped(folder);
    return dropped_to;
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
    clearInterval(this.retention);
    await this.writeCounted(true);
    try {
      await this.wal.close();
    } finally {
      await this.checkpointer.close();
      await this.copies.close();
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
