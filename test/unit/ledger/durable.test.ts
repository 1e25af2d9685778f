// Durability: nothing resolves before its sync, and a disk that failed once is never trusted again.
import { copyFileSync, readFileSync, renameSync } from "node:fs";
import { describe, expect } from "vitest";
import { verifyFiles } from "../../../scripts/verify-ledger.ts";
import { verifies } from "../../verifies.ts";
import { testFolder } from "../../setup/minimal.ts";
import { FIRST_PREV } from "../../../src/ledger/record.ts";
import { Room } from "../../../src/ledger/room.ts";
import { BLANK, segmentsOf } from "../../../src/ledger/segments.ts";
import { verifyLedger } from "../../../src/ledger/verify.ts";
import { freeBytesMin } from "../../../src/ledger/free.ts";
import { openSegmentFile, Wal } from "../../../src/ledger/wal.ts";
import type { SegmentFile } from "../../../src/ledger/wal.ts";
import { call, HeldDisk, intent, linesOf, opened, outcome, settle, testClock } from "./entries.ts";

async function onDisk(disk: HeldDisk) {
  return opened(testFolder(), { openSegment: disk.open });
}

describe("group commit", () => {
  verifies("ledger.intent-first", "an intent resolves after its sync and not before", async () => {
    const disk = new HeldDisk();
    const { ledger } = await onDisk(disk);
    disk.hold();
    let durable = false;
    const written = ledger.intent(intent("a")).then(() => (durable = true));
    await disk.reached(2);
    expect(disk.events).toEqual(["write 1", "sync"]);
    expect(durable).toBe(false);
    disk.release();
    await written;
    expect(durable).toBe(true);
  });

  verifies(
    "ledger.outcome-first",
    "an outcome resolves after its sync and not before",
    async () => {
      const disk = new HeldDisk();
      const { ledger } = await onDisk(disk);
      await ledger.intent(intent("a"));
      disk.hold();
      let durable = false;
      const written = ledger.outcome(outcome("a")).then(() => (durable = true));
      await disk.reached(4);
      expect(durable).toBe(false);
      disk.release();
      await written;
    },
  );

  verifies("ledger.intent-first", "what comes while a sync runs shares the next one", async () => {
    const disk = new HeldDisk();
    const { ledger, folder } = await onDisk(disk);
    disk.hold();
    const first = ledger.intent(intent("a"));
    await disk.reached(2);
    const rest = ["b", "c", "d"].map((id) => ledger.intent(intent(id)));
    await settle();
    expect(disk.events).toEqual(["write 1", "sync"]);
    disk.release();
    await Promise.all([first, ...rest]);
    expect(disk.events).toEqual(["write 1", "sync", "write 3", "sync"]);
    expect(linesOf(folder).map((line) => line["call_id"])).toEqual(["a", "b", "c", "d"]);
  });
});

describe("room that is made ahead", () => {
  verifies("ledger.chain", "is white space, and only in the segment that is open", async () => {
    const { ledger, folder } = await opened(testFolder(), { segment_bytes_max: 2000 });
    for (const id of ["a", "b", "c"]) await call(ledger, id);
    const texts = segmentsOf(folder).map((path) => readFileSync(path, "utf8"));
    const open = texts.pop() ?? "";
    expect(texts.length).toBeGreaterThan(0);
    for (const text of texts) expect(text).toMatch(/\}\n$/);
    expect(open).toMatch(/\}\n\t+$/);
    await ledger.checkpoint();
    // Whoever looks while it runs.
    expect([verifyLedger(folder).problems, verifyFiles(folder).problems]).toEqual([[], []]);
    await ledger.close();
    expect(readFileSync(segmentsOf(folder).at(-1) ?? "", "utf8")).toMatch(/\}\n$/);
  });

  verifies("ledger.no-sink-no-call", "and where there is none, is given up for lines", async () => {
    let room = 300;
    const openSegment = async (path: string): Promise<SegmentFile> => {
      const file = await openSegmentFile(path);
      const write = async (bytes: Buffer, at: number): Promise<void> => {
        const isRoom = bytes[0] === BLANK;
        if (!isRoom) return file.write(bytes, at);
        await file.write(bytes.subarray(0, room), at);
        if (bytes.length > room) throw Object.assign(new Error("no room"), { code: "ENOSPC" });
      };
      return { ...file, write };
    };
    const { ledger, folder, fatal } = await opened(testFolder(), { openSegment });
    await call(ledger, "a");
    expect(readFileSync(segmentsOf(folder)[0] ?? "", "utf8")).toMatch(/\}\n$/);
    room = Number.POSITIVE_INFINITY;
    await call(ledger, "b");
    expect(readFileSync(segmentsOf(folder)[0] ?? "", "utf8")).toMatch(/\}\n\t+$/);
    expect(fatal).toEqual([]);
    expect(linesOf(folder)).toHaveLength(4);
  });

  verifies("ledger.no-sink-no-call", "keeps nothing of what was refused", async () => {
    let full = false;
    const openSegment = async (path: string): Promise<SegmentFile> => {
      const file = await openSegmentFile(path);
      const write = async (bytes: Buffer, at: number): Promise<void> => {
        await file.write(bytes, at);
        if (full) throw Object.assign(new Error("no room"), { code: "ENOSPC" });
      };
      return { ...file, write };
    };
    const { ledger, folder } = await opened(testFolder(), { openSegment });
    await call(ledger, "a");
    full = true;
    const refused = ["b", "c"].map((id) => ledger.intent(intent(id)));
    for (const one of await Promise.allSettled(refused)) expect(one.status).toBe("rejected");
    expect(linesOf(folder).map((line) => line["call_id"])).toEqual(["a", "a"]);
  });
});

describe("a disk that fails", () => {
  for (const fail of ["write", "sync"] as const) {
    verifies(
      "ledger.no-sink-no-call",
      `in ${fail} poisons the log: told once, refused for ever, never tried again`,
      async () => {
        const disk = new HeldDisk();
        const { ledger, fatal } = await onDisk(disk);
        await call(ledger, "a");
        disk.fail = fail;
        disk.events.length = 0;
        await expect(ledger.intent(intent("b"))).rejects.toThrow(/cannot be written/);
        const tried = [...disk.events];
        disk.fail = undefined;
        await expect(ledger.intent(intent("c"))).rejects.toThrow(/cannot be written/);
        await expect(ledger.outcome(outcome("b"))).rejects.toThrow(/cannot be written/);
        await expect(ledger.event("stopped", {})).rejects.toThrow(/cannot be written/);
        expect(disk.events).toEqual(tried);
        expect(fatal).toHaveLength(1);
        expect(ledger.healthy).toBe(false);
      },
    );
  }

  verifies("ledger.no-sink-no-call", "fails everything that waited for it", async () => {
    const disk = new HeldDisk();
    const { ledger, fatal } = await onDisk(disk);
    disk.hold();
    const first = ledger.intent(intent("a"));
    await disk.reached(2);
    const second = ledger.intent(intent("b"));
    disk.fail = "sync";
    disk.release();
    await first;
    await expect(second).rejects.toThrow(/cannot be written/);
    expect(fatal).toHaveLength(1);
  });

  verifies("ledger.no-sink-no-call", "keeps room for outcomes when it is nearly full", async () => {
    const { ledger, folder } = await opened(testFolder(), {
      disk_free_bytes_min: Number.MAX_SAFE_INTEGER,
    });
    await expect(ledger.intent(intent("a"))).rejects.toThrow(/bytes are free on the audit log/);
    await ledger.outcome(outcome("running"));
    expect(linesOf(folder).map((line) => line["kind"])).toEqual(["outcome"]);
    expect(ledger.healthy).toBe(false);
  });

  verifies("ledger.no-sink-no-call", "keeps a share of a small disk, and 256 MiB at most", () => {
    const of = (mib: number): number =>
      freeBytesMin(undefined, "/", () => ({ blocks: mib * 256, bsize: 4096 })) / 1_048_576;
    expect([64, 1024, 2048, 1_000_000].map(of)).toEqual([8, 128, 256, 256]);
    expect(of(0)).toBe(256);
    expect(freeBytesMin(7, "/", () => ({ blocks: 0, bsize: 0 }))).toBe(7);
  });

  verifies(
    "ledger.no-sink-no-call",
    "a segment that is not open yet is not a segment that was removed",
    async () => {
      const reached = Promise.withResolvers<void>();
      const held = Promise.withResolvers<void>();
      const paths: string[] = [];
      const openSegment = async (path: string): Promise<SegmentFile> => {
        if (paths.push(path) === 2) {
          reached.resolve();
          await held.promise;
        }
        return openSegmentFile(path);
      };
      const fatal: unknown[] = [];
      const clock = testClock();
      const folder = testFolder();
      const wal = new Wal({
        folder,
        tail: { seq: 0, hash: FIRST_PREV, path: undefined, size: 0, cut_bytes: 0 },
        clock,
        segment_bytes_max: 1,
        room: new Room({ folder, clock, disk_free_bytes_min: 0, reserve_bytes: 0 }),
        openSegment,
        onDurable: () => undefined,
        onLines: () => undefined,
        onFatal: (error) => void fatal.push(error),
      });
      await wal.append(intent("a"));
      const rolling = wal.append(intent("b"));
      await reached.promise;
      clock.ms += 2000;
      expect(await wal.closed()).toBeUndefined();
      held.resolve();
      await rolling;
      await wal.close();
      expect(fatal).toEqual([]);
    },
  );

  verifies("ledger.no-sink-no-call", "a sync of what was put back never passes", async () => {
    const folder = testFolder();
    let opens = 0;
    const openSegment = async (path: string): Promise<SegmentFile> => {
      const file = await openSegmentFile(path);
      if (++opens === 1) return file;
      const full = Object.assign(new Error("no room"), { code: "ENOSPC" });
      return { ...file, sync: () => Promise.reject(full) };
    };
    const { ledger, fatal } = await opened(folder, { openSegment });
    await call(ledger, "a");
    const [path = ""] = segmentsOf(folder);
    copyFileSync(path, `${path}.copy`);
    renameSync(`${path}.copy`, path);
    await expect(ledger.intent(intent("b"))).rejects.toThrow(/cannot be written/);
    expect(fatal).toHaveLength(1);
    expect(ledger.healthy).toBe(false);
  });

  verifies("ledger.no-sink-no-call", "closed is closed", async () => {
    const { ledger } = await opened();
    await ledger.close();
    expect(ledger.healthy).toBe(false);
    await expect(ledger.intent(intent("a"))).rejects.toThrow();
  });
});
