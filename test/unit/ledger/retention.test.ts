// Retention: whole segments go, a tombstone stays, and both verifiers tell what was dropped from
// what was taken away.
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeEach, describe, expect } from "vitest";
import { verifyFiles } from "../../../scripts/verify-ledger.ts";
import { openNoteFile } from "../../../src/ledger/checkpoint-log.ts";
import type { NoteFile } from "../../../src/ledger/checkpoint-log.ts";
import { LedgerUnavailable } from "../../../src/ledger/room.ts";
import type { Sink } from "../../../src/ledger/sink.ts";
import { repairLedger } from "../../../src/ledger/repair.ts";
import { tombstoneAt } from "../../../src/ledger/retention.ts";
import { LedgerDamaged, segmentName } from "../../../src/ledger/segments.ts";
import { segmentsIn, segmentsOf } from "../../../src/ledger/segments.ts";
import { TOMBSTONE } from "../../../src/ledger/tombstone.ts";
import type { Tombstone } from "../../../src/ledger/tombstone.ts";
import { verifyLedger } from "../../../src/ledger/verify.ts";
import { testFolder } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";
import { asked, call, HeldDisk, inFolder, intent, linesOf, opened } from "./entries.ts";
import type { Opened } from "./entries.ts";

const DAY_MS = 86_400_000;
// Nobody pulls the plug here: what is written need not be waited for.
const OPTIONS = { segment_bytes_max: 3000, keep_days: 30, openSegment: new HeldDisk().open };

/** A call a day for a hundred days. */
async function hundredDays(options: Partial<Parameters<typeof opened>[1]> = {}): Promise<Opened> {
  const index_file = inFolder(testFolder(), "index.sqlite");
  const open = await opened(testFolder(), { ...OPTIONS, index_file, ...options });
  for (let day = 0; day < 100; day++) {
    await call(open.ledger, `day-${day}`);
    open.clock.ms += DAY_MS;
  }
  return open;
}

/** What both verifiers find. */
function problemsIn(folder: string): string[] {
  const ours = verifyLedger(folder).problems.map(({ message }) => message);
  return [...ours, ...verifyFiles(folder).problems];
}

async function idsOf({ ledger }: Opened): Promise<string[]> {
  return (await asked(ledger, { limit: 1000 })).records.map(({ call_id }) => call_id);
}

describe("retention", () => {
  verifies("ledger.retention", "drops whole segments that are older, and only those", async () => {
    const open = await hundredDays();
    const before = segmentsOf(open.folder);
    const dropped_to = await open.ledger.retain();
    expect(dropped_to).toBeGreaterThan(100);
    const after = segmentsOf(open.folder);
    expect(after.length).toBeLessThan(before.length);
    expect(before.slice(-after.length)).toEqual(after);
    // Everything of the last thirty days is there; what is older is at most a segment of it.
    const ids = await idsOf(open);
    for (let day = 71; day < 100; day++) expect(ids).toContain(`day-${day}`);
    expect(ids).not.toContain("day-60");
    expect(readdirSync(open.folder)).not.toContain(segmentName(1));
  });

  verifies("ledger.retention", "leaves a log that both verifiers find whole", async () => {
    const { ledger, folder } = await hundredDays();
    const dropped_to = await ledger.retain();
    await call(ledger, "after");
    await ledger.close();
    expect(problemsIn(folder)).toEqual([]);
    const verified = verifyLedger(folder);
    expect(verified).toMatchObject({ intact: true, dropped_to });
    expect(verified.covered_to).toBe(verified.chained_to);
    expect(verifyFiles(folder)).toMatchObject({ dropped_to, covered_to: verified.covered_to });
  });

  verifies("ledger.retention", "says in the log what it drops, before it does", async () => {
    const { ledger, folder } = await hundredDays();
    const dropped_to = await ledger.retain();
    const said = linesOf(folder).filter((line) => line["event"] === "retention");
    expect(said).toHaveLength(1);
    const segments = expect.arrayContaining([segmentName(1)]) as unknown;
    expect(said[0]?.["detail"]).toMatchObject({ dropped_to, segments });
  });

  verifies("ledger.retention", "can come again, after restarts and with more calls", async () => {
    const first = await hundredDays();
    await first.ledger.retain();
    await first.ledger.close();
    const { folder, clock } = first;
    const second = await opened(folder, { ...OPTIONS, clock });
    for (let day = 100; day < 200; day++) {
      await call(second.ledger, `day-${day}`);
      clock.ms += DAY_MS;
    }
    const dropped_to = await second.ledger.retain();
    expect(dropped_to).toBeGreaterThan(250);
    await second.ledger.close();
    expect(problemsIn(folder)).toEqual([]);
    const third = await opened(folder, { ...OPTIONS, clock });
    expect(third.recovery).toEqual({ cut_bytes: 0, orphans: 0 });
    expect(await idsOf(third)).toContain("day-199");
    expect(await third.ledger.reindex()).toBeGreaterThan(dropped_to);
  });

  verifies("ledger.retention", "drops nothing while anybody is under a legal hold", async () => {
    const { ledger } = await hundredDays({ isHeld: () => true });
    expect(await ledger.retain()).toBe(0);
  });

  verifies("ledger.retention", "drops nothing that a sink has not copied", async () => {
    const sink: Sink = { put: () => Promise.reject(new Error("no")) };
    const sinks = [{ name: "siem", sink, required: false, lag_ms_max: 1e12 }];
    const { ledger } = await hundredDays({ sinks });
    expect(await ledger.retain()).toBe(0);
  });

  verifies("ledger.retention", "drops nothing before it is signed that it went", async () => {
    let full = false;
    const openNotes = async (folder: string): Promise<NoteFile> => {
      const file = await openNoteFile(folder);
      const append = (bytes: Buffer): Promise<void> =>
        full ? Promise.reject(new LedgerUnavailable("disk_full", "full")) : file.append(bytes);
      return { ...file, append };
    };
    const { ledger, folder } = await hundredDays({ openNotes });
    await ledger.checkpoint();
    full = true;
    expect(await ledger.retain()).toBe(0);
    expect(readdirSync(folder)).not.toContain(TOMBSTONE);
    full = false;
    expect(await ledger.retain()).toBeGreaterThan(100);
    await ledger.close();
    expect(problemsIn(folder)).toEqual([]);
  });

  verifies("ledger.retention", "without keep_days drops nothing", async () => {
    const { ledger } = await hundredDays({ keep_days: undefined });
    expect(await ledger.retain()).toBe(0);
  });

  verifies("ledger.retention", "is finished by a start, where a crash came between", async () => {
    const open = await hundredDays();
    const { folder, clock, ledger } = open;
    const kept = segmentsOf(folder).map((path) => [path, readFileSync(path)] as const);
    await ledger.retain();
    await ledger.close();
    const left = segmentsOf(folder);
    for (const [path, bytes] of kept) if (!left.includes(path)) writeFileSync(path, bytes);
    expect(readdirSync(folder)).toContain(segmentName(1));
    expect(problemsIn(folder)).toEqual([]);
    const again = await opened(folder, { ...OPTIONS, clock });
    expect(readdirSync(folder)).not.toContain(segmentName(1));
    await call(again.ledger, "after");
    await again.ledger.close();
    expect(problemsIn(folder)).toEqual([]);
  });

  verifies("ledger.retention", "lets a start believe an older checkpoint than it", async () => {
    const { folder, clock, ledger } = await hundredDays();
    await ledger.checkpoint();
    const signed = join(`${folder}-keys`, "ledger-signed");
    const remembered = readFileSync(signed);
    expect(await ledger.retain()).toBeGreaterThan(100);
    for (let day = 100; day < 200; day++) {
      await call(ledger, `day-${day}`);
      clock.ms += DAY_MS;
    }
    expect(await ledger.retain()).toBeGreaterThan(200);
    await ledger.close();
    // What was overwritten without a sync may stand there again after a power loss.
    writeFileSync(signed, remembered);
    const again = await opened(folder, { ...OPTIONS, clock });
    await again.ledger.close();
    expect(readFileSync(signed)).not.toEqual(remembered);
  });

  verifies("ledger.retention", "a call that was running meanwhile can still end", async () => {
    const open = await hundredDays();
    await open.ledger.intent(intent("running"));
    await open.ledger.retain();
    await open.ledger.close();
    const again = await opened(open.folder, { ...OPTIONS, clock: open.clock });
    expect(again.recovery.orphans).toBe(1);
    await again.ledger.close();
    expect(problemsIn(open.folder)).toEqual([]);
  });
});

describe("what was taken away is not what was dropped:", () => {
  let folder: string;
  beforeEach(async () => {
    const open = await hundredDays();
    folder = open.folder;
    await open.ledger.retain();
    await open.ledger.close();
    expect(problemsIn(folder)).toEqual([]);
  });

  const bend = (change: (stone: Record<string, unknown>) => object): void => {
    const file = `${folder}/tombstone.json`;
    const stone = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify(change(stone)));
  };

  function bothFind(): void {
    expect(verifyLedger(folder).intact).toBe(false);
    expect(verifyFiles(folder).problems).not.toEqual([]);
  }

  const DAMAGES: Readonly<Record<string, (file: string, bytes: Buffer) => void>> = {
    missing: () => undefined,
    empty: (file) => writeFileSync(file, ""),
    garbage: (file) => writeFileSync(file, Buffer.from("\u0000{}\n[7]\n\u00ff")),
    "JSON, and nothing of ours": (file) => writeFileSync(file, "null\n"),
    "cut in half": (file, bytes) => writeFileSync(file, bytes.subarray(0, bytes.length / 2)),
    "a folder": (file) => mkdirSync(file),
    "a link to itself": (file) => symlinkSync(file, file),
  };
  for (const [what, damage] of Object.entries(DAMAGES)) {
    verifies(["ledger.retention", "ledger.chain"], `nor is any file of it ${what}`, () => {
      const public_keys = join(testFolder(), "given.pub");
      const anchor = join(testFolder(), "anchor");
      cpSync(join(folder, "keys.pub"), public_keys);
      cpSync(join(folder, "checkpoints"), anchor);
      const files = [...readdirSync(folder).map((name) => join(folder, name)), public_keys, anchor];
      for (const file of files) {
        // What an anchor kept first holds as well without what it kept later.
        if (file === anchor && what === "cut in half") continue;
        const bytes = readFileSync(file);
        rmSync(file);
        damage(file, bytes);
        const given = file === join(folder, "keys.pub") ? {} : { public_keys };
        const ours = verifyLedger(folder, { ...given, anchors: [anchor] });
        const other = verifyFiles(folder, given.public_keys, [anchor]);
        // A copy need not have the log's own name.
        const matters =
          basename(file) !== "log_id" || !["missing", "a link to itself"].includes(what);
        expect([ours.intact, other.problems.length === 0], file).toEqual([!matters, !matters]);
        // What is there and cannot be read is named.
        const named = what === "a folder" || what === "garbage" ? [file] : [];
        const seen = ours.problems.map((problem) => problem.file);
        expect(seen).toEqual(expect.arrayContaining(matters ? named : []));
        rmSync(file, { recursive: true, force: true });
        writeFileSync(file, bytes);
      }
      expect(problemsIn(folder)).toEqual([]);
    });
  }

  verifies("ledger.retention", "a tombstone that was removed", () => {
    rmSync(`${folder}/tombstone.json`);
    bothFind();
  });

  verifies("ledger.repair", "without its tombstone nothing of it is thrown away", () => {
    const before = segmentsIn(folder).map((path) => readFileSync(path));
    const repair = () => repairLedger(folder, `${folder}-keys`, join(testFolder(), "found"));
    writeFileSync(join(folder, TOMBSTONE), "{");
    expect(repair).toThrow(/begins with 0.* does not say what was before: restore it/);
    rmSync(join(folder, TOMBSTONE));
    expect(repair).toThrow(LedgerDamaged);
    expect(segmentsIn(folder).map((path) => readFileSync(path))).toEqual(before);
  });

  verifies("ledger.chain", "a change that breaks everything after it is told once", () => {
    const [path = ""] = segmentsOf(folder);
    const text = readFileSync(path, "utf8");
    const at = text.indexOf('"subject":"ada"');
    writeFileSync(path, `${text.slice(0, at)}"subject":"bob"${text.slice(at + 15)}`);
    const { problems } = verifyLedger(folder);
    expect(problems.length).toBeLessThan(6);
    expect(problems.map(({ message }) => message).join("; ")).toMatch(/and \d+ more like it/);
  });

  verifies("ledger.retention", "one more segment", () => {
    rmSync(segmentsOf(folder)[0] ?? "");
    bothFind();
  });

  verifies("ledger.retention", "one more segment, with a tombstone that fits", () => {
    const [first = "", second = ""] = segmentsOf(folder);
    const last = Number.parseInt(second.split("/").at(-1) ?? "", 10) - 1;
    const forged = tombstoneAt(folder, last);
    rmSync(first);
    writeFileSync(`${folder}/tombstone.json`, JSON.stringify(forged));
    bothFind();
  });

  /** Where the attacker has no key: his retention event, after the last checkpoint. */
  function say({ dropped_to, hash }: Pick<Tombstone, "dropped_to" | "hash">, prev: string): void {
    const path = segmentsOf(folder).at(-1);
    const before = path === undefined ? dropped_to : Number(linesOf(folder).at(-1)?.["seq"]);
    const head = { v: 1, seq: before + 1, prev, time: "2026-07-01T00:00:00.000Z" };
    const said = { kind: "event", event: "retention", detail: { dropped_to, hash, segments: [] } };
    const line = `${JSON.stringify({ ...head, ...said })}\n`;
    appendFileSync(path ?? join(folder, segmentName(dropped_to + 1)), line);
  }

  const startRefuses = (): Promise<void> =>
    expect(opened(folder, { ...OPTIONS })).rejects.toThrow(LedgerDamaged);

  verifies("ledger.retention", "a log that was invented whole, with its tombstone", async () => {
    for (const path of segmentsOf(folder)) rmSync(path);
    const node = Buffer.alloc(32, 7).toString("base64");
    const forged = { v: 1 as const, dropped_to: 131_072, hash: "ab".repeat(32), nodes: [node] };
    writeFileSync(join(folder, TOMBSTONE), JSON.stringify(forged));
    say(forged, forged.hash);
    bothFind();
    await startRefuses();
  });

  verifies("ledger.retention", "more segments, and said after the last checkpoint", async () => {
    const head = verifyLedger(folder).head;
    const [first = "", second = ""] = segmentsOf(folder);
    const forged = tombstoneAt(folder, Number.parseInt(basename(second), 10) - 1);
    rmSync(first);
    writeFileSync(join(folder, TOMBSTONE), JSON.stringify(forged));
    say(forged, head);
    bothFind();
    await startRefuses();
  });

  verifies("ledger.retention", "a tombstone that nobody signed removes nothing", async () => {
    const head = verifyLedger(folder).head;
    const before = segmentsOf(folder);
    const [, second = ""] = before;
    const forged = tombstoneAt(folder, Number.parseInt(basename(second), 10) - 1);
    writeFileSync(join(folder, TOMBSTONE), JSON.stringify(forged));
    say(forged, head);
    await startRefuses();
    expect(segmentsIn(folder)).toEqual(before);
  });

  verifies("ledger.retention", "a node of the tree that was changed", () => {
    bend((stone) => {
      const [node = "", ...nodes] = stone["nodes"] as string[];
      const other = Buffer.from(node, "base64");
      other[0] = (other[0] ?? 0) ^ 1;
      return { ...stone, nodes: [other.toString("base64"), ...nodes] };
    });
    bothFind();
  });
});
