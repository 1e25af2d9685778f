// The truth: segments of hash-chained JSON lines, appended by one writer, group-committed.
import { constants, fdatasync, statSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Clock } from "../kernel/clock.ts";
import { Batch } from "./batch.ts";
import type { LedgerRecord } from "./record.ts";
import { LedgerUnavailable, passing } from "./room.ts";
import type { Room } from "./room.ts";
import { BLANK, isCopy, segmentName } from "./segments.ts";
import type { Tail } from "./segments.ts";

/** One open segment. `sync` resolves only when what was written survives a power loss. */
export interface SegmentFile {
  write(bytes: Buffer, at: number): Promise<void>;
  sync(): Promise<void>;
  /** Ends it there: without what a write that failed has left, and without room that is left. */
  cut(size: number): Promise<void>;
  close(): Promise<void>;
}

export interface WalOptions {
  readonly folder: string;
  readonly tail: Tail;
  readonly clock: Clock;
  readonly room: Pick<Room, "open" | "closed" | "close" | "release">;
  readonly segment_bytes_max: number;
  readonly openSegment?: (path: string) => Promise<SegmentFile>;
  /** Makes the names in the folder durable. */
  readonly syncFolder?: (folder: string) => Promise<void>;
  /** Told of each batch before those who wait for it: its last record is durable. */
  readonly onDurable: (to: number) => void;
  /** Told later, once of each batch that is durable, in their order: the bytes of its lines. */
  readonly onLines: (lines: readonly Buffer[]) => void;
  /** A sync failed: the log is poisoned, is never retried, and the server must stop. */
  readonly onFatal: (error: unknown) => void;
}

// Where a batch is written over what is there already, its sync is of those bytes alone: neither
// the file's size changes nor its place on the disk, so no journal needs to be written first.
const AHEAD = Buffer.alloc(524_288, BLANK);

// Asked in this thread for each batch, since it is in memory: another would cost ten times as much.
const STAT = { throwIfNoEntry: false } as const;

/** The end of the log: of what was given out, or of what is on the disk. */
type End = Pick<Tail, "seq" | "hash">;

export class Wal {
  private readonly options: WalOptions;
  private readonly openSegment: (path: string) => Promise<SegmentFile>;
  private file: SegmentFile | undefined;
  private size: number;
  /** Up to here the open segment has bytes, blanks at its end. */
  private filled_to = 0;
  private path: string | undefined;
  /** Of what was given out; what was not written yet is taken back where a write fails. */
  private given: End;
  private time = { ms: Number.NaN, text: "" };
  private written: End;
  private queue: Batch;
  private writing: Promise<void> | undefined;
  private failed: LedgerUnavailable | undefined;
  /** The open segment as the folder names it; nothing while one follows another. */
  private place: { readonly path: string; readonly inode: number } | undefined;
  private untold: Batch | undefined;
  /** Of a batch that is done with: the next one's lines go there. */
  private spare: Buffer | undefined;

  constructor(options: WalOptions) {
    this.options = options;
    this.openSegment = options.openSegment ?? openSegmentFile;
    this.given = options.tail;
    this.written = options.tail;
    this.path = options.tail.path;
    this.size = options.tail.size;
    this.queue = new Batch();
  }

  get healthy(): boolean {
    return this.failed === undefined && this.options.room.open;
  }

  /** Why no call may begin now. */
  closed(): ReturnType<Room["closed"]> {
    return this.failed ?? this.options.room.closed();
  }

  /** Resolves only when the record is durable; rejects when it may not be. */
  append(record: LedgerRecord): Promise<void> {
    if (this.failed !== undefined) return Promise.reject(this.failed);
    const { queue, given } = this;
    const head = { v: 1, seq: given.seq + 1, prev: given.hash, time: this.timeNow() } as const;
    this.given = queue.add(head, record);
    this.writing ??= this.write();
    return queue.durable;
  }

  // Many records have one millisecond.
  private timeNow(): string {
    const now_ms = this.options.clock.now();
    if (now_ms !== this.time.ms) this.time = { ms: now_ms, text: new Date(now_ms).toISOString() };
    return this.time.text;
  }

  /** Waits for everything appended so far, then closes the segment. */
  async close(): Promise<void> {
    while (this.writing !== undefined) await this.writing;
    const sound = this.failed === undefined;
    this.failed ??= new LedgerUnavailable("closed", "the ledger is closed");
    // Room that is left does no harm.
    if (sound) await this.cut(this.size).catch(() => undefined);
    await this.file?.close();
  }

  /** Ends the log as a failed sync does: what is derived from it cannot follow any more. */
  poison(error: unknown): void {
    if (this.failed === undefined) this.fail(error);
  }

  /** The lines of what is durable are told, too: nothing is kept back for a quieter moment. */
  settle(): void {
    const told = this.untold;
    if (told === undefined) return;
    this.untold = undefined;
    this.options.onLines(told.lines);
    this.spare = told.room;
  }

  private async write(): Promise<void> {
    while (this.failed === undefined) {
      // One turn of the event loop later: calls that arrive together share one sync.
      await new Promise(setImmediate);
      if (this.queue.length === 0) break;
      await this.commit(this.takeQueue());
    }
    this.settle();
    this.writing = undefined;
  }

  private takeQueue(): Batch {
    const batch = this.queue;
    this.queue = new Batch(this.spare);
    this.spare = undefined;
    return batch;
  }

  private async commit(batch: Batch): Promise<void> {
    const { bytes } = batch;
    let file: SegmentFile;
    try {
      file = await this.put(bytes, batch.first_seq);
    } catch (error) {
      return this.refuse(error, batch);
    }
    try {
      const synced = file.sync();
      // While the disk works: the hashes of the batch before this one.
      this.settle();
      await synced;
    } catch (error) {
      return this.fail(error, batch);
    }
    this.size += bytes.length;
    this.written = batch.end;
    this.untold = batch;
    this.options.onDurable(batch.end.seq);
    // Durable in a file that nobody can find any more would be acknowledged, and lost.
    const displaced = this.displaced();
    if (displaced !== undefined) return this.reject(displaced, batch);
    batch.resolve();
  }

  // The room that is kept is given up for what has begun: no call begins any more then.
  private async put(bytes: Buffer, first_seq: number): Promise<SegmentFile> {
    try {
      return await this.putOnce(bytes, first_seq);
    } catch (error) {
      if (passing(error)?.reason !== "disk_full" || !this.options.room.release()) throw error;
      await this.cut(this.size);
      return this.putOnce(bytes, first_seq);
    }
  }

  private async putOnce(bytes: Buffer, first_seq: number): Promise<SegmentFile> {
    const file = await this.segmentFor(first_seq);
    await file.write(bytes, this.size);
    await this.fillAfter(file, this.size + bytes.length);
    return file;
  }

  // With the batch that used up what was there, and durable with it. Where there is no room for
  // more than the batch, it goes without.
  private async fillAfter(file: SegmentFile, end: number): Promise<void> {
    const { segment_bytes_max } = this.options;
    if (end <= this.filled_to || end >= segment_bytes_max) return;
    const blanks = AHEAD.subarray(0, segment_bytes_max);
    try {
      await file.write(blanks, end);
      this.filled_to = end + blanks.length;
    } catch (error) {
      if (passing(error) === undefined) throw error;
      await this.cut(end);
    }
  }

  private async cut(size: number): Promise<void> {
    await this.file?.cut(size);
    this.filled_to = size;
  }

  // A write that found no room has changed nothing: what it left is taken back, and whoever waited
  // is told no. Anything else is the end.
  private async refuse(error: unknown, batch: Batch): Promise<void> {
    const why = passing(error);
    if (why === undefined) return this.fail(error, batch);
    try {
      await this.cut(this.size);
    } catch (cause) {
      return this.fail(cause, batch);
    }
    this.options.room.close(why);
    this.reject(why, batch);
  }

  private reject(why: LedgerUnavailable, batch?: Batch): void {
    const { queue } = this;
    this.queue = new Batch();
    this.given = this.written;
    batch?.reject(why);
    queue.reject(why);
  }

  // After a failed sync nobody knows what is on the disk, and asking again would be told "fine".
  private fail(error: unknown, batch?: Batch): void {
    this.failed = new LedgerUnavailable("failed", "the audit log cannot be written", error);
    this.reject(this.failed, batch);
    this.options.onFatal(error);
  }

  // Another file in its place is taken for it when it holds the very same lines: the last one's
  // hash is known here, and through it all before.
  private async takeBack(): Promise<boolean> {
    const { path, size, written } = this;
    if (path === undefined || !isCopy(path, size, written.hash)) return false;
    await this.file?.close();
    const file = (this.file = await this.openIn(path));
    await file.sync().catch((cause: unknown) => {
      // Not one that passes, whatever its code.
      throw new Error("a segment that was put back could not be made durable", { cause });
    });
    return true;
  }

  private displaced(): LedgerUnavailable | undefined {
    const { place } = this;
    if (place === undefined) return undefined;
    const found = statSync(place.path, STAT);
    if (found?.ino === place.inode && found.size >= this.size) return undefined;
    // What comes back may be anything, also in its old place: only its lines tell.
    this.place = { path: place.path, inode: Number.NaN };
    const message = `${place.path} was removed, replaced or cut while it was written: put it back`;
    return new LedgerUnavailable("segment_missing", message);
  }

  private async segmentFor(first_seq: number): Promise<SegmentFile> {
    const displaced = this.displaced();
    if (displaced !== undefined && !(await this.takeBack())) throw displaced;
    if (this.file !== undefined && this.size < this.options.segment_bytes_max) return this.file;
    const full = this.size >= this.options.segment_bytes_max;
    await this.cut(this.size);
    const ended = this.file;
    this.file = undefined;
    this.place = undefined;
    await ended?.close();
    if (this.path === undefined || full) {
      this.path = join(this.options.folder, segmentName(first_seq));
      this.size = 0;
    }
    this.file = await this.openIn(this.path);
    return this.file;
  }

  private async openIn(path: string): Promise<SegmentFile> {
    const file = await this.openSegment(path);
    await (this.options.syncFolder ?? syncFolder)(this.options.folder);
    this.filled_to = this.size;
    const inode = statSync(path, STAT)?.ino;
    if (inode !== undefined) this.place = { path, inode };
    return file;
  }
}

/** A segment as a file: written in place, and durable after `fdatasync`. */
export async function openSegmentFile(path: string): Promise<SegmentFile> {
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
  return {
    write: async (bytes, at) => writeAll(handle.fd, bytes, at),
    sync: () => dataSync(handle.fd),
    cut: (size) => handle.truncate(size),
    close: () => handle.close(),
  };
}

// By callback: it stands on every call's way twice, and the promise API costs three times it.
const dataSync = promisify(fdatasync);

// Into the page cache, which takes microseconds; a way to a thread and back takes ten times that,
// and a turn of the event loop. The disk itself is waited for in `sync`, never here.
function writeAll(fd: number, bytes: Buffer, at: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(fd, bytes, done, bytes.length - done, at + done);
  }
}

// A new file's name is durable only when its folder is.
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } catch (error) {
    // Not one that passes, whatever its code.
    throw new Error("a new segment's name could not be made durable", { cause: error });
  } finally {
    await handle.close();
  }
}
