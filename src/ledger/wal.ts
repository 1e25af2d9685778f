// The truth: segments of hash-chained JSON lines, appended by one writer, group-committed.
import { fdatasync, statSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Clock } from "../kernel/clock.ts";
import { Batch } from "./batch.ts";
import type { LedgerRecord, Line } from "./record.ts";
import { LedgerUnavailable, passing } from "./room.ts";
import type { Room } from "./room.ts";
import { isCopy, segmentName } from "./segments.ts";
import type { Tail } from "./segments.ts";

/** One open segment. `sync` resolves only when what was appended survives a power loss. */
export interface SegmentFile {
  append(bytes: Buffer): Promise<void>;
  sync(): Promise<void>;
  /** Takes back what an append that failed has left. */
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
  /** Told once of each batch, after it is durable: its last record, and its lines' bytes. */
  readonly onDurable: (to: number, leaves: readonly Buffer[]) => void;
  /** A sync failed: the log is poisoned, is never retried, and the server must stop. */
  readonly onFatal: (error: unknown) => void;
}

/** The end of the log: of what was given out, or of what is on the disk. */
type End = Pick<Tail, "seq" | "hash">;

export class Wal {
  private readonly options: WalOptions;
  private readonly openSegment: (path: string) => Promise<SegmentFile>;
  private file: SegmentFile | undefined;
  private size: number;
  private path: string | undefined;
  /** Of what was given out; what was not written yet is taken back where a write fails. */
  private given: End;
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
  async closed(): Promise<LedgerUnavailable | undefined> {
    return this.failed ?? (await this.options.room.closed());
  }

  /** Resolves only when the record is durable; rejects when it may not be. */
  append(record: LedgerRecord): Promise<void> {
    if (this.failed !== undefined) return Promise.reject(this.failed);
    const time = new Date(this.options.clock.now()).toISOString();
    const { seq: before, hash: prev } = this.given;
    const line: Line = { v: 1, seq: before + 1, prev, time, ...record };
    return new Promise((resolve, reject) => {
      this.given = this.queue.add(line.seq, JSON.stringify(line), { resolve, reject });
      this.writing ??= this.write();
    });
  }

  /** Waits for everything appended so far, then closes the segment. */
  async close(): Promise<void> {
    while (this.writing !== undefined) await this.writing;
    this.failed ??= new LedgerUnavailable("closed", "the ledger is closed");
    await this.file?.close();
  }

  /** Ends the log as a failed sync does: what is derived from it cannot follow any more. */
  poison(error: unknown): void {
    if (this.failed === undefined) this.fail(error);
  }

  /** What is durable is also told of: nothing is kept back for a quieter moment. */
  settle(): void {
    const told = this.untold;
    if (told === undefined) return;
    this.untold = undefined;
    this.options.onDurable(told.end.seq, told.lines);
    this.spare = told.room;
  }

  private async write(): Promise<void> {
    // One turn of the event loop later: calls that arrive together share one sync.
    await new Promise(setImmediate);
    while (this.queue.length > 0 && this.failed === undefined) {
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
      await this.file?.cut(this.size);
      return this.putOnce(bytes, first_seq);
    }
  }

  private async putOnce(bytes: Buffer, first_seq: number): Promise<SegmentFile> {
    const file = await this.segmentFor(first_seq);
    await file.append(bytes);
    return file;
  }

  // A write that found no room has changed nothing: what it left is taken back, and whoever waited
  // is told no. Anything else is the end.
  private async refuse(error: unknown, batch: Batch): Promise<void> {
    const why = passing(error);
    if (why === undefined) return this.fail(error, batch);
    try {
      await this.file?.cut(this.size);
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
    this.file = await this.openIn(path);
    await this.file.sync();
    return true;
  }

  private displaced(): LedgerUnavailable | undefined {
    const { place } = this;
    if (place === undefined || inodeOf(place.path) === place.inode) return undefined;
    const message = `${place.path} was removed or replaced while it was written: put it back`;
    return new LedgerUnavailable("segment_missing", message);
  }

  private async segmentFor(first_seq: number): Promise<SegmentFile> {
    const displaced = this.displaced();
    if (displaced !== undefined && !(await this.takeBack())) throw displaced;
    if (this.file !== undefined && this.size < this.options.segment_bytes_max) return this.file;
    const full = this.size >= this.options.segment_bytes_max;
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
    const inode = inodeOf(path);
    if (inode !== undefined) this.place = { path, inode };
    return file;
  }
}

// In this thread, since it is asked for each batch and is in memory; another would cost ten times
// as much.
function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

/** A segment as a file: appended to, and durable after `fdatasync`. */
export async function openSegmentFile(path: string): Promise<SegmentFile> {
  const handle = await open(path, "a", 0o600);
  return {
    append: async (bytes) => writeAll(handle.fd, bytes),
    sync: () => dataSync(handle.fd),
    cut: (size) => handle.truncate(size),
    close: () => handle.close(),
  };
}

// By callback: it stands on every call's way twice, and the promise API costs three times it.
const dataSync = promisify(fdatasync);

// Into the page cache, which takes microseconds; a way to a thread and back takes ten times that,
// and a turn of the event loop. The disk itself is waited for in `sync`, never here.
function writeAll(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
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
