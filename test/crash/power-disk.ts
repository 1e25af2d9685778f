// A disk whose power can be cut: what was appended but not synced is gone afterwards, wholly or up
// to some byte. kill -9 shows nothing of this, since the page cache survives the process.
import { truncateSync } from "node:fs";
import { openSegmentFile } from "../../src/ledger/wal.ts";
import type { SegmentFile } from "../../src/ledger/wal.ts";

/** What a writer may be wrong in; `none` is the real one. */
export type Fault = "none" | "no sync" | "answers before the sync";

export class PowerDisk {
  /** Bytes that would survive, and bytes that were written, by path. */
  private readonly files = new Map<string, { synced: number; size: number }>();
  private readonly fault: Fault;
  private appends_left: number;
  private isOff = false;

  /** The power goes while the last of `appends` is written: before its sync. */
  constructor(fault: Fault, appends: number) {
    this.fault = fault;
    this.appends_left = appends;
  }

  /** Nothing is written any more, and nothing that was not synced by then is kept. */
  get off(): boolean {
    return this.isOff;
  }

  readonly open = async (path: string): Promise<SegmentFile> => {
    const file = await openSegmentFile(path);
    const size = (this.files.get(path) ?? { size: 0 }).size;
    const state = { synced: size, size };
    this.files.set(path, state);
    const sync = async (): Promise<void> => {
      const { size: upTo } = state;
      await file.sync();
      if (!this.isOff) state.synced = upTo;
    };
    return {
      append: async (bytes) => {
        if (this.isOff) throw new Error("no power");
        await file.append(bytes);
        state.size += bytes.length;
        this.appends_left--;
        if (this.appends_left === 0) this.isOff = true;
      },
      sync: async () => {
        if (this.isOff) throw new Error("no power");
        if (this.fault === "none") await sync();
        else if (this.fault === "answers before the sync") void sync();
        // A sync that came back after the cut told nobody anything.
        if (this.isOff) throw new Error("no power");
      },
      cut: (bytes) => file.cut(bytes),
      close: () => file.close(),
    };
  };

  /** The power is back: each file ends somewhere between what was synced and what was written. */
  restore(random: () => number): number {
    let lost = 0;
    for (const [path, { synced, size }] of this.files) {
      const kept = synced + Math.floor(random() * (size - synced + 1));
      truncateSync(path, kept);
      lost += size - kept;
    }
    return lost;
  }
}
