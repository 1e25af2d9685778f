// A disk that has no room, cannot be written, or loses the log's file: what is refused, what is
// kept, and that it goes on when the cause is gone.
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { openNoteFile } from "../../src/ledger/checkpoint-log.ts";
import type { NoteFile } from "../../src/ledger/checkpoint-log.ts";
import type { LedgerOptions } from "../../src/ledger/ledger.ts";
import { LedgerUnavailable } from "../../src/ledger/room.ts";
import { segmentsOf } from "../../src/ledger/segments.ts";
import { verifyLedger } from "../../src/ledger/verify.ts";
import { openSegmentFile } from "../../src/ledger/wal.ts";
import type { SegmentFile } from "../../src/ledger/wal.ts";
import { testFolder } from "../setup/minimal.ts";
import { mountDisk, noSmallDisk } from "../setup/small-disk.ts";
import type { SmallDisk } from "../setup/small-disk.ts";
import { call, intent, linesOf, opened, outcome, refusalOf } from "../unit/ledger/entries.ts";
import { textOf } from "../unit/ledger/entries.ts";
import type { Opened } from "../unit/ledger/entries.ts";
import { verifies } from "../verifies.ts";

const MIB = 1_048_576;
const RUNNING = 20;
const MISSING = { reason: "segment_missing" };

type Limits = Partial<Pick<LedgerOptions, "reserve_bytes" | "disk_free_bytes_min">>;

async function onSmallDisk(options: Limits = {}): Promise<Opened & { disk: SmallDisk }> {
  const disk = mountDisk(8);
  onTestFinished(() => disk.remove());
  const folder = join(disk.path, "ledger");
  mkdirSync(folder);
  const keys_folder = testFolder();
  const limits = { disk_free_bytes_min: 2 * MIB, reserve_bytes: MIB, segment_bytes_max: MIB };
  return { ...(await opened(folder, { ...limits, keys_folder, ...options })), disk };
}

/** Calls until one is refused; what was acknowledged. */
async function callUntilRefused({ ledger, clock }: Opened) {
  const acked: string[] = [];
  for (let i = 0; i < 100_000; i++) {
    clock.ms += 1000;
    const id = `call-${i}`;
    try {
      await ledger.intent(intent(id, { args: { text: "x".repeat(20_000) } }));
    } catch (error) {
      if (!(error instanceof LedgerUnavailable)) throw error;
      return { acked, error };
    }
    acked.push(id);
    await ledger.outcome(outcome(id));
  }
  throw new Error("it was never refused");
}

function idsIn(folder: string, kind: string): unknown[] {
  return linesOf(folder)
    .filter((line) => line["kind"] === kind)
    .map((line) => line["call_id"]);
}

describe("checkpoints that are not in their place", () => {
  verifies("ledger.no-sink-no-call", "stop calls until they are put back", async () => {
    const { ledger, folder } = await opened();
    const file = join(folder, "checkpoints");
    await call(ledger, "a");
    await ledger.checkpoint();
    const kept = readFileSync(file);
    for (const gone of [() => rmSync(file), () => writeFileSync(`${file}.new`, "")]) {
      gone();
      if (existsSync(`${file}.new`)) renameSync(`${file}.new`, file);
      await ledger.event("started", {});
      expect(await ledger.checkpoint()).toBe(false);
      expect(ledger.healthy).toBe(false);
      await expect(ledger.intent(intent("no"))).rejects.toMatchObject(MISSING);
    }
    // Neither one that only ends alike, nor one that is only as long.
    const end = kept.toString("utf8").replace(/.{9}\n---\n$/, "AAAAAAAAA\n---\n");
    for (const other of [Buffer.concat([kept, kept]), Buffer.from(end)]) {
      writeFileSync(file, other);
      expect(await ledger.checkpoint()).toBe(false);
    }
    writeFileSync(file, kept);
    expect(await ledger.checkpoint()).toBe(true);
    await call(ledger, "b");
    await ledger.close();
    expect(verifyLedger(folder)).toMatchObject({ intact: true, problems: [] });
    expect(textOf(folder)).toContain('"audit_unavailable"');
  });
});

describe("checkpoints that go while one is written", () => {
  verifies("ledger.signed", "do not count, and stand there once when they are back", async () => {
    let whileSynced = (): void => undefined;
    const openNotes = async (folder: string): Promise<NoteFile> => {
      const file = await openNoteFile(folder);
      const sync = async (): Promise<void> => {
        await file.sync();
        whileSynced();
      };
      return { ...file, sync };
    };
    const { ledger, folder } = await opened(testFolder(), { openNotes });
    const file = join(folder, "checkpoints");
    await call(ledger, "a");
    whileSynced = () => renameSync(file, `${file}.away`);
    expect(await ledger.checkpoint()).toBe(false);
    whileSynced = () => undefined;
    renameSync(`${file}.away`, file);
    expect(await ledger.checkpoint()).toBe(true);
    await ledger.close();
    expect(verifyLedger(folder)).toMatchObject({ intact: true, covered_to: 2, problems: [] });
  });
});

describe("a disk that fills", () => {
  verifies(
    "ledger.no-sink-no-call",
    "begins no call any more, ends those that run, and serves again when there is room",
    async () => {
      const open = await onSmallDisk();
      const { ledger, folder, clock, fatal, disk } = open;
      for (let i = 0; i < RUNNING; i++) await ledger.intent(intent(`running-${i}`));
      const { acked, error } = await callUntilRefused(open);
      expect(error.reason).toBe("disk_full");
      expect(ledger.healthy).toBe(false);
      // Somebody else takes all that was left free.
      const filler = disk.fill();
      const big = { result: { text: "y".repeat(40_000) } };
      for (let i = 0; i < RUNNING; i++) await ledger.outcome(outcome(`running-${i}`, big));
      expect(idsIn(folder, "intent")).toEqual(expect.arrayContaining(acked));
      expect(new Set(idsIn(folder, "outcome"))).toEqual(new Set(idsIn(folder, "intent")));
      await expect(ledger.intent(intent("no"))).rejects.toThrow(LedgerUnavailable);
      rmSync(filler);
      clock.ms += 1000;
      // What was there before still fills it, and no room is kept now.
      await expect(ledger.intent(intent("no"))).rejects.toMatchObject({ reason: "disk_full" });
      expect(fatal).toEqual([]);
      await ledger.close();
      expect(verifyLedger(folder)).toMatchObject({ intact: true, problems: [] });
    },
    { skip: noSmallDisk },
  );

  verifies(
    "ledger.no-sink-no-call",
    "and is full to the last byte takes nothing, loses nothing, and goes on after",
    async () => {
      const open = await onSmallDisk({ reserve_bytes: 0, disk_free_bytes_min: 0 });
      const { ledger, folder, clock, fatal, disk } = open;
      await call(ledger, "before");
      const filler = disk.fill();
      const { acked, error } = await callUntilRefused(open);
      expect(error.reason).toBe("disk_full");
      expect(idsIn(folder, "intent")).toEqual(["before", ...acked]);
      rmSync(filler);
      clock.ms += 1000;
      await call(ledger, "after");
      await call(ledger, "and on");
      expect(fatal).toEqual([]);
      await ledger.close();
      expect(verifyLedger(folder)).toMatchObject({ intact: true, problems: [] });
      expect(idsIn(folder, "outcome").slice(-2)).toEqual(["after", "and on"]);
      const events = linesOf(folder).filter((line) => line["event"] === "audit_unavailable");
      expect(events.map((line) => line["detail"])).toMatchObject([{ cause: "disk_full" }]);
    },
    { skip: noSmallDisk },
  );

  verifies(
    ["ledger.no-sink-no-call", "ledger.signed"],
    "and has no room for a checkpoint gets it later, also that of a changed key",
    async () => {
      let full = false;
      const openNotes = async (folder: string): Promise<NoteFile> => {
        const file = await openNoteFile(folder);
        const append = async (bytes: Buffer): Promise<void> => {
          if (!full) return file.append(bytes);
          await file.append(bytes.subarray(0, 20));
          throw Object.assign(new Error("no room"), { code: "ENOSPC" });
        };
        return { ...file, append };
      };
      const { ledger, folder, fatal } = await opened(testFolder(), { openNotes });
      await call(ledger, "before");
      await ledger.checkpoint();
      const public_keys = join(testFolder(), "first.pub");
      cpSync(join(folder, "keys.pub"), public_keys);
      await ledger.rotateKey();
      full = true;
      await ledger.checkpoint();
      expect(verifyLedger(folder)).toMatchObject({ covered_to: 2, problems: [] });
      full = false;
      await call(ledger, "after");
      await ledger.checkpoint();
      expect(fatal).toEqual([]);
      await ledger.close();
      // Whoever knows the first key alone is led to the second.
      const whole = { intact: true, covered_to: 5, problems: [] };
      expect(verifyLedger(folder, { public_keys })).toMatchObject(whole);
    },
  );

  verifies(
    "ledger.signed",
    "and holds the keys keeps no checkpoint from being signed",
    async () => {
      const disk = mountDisk(1);
      onTestFinished(() => disk.remove());
      const open = await opened(testFolder(), { keys_folder: join(disk.path, "keys") });
      const { ledger, folder, fatal } = open;
      const filler = disk.fill();
      await call(ledger, "a");
      expect(await ledger.checkpoint()).toBe(true);
      rmSync(filler);
      await call(ledger, "b");
      expect(await ledger.checkpoint()).toBe(true);
      expect(fatal).toEqual([]);
      await ledger.close();
      rmSync(join(folder, "checkpoints"));
      const again = opened(folder, { keys_folder: join(disk.path, "keys") });
      await expect(again).rejects.toThrow(/a checkpoint at 4 was signed/);
    },
    { skip: noSmallDisk },
  );

  verifies(
    "ledger.no-sink-no-call",
    "is not filled by refusals: a hundred thousand take less than a megabyte",
    async () => {
      const digestOf = (): string => "hmac-sha256:of-it";
      const { ledger, folder, clock } = await opened(undefined, { digestOf });
      const text = "x".repeat(8000);
      for (let i = 0; i < 100_000; i++) {
        clock.ms += 11; // As slowly as one client is refused that asks for too much.
        const error_code = i % 4 === 0 ? "unknown_tool" : "rate_limited";
        await ledger.refusal(refusalOf(`r-${i}`, { error_code, args: { text, id: i } }));
      }
      await ledger.close();
      const bytes = segmentsOf(folder).reduce((sum, path) => sum + statSync(path).size, 0);
      expect(bytes).toBeLessThan(1_000_000);
      const counts = linesOf(folder);
      expect(counts.reduce((sum, line) => sum + Number(line["count"]), 0)).toBe(100_000);
    },
  );
});

describe("a folder that cannot be written", () => {
  verifies(
    "ledger.no-sink-no-call",
    "refuses calls and names the cause, and goes on when it can be",
    async () => {
      let readOnly = false;
      const openSegment = async (path: string): Promise<SegmentFile> => {
        const file = await openSegmentFile(path);
        const write = (bytes: Buffer, at: number): Promise<void> => {
          if (!readOnly) return file.write(bytes, at);
          return Promise.reject(Object.assign(new Error("EROFS"), { code: "EROFS" }));
        };
        return { ...file, write };
      };
      const { ledger, folder, clock, fatal } = await opened(testFolder(), { openSegment });
      await call(ledger, "before");
      await ledger.intent(intent("running"));
      readOnly = true;
      await expect(ledger.intent(intent("a"))).rejects.toMatchObject({ reason: "read_only" });
      await expect(ledger.outcome(outcome("running"))).rejects.toThrow(LedgerUnavailable);
      expect(ledger.healthy).toBe(false);
      readOnly = false;
      clock.ms += 1000;
      await call(ledger, "after");
      expect(fatal).toEqual([]);
      await ledger.close();
      expect(idsIn(folder, "intent")).toEqual(["before", "running", "after"]);
      expect(verifyLedger(folder).intact).toBe(true);
      // What could not be recorded then is said now.
      expect((await opened(folder)).recovery).toEqual({ cut_bytes: 0, orphans: 1 });
    },
  );

  test("a start on a read-only disk says so", { skip: noSmallDisk !== undefined }, async () => {
    const disk = mountDisk(4);
    onTestFinished(() => disk.remove());
    disk.remount("ro");
    await expect(opened(disk.path, { keys_folder: testFolder() })).rejects.toThrow(/EROFS/);
  });
});

describe("a segment that is not in its place any more", () => {
  verifies("ledger.no-sink-no-call", "takes no call, and goes on when it is put back", async () => {
    const { ledger, folder, clock, fatal } = await opened();
    await call(ledger, "before");
    await ledger.intent(intent("running"));
    const [path = ""] = segmentsOf(folder);
    renameSync(path, `${path}.away`);
    await expect(ledger.intent(intent("a"))).rejects.toMatchObject(MISSING);
    await expect(ledger.outcome(outcome("running"))).rejects.toMatchObject(MISSING);
    writeFileSync(path, "");
    clock.ms += 1000;
    await expect(ledger.intent(intent("b"))).rejects.toMatchObject(MISSING);
    renameSync(`${path}.away`, path);
    clock.ms += 1000;
    await call(ledger, "after");
    expect(fatal).toEqual([]);
    await ledger.close();
    expect(idsIn(folder, "intent")).toEqual(["before", "running", "after"]);
    expect(verifyLedger(folder).intact).toBe(true);
  });

  verifies("ledger.no-sink-no-call", "nor its lines: the same", async () => {
    const { ledger, folder, clock } = await opened();
    await call(ledger, "before");
    const [path = ""] = segmentsOf(folder);
    const older = readFileSync(path);
    await call(ledger, "since");
    const whole = readFileSync(path);
    truncateSync(path, 100);
    await expect(ledger.intent(intent("a"))).rejects.toMatchObject(MISSING);
    writeFileSync(path, older);
    clock.ms += 1000;
    await expect(ledger.intent(intent("b"))).rejects.toMatchObject(MISSING);
    writeFileSync(path, whole);
    clock.ms += 1000;
    await call(ledger, "after");
    await ledger.close();
    expect(verifyLedger(folder)).toMatchObject({ intact: true, records: 7, problems: [] });
  });

  verifies("ledger.no-sink-no-call", "nor its folder: the same", async () => {
    const { ledger, folder, clock, fatal } = await opened(testFolder(), { segment_bytes_max: 1 });
    await call(ledger, "before");
    renameSync(folder, `${folder}.away`);
    clock.ms += 1000;
    await expect(ledger.intent(intent("a"))).rejects.toMatchObject(MISSING);
    renameSync(`${folder}.away`, folder);
    clock.ms += 1000;
    await call(ledger, "after");
    expect(fatal).toEqual([]);
    await ledger.close();
    expect(verifyLedger(folder)).toMatchObject({ intact: true, problems: [] });
  });

  verifies("ledger.no-sink-no-call", "is believed again as a copy, and as no other", async () => {
    const { ledger, folder, clock, fatal } = await opened();
    await call(ledger, "before");
    const [path = ""] = segmentsOf(folder);
    const whole = readFileSync(path);
    rmSync(path);
    await expect(ledger.intent(intent("a"))).rejects.toMatchObject(MISSING);
    const forged = Buffer.from(whole.toString("utf8").replace('"ada"', '"bob"'));
    const lines = whole.subarray(0, whole.lastIndexOf("\n") + 1);
    const torn = Buffer.concat([lines, Buffer.from('{"v":1,')]);
    for (const other of [forged, lines.subarray(0, -1), torn, Buffer.concat([lines, lines])]) {
      writeFileSync(path, other);
      clock.ms += 1000;
      await expect(ledger.intent(intent("b"))).rejects.toMatchObject(MISSING);
    }
    writeFileSync(path, whole);
    clock.ms += 1000;
    await call(ledger, "after");
    expect(fatal).toEqual([]);
    await ledger.close();
    expect(idsIn(folder, "intent")).toEqual(["before", "after"]);
    expect(verifyLedger(folder)).toMatchObject({ intact: true, problems: [] });
  });

  verifies("ledger.no-sink-no-call", "acknowledges nothing that was written after", async () => {
    const held = Promise.withResolvers<void>();
    const syncing = Promise.withResolvers<void>();
    let hold = false;
    const openSegment = async (path: string): Promise<SegmentFile> => {
      const file = await openSegmentFile(path);
      const sync = async (): Promise<void> => {
        await file.sync();
        if (!hold) return;
        syncing.resolve();
        await held.promise;
      };
      return { ...file, sync };
    };
    const { ledger, folder, clock } = await opened(testFolder(), { openSegment });
    await call(ledger, "before");
    hold = true;
    const written = ledger.intent(intent("a"));
    await syncing.promise;
    const [path = ""] = segmentsOf(folder);
    renameSync(path, `${path}.away`);
    held.resolve();
    hold = false;
    await expect(written).rejects.toMatchObject(MISSING);
    renameSync(`${path}.away`, path);
    clock.ms += 1000;
    // What nobody was told of stands there, and the chain goes on after it.
    await call(ledger, "after");
    await ledger.close();
    expect(idsIn(folder, "intent")).toEqual(["before", "a", "after"]);
    expect(verifyLedger(folder).problems).toEqual([]);
  });
});
