// Room on the ledger's disk: asked before a call begins, and kept for the ends of those that have.
// What is kept is a file of real bytes beside the segments, given up when a write finds no room.
import { truncateSync } from "node:fs";
import { access, constants, open, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../kernel/clock.ts";

export type UnavailableCause =
  | "disk_full"
  | "read_only"
  | "segment_missing"
  | "sink_behind"
  | "failed"
  | "closed";

/** Nothing may be acknowledged now. Only `failed` and `closed` last until a restart. */
export class LedgerUnavailable extends Error {
  override readonly name = "LedgerUnavailable";
  readonly reason: UnavailableCause;
  constructor(reason: UnavailableCause, message: string, cause?: unknown) {
    super(message, { cause });
    this.reason = reason;
  }
}

/** Errors of a write or of opening a file that go away with their cause; never those of a sync. */
const PASSING: Readonly<Record<string, UnavailableCause>> = {
  ENOSPC: "disk_full",
  EDQUOT: "disk_full",
  EROFS: "read_only",
  EACCES: "read_only",
  ENOENT: "segment_missing",
};

const SAYS: Readonly<Record<string, string>> = {
  disk_full: "the audit log's disk is full",
  read_only: "the audit log's folder is read-only",
  segment_missing: "the audit log's folder is gone: put it back",
};

/** The refusal that an error stands for, where it can pass; else nothing. */
export function passing(error: unknown): LedgerUnavailable | undefined {
  if (error instanceof LedgerUnavailable) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const reason = PASSING[code];
  if (reason === undefined) return undefined;
  return new LedgerUnavailable(reason, SAYS[reason] ?? reason, error);
}

export interface RoomOptions {
  readonly folder: string;
  readonly clock: Clock;
  /** With less free than this no call begins. */
  readonly disk_free_bytes_min: number;
  /** For the ends of all calls that can run at once. */
  readonly reserve_bytes: number;
}

const ASKED_EVERY_MS = 1000;
export const RESERVE = "reserve";
const CHUNK_BYTES = 1_048_576;
const BLOCK_BYTES = 4096;
const BLOCKS = [0xff, 0].map((byte) => Buffer.alloc(BLOCK_BYTES, byte));

export class Room {
  private readonly options: RoomOptions;
  private readonly reserve: string;
  private asked_ms = Number.NEGATIVE_INFINITY;
  private answer: LedgerUnavailable | undefined;
  private asking: Promise<void> | undefined;

  constructor(options: RoomOptions) {
    this.options = options;
    this.reserve = join(options.folder, RESERVE);
  }

  /** As far as is known: nobody is asked. */
  get open(): boolean {
    return this.answer === undefined;
  }

  /** Why no call may begin; at once, but about once a second, when the disk is asked. */
  closed(): LedgerUnavailable | undefined | Promise<LedgerUnavailable | undefined> {
    if (this.options.clock.monotonic() - this.asked_ms < ASKED_EVERY_MS) return this.answer;
    this.asking ??= this.ask().finally(() => (this.asking = undefined));
    return this.asking.then(() => this.answer);
  }

  /** A write was refused: no call begins until the disk has been asked again. */
  close(why: LedgerUnavailable): void {
    this.asked_ms = this.options.clock.monotonic();
    this.answer = why;
  }

  /** Gives up what is kept; false where nothing is. */
  release(): boolean {
    if (this.options.reserve_bytes === 0) return false;
    try {
      truncateSync(this.reserve, 0);
      return true;
    } catch {
      return false;
    }
  }

  private async ask(): Promise<void> {
    const { clock } = this.options;
    this.answer = await this.look().catch((error: unknown) => passing(error) ?? unasked(error));
    this.asked_ms = clock.monotonic();
  }

  private async look(): Promise<LedgerUnavailable | undefined> {
    const { folder, disk_free_bytes_min, reserve_bytes } = this.options;
    await access(folder, constants.W_OK);
    const { bavail, bsize } = await statfs(folder);
    const kept = reserve_bytes === 0 ? 0 : await sizeOf(this.reserve);
    const missing = reserve_bytes - kept;
    if (bavail * bsize < disk_free_bytes_min + missing) {
      const needed = `${disk_free_bytes_min + missing} bytes are needed`;
      const found = `${bavail * bsize} bytes are free on the audit log's disk, and ${needed}`;
      return new LedgerUnavailable("disk_full", found);
    }
    if (missing > 0) await this.keep();
    return undefined;
  }

  // Written, since there is no other way to take room for good from within Node.
  private async keep(): Promise<void> {
    const handle = await open(this.reserve, "w", 0o600);
    try {
      for (let left = this.options.reserve_bytes; left > 0; left -= CHUNK_BYTES) {
        await handle.write(Buffer.alloc(Math.min(left, CHUNK_BYTES), 0xff));
      }
    } catch (error) {
      await handle.truncate(0);
      throw error;
    } finally {
      await handle.close();
    }
  }
}

/** Whether these are the bytes that `keep` writes, some of which a power loss may have taken. */
export function isReserve(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    if (!BLOCKS.some((one) => one.subarray(0, block.length).equals(block))) return false;
  }
  return true;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

function unasked(error: unknown): LedgerUnavailable {
  return new LedgerUnavailable("failed", "the audit log's disk cannot be asked for room", error);
}
