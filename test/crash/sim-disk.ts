// A disk that a seed decides about: when the power goes, which syncs and writes fail, and which of
// what was not synced is there afterwards. Files lie in a real folder, so that what reads them is
// the real thing; what would survive is kept beside, write by write.
import { existsSync, readFileSync, statSync, truncateSync } from "node:fs";
import { openSync, closeSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NoteFile } from "../../src/ledger/checkpoint-log.ts";
import type { SegmentFile } from "../../src/ledger/wal.ts";
import { writeAt } from "../setup/write-at.ts";

/** The process is gone with the power: whoever waits now waits for ever. */
export class PowerLost extends Error {
  override readonly name = "PowerLost";
}

type Change =
  | { readonly kind: "write"; readonly at: number; readonly bytes: Buffer; lost: boolean }
  | { readonly kind: "cut"; readonly size: number };

interface File {
  durable: Buffer;
  changes: Change[];
  /** Its name would survive. */
  named: boolean;
}

export interface Plan {
  /** The power goes with this step of the disk; 0 for never. */
  readonly steps: number;
  /** How likely a write finds no room, and a sync fails. */
  readonly full: number;
  readonly eio: number;
}

const SECTOR = 256;

export class SimDisk {
  private readonly random: () => number;
  private readonly plan: Plan;
  private readonly files = new Map<string, File>();
  private taken = 0;
  private failed_syncs = 0;
  off = false;

  constructor(random: () => number, plan: Plan) {
    this.random = random;
    this.plan = plan;
  }

  /** The power went, or a sync failed: what is on it is not what was written. */
  get broken(): boolean {
    return this.off || this.failed_syncs > 0;
  }

  // Before or after the thing itself; and it takes a while, so that others come between.
  private async step(work: () => void): Promise<void> {
    if (this.off) throw new PowerLost();
    for (let turns = Math.floor(this.random() * 3); turns > 0; turns--) {
      await new Promise(setImmediate);
      if (this.off) throw new PowerLost();
    }
    this.taken++;
    const last = this.taken === this.plan.steps;
    if (last && this.random() < 0.5) this.off = true;
    if (this.off) throw new PowerLost();
    work();
    if (last) this.off = true;
    if (this.off) throw new PowerLost();
  }

  readonly openSegment = async (path: string): Promise<SegmentFile> => {
    await this.create(path);
    return {
      write: (bytes, at) => this.write(path, bytes, at),
      sync: () => this.sync(path),
      cut: (size) => this.cut(path, size),
      close: () => Promise.resolve(),
    };
  };

  readonly openNotes = async (folder: string): Promise<NoteFile> => {
    const path = join(folder, "checkpoints");
    await this.create(path);
    await this.syncFolder();
    return {
      tail: () => Promise.resolve({ bytes: readFileSync(path), at: 0 }),
      truncate: (size) => this.cut(path, size),
      append: (bytes) => this.write(path, bytes, statSync(path).size),
      sync: () => this.sync(path),
      close: () => Promise.resolve(),
    };
  };

  private create(path: string): Promise<void> {
    return this.step(() => {
      const named = existsSync(path);
      closeSync(openSync(path, "a", 0o600));
      // What is there before it is opened has survived; a recovery may have cut it, durably.
      if (this.files.has(path)) return;
      this.files.set(path, { durable: readFileSync(path), changes: [], named });
    });
  }

  readonly syncFolder = (): Promise<void> =>
    this.step(() => {
      for (const file of this.files.values()) file.named = true;
    });

  private write(path: string, bytes: Buffer, at: number): Promise<void> {
    return this.step(() => {
      const full = this.random() < this.plan.full;
      const some = full ? bytes.subarray(0, Math.floor(this.random() * bytes.length)) : bytes;
      writeAt(path, some, at);
      this.file(path).changes.push({ kind: "write", at, bytes: Buffer.from(some), lost: false });
      if (full) throw Object.assign(new Error("no room"), { code: "ENOSPC" });
    });
  }

  private cut(path: string, size: number): Promise<void> {
    return this.step(() => {
      truncateSync(path, size);
      this.file(path).changes.push({ kind: "cut", size });
    });
  }

  private async sync(path: string): Promise<void> {
    const file = this.file(path);
    const before = file.changes.length;
    await this.step(() => {
      if (this.random() < this.plan.eio) {
        // What was to be written is dropped and called clean: another sync would find nothing.
        this.failed_syncs++;
        for (const change of file.changes) if (change.kind === "write") change.lost = true;
        throw Object.assign(new Error("the disk is broken"), { code: "EIO" });
      }
      for (const change of file.changes.splice(0, before)) {
        if (change.kind === "cut") file.durable = resized(file.durable, change.size);
        else if (!change.lost) file.durable = written(file.durable, change);
      }
    });
  }

  private file(path: string): File {
    const file = this.files.get(path);
    if (file === undefined) throw new Error(`${path} was never opened`);
    return file;
  }

  /** The power is back. Any subset of what was not synced is there, by the sector. */
  restore(): void {
    for (const [path, file] of this.files) {
      if (!file.named && this.random() < 0.5) {
        rmSync(path, { force: true });
        continue;
      }
      let bytes = file.durable;
      const mood = this.random();
      for (const change of file.changes) {
        // Metadata comes in its order, or not at all.
        if (change.kind === "cut" && this.random() < 0.3) break;
        if (change.kind === "cut") bytes = resized(bytes, change.size);
        else if (mood < 0.25) bytes = written(bytes, change);
        else if (mood < 0.5) bytes = this.some(bytes, change);
        else if (mood < 0.75 && this.random() < 0.5) bytes = written(bytes, change);
      }
      writeFileSync(path, bytes);
    }
  }

  private some(bytes: Buffer, { at, bytes: all }: { at: number; bytes: Buffer }): Buffer {
    let out = bytes;
    for (let from = 0; from < all.length; from += SECTOR) {
      if (this.random() < 0.3) continue;
      const part = all.subarray(from, from + Math.ceil(this.random() * SECTOR));
      out = written(out, { at: at + from, bytes: part });
    }
    return out;
  }
}

function resized(bytes: Buffer, size: number): Buffer {
  return size <= bytes.length
    ? Buffer.from(bytes.subarray(0, size))
    : Buffer.concat([bytes, Buffer.alloc(size - bytes.length)]);
}

function written(bytes: Buffer, { at, bytes: part }: { at: number; bytes: Buffer }): Buffer {
  const out = resized(bytes, Math.max(bytes.length, at + part.length));
  part.copy(out, at);
  return out;
}
