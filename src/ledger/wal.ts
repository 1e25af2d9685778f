// The truth: segments of hash-chained JSON lines, appended by one writer, group-committed.
import { hash } from "node:crypto";
import { fdatasync, writeSync } from "node:fs";
import { open, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Clock } from "../kernel/clock.ts";
import type { LedgerRecord, Line } from "./record.ts";
import { segmentName } from "./segments.ts";
import type { Tail } from "./segments.ts";

/** One open segment. `sync` resolves only when what was appended survives a power loss. */
export interface SegmentFile {
  append(bytes: Buffer): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface WalOptions {
  readonly folder: string;
  readonly tail: Tail;
  readonly clock: Clock;
  readonly segment_bytes_max: number;
  readonly disk_free_bytes_min: number;
  readonly openSegment?: (path: string) => Promise<SegmentFile>;
  /** Told once of each batch, after it is durable: its last record, and its lines' bytes. */
  readonly onDurable: (to: number, leaves: readonly Buffer[]) => void;
  /** A write or sync failed: the log is poisoned, is never retried, and the server must stop. */
  readonly onFatal: (error: unknown) => void;
}

interface Waiting {
  readonly seq: number;
  /** With its newline. */
  readonly bytes: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const DISK_ASKED_EVERY_MS = 1000;

export class Wal {
  private readonly options: WalOptions;
  private readonly openSegment: (path: string) => Promise<SegmentFile>;
  private file: SegmentFile | undefined;
  private size: number;
  private path: string | undefined;
  private seq: number;
  private prev: string;
  private queue: Waiting[] = [];
  private writing: Promise<void> | undefined;
  private failed: Error | undefined;
  /** The open segment as the folder names it; nothing while one follows another. */
  private place: { readonly path: string; readonly inode: number } | undefined;
  private room = { asked_at_ms: Number.NEGATIVE_INFINITY, enough: true };

  constructor(options: WalOptions) {
    this.options = options;
    this.openSegment = options.openSegment ?? openSegmentFile;
    this.seq = options.tail.seq;
    this.prev = options.tail.hash;
    this.path = options.tail.path;
    this.size = options.tail.size;
  }

  get healthy(): boolean {
    return this.failed === undefined;
  }

  /** The last sequence number that was given out; it may still be on its way to the disk. */
  get last(): number {
    return this.seq;
  }

  /** False while the disk has less room than is kept for the outcomes of running calls. */
  async hasRoom(): Promise<boolean> {
    const now = this.options.clock.monotonic();
    if (now - this.room.asked_at_ms >= DISK_ASKED_EVERY_MS) {
      const { bavail, bsize } = await statfs(this.options.folder);
      this.room = {
        asked_at_ms: now,
        enough: bavail * bsize >= this.options.disk_free_bytes_min,
      };
      await this.mustBeInPlace();
    }
    return this.room.enough;
  }

  // Writing on into a file that nobody can find any more would be durable, and lost.
  private async mustBeInPlace(): Promise<void> {
    const { place } = this;
    if (place === undefined) return;
    const inode = await inodeOf(place.path);
    if (place !== this.place || inode === place.inode) return;
    const gone = new Error(`${place.path} was removed or replaced while it was written`);
    this.poison(gone);
    throw gone;
  }

  /** Resolves only when the record is durable; rejects when it may not be. */
  append(record: LedgerRecord): Promise<void> {
    if (this.failed !== undefined) return Promise.reject(this.failed);
    const time = new Date(this.options.clock.now()).toISOString();
    const line: Line = { v: 1, seq: this.seq + 1, prev: this.prev, time, ...record };
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    this.seq++;
    this.prev = hash("sha256", bytes.subarray(0, -1), "hex");
    return new Promise((resolve, reject) => {
      this.queue.push({ seq: line.seq, bytes, resolve, reject });
      this.writing ??= this.write();
    });
  }

  /** Waits for everything appended so far, then closes the segment. */
  async close(): Promise<void> {
    while (this.writing !== undefined) await this.writing;
    this.failed ??= new Error("the ledger is closed");
    await this.file?.close();
  }

  private async write(): Promise<void> {
    // One turn of the event loop later: calls that arrive together share one sync.
    await new Promise(setImmediate);
    while (this.queue.length > 0 && this.failed === undefined) {
      const batch = this.queue;
      this.queue = [];
      await this.commit(batch);
    }
    this.writing = undefined;
  }

  private async commit(batch: readonly Waiting[]): Promise<void> {
    try {
      const bytes = Buffer.concat(batch.map((waiting) => waiting.bytes));
      const file = await this.segmentFor(batch[0]?.seq ?? 0);
      await file.append(bytes);
      await file.sync();
      this.size += bytes.length;
    } catch (error) {
      return this.fail(error, batch);
    }
    for (const waiting of batch) waiting.resolve();
    const leaves = batch.map(({ bytes }) => bytes.subarray(0, -1));
    this.options.onDurable(batch.at(-1)?.seq ?? 0, leaves);
  }

  /** Ends the log as a failed write does: what is derived from it cannot follow any more. */
  poison(error: unknown): void {
    if (this.failed === undefined) this.fail(error, []);
  }

  // After a failed sync nobody knows what is on the disk, and asking again would be told "fine".
  private fail(error: unknown, batch: readonly Waiting[]): void {
    this.failed = new Error("the ledger cannot be written", { cause: error });
    for (const waiting of [...batch, ...this.queue]) waiting.reject(this.failed);
    this.queue = [];
    this.options.onFatal(error);
  }

  private async segmentFor(first_seq: number): Promise<SegmentFile> {
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
    this.file = await this.openSegment(this.path);
    const inode = await inodeOf(this.path);
    if (inode !== undefined) this.place = { path: this.path, inode };
    return this.file;
  }
}

async function inodeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.ino;
}

/** A segment as a file: appended to, and durable after `fdatasync`. */
export async function openSegmentFile(path: string): Promise<SegmentFile> {
  const handle = await open(path, "a", 0o600);
  await syncFolder(join(path, ".."));
  return {
    append: async (bytes) => writeAll(handle.fd, bytes),
    sync: () => dataSync(handle.fd),
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
  } finally {
    await handle.close();
  }
}
