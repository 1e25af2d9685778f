// Retention: whole segments go, a tombstone stays, and both verifiers tell what was dropped from
// what was taken away.
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect } from "vitest";
import { verifyFiles } from "../../../scripts/verify-ledger.ts";
import type { Sink } from "../../../src/ledger/sink.ts";
import { segmentName, segmentsOf } from "../../../src/ledger/segments.ts";
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

  verifies("ledger.retention", "a tombstone that was removed", () => {
    rmSync(`${folder}/tombstone.json`);
    bothFind();
  });

  verifies("ledger.retention", "one more segment", () => {
    rmSync(segmentsOf(folder)[0] ?? "");
    bothFind();
  });

  verifies("ledger.retention", "one more segment, with a tombstone that fits", async () => {
    const { tombstoneAt } = await import("../../../src/ledger/retention.ts");
    const [first = "", second = ""] = segmentsOf(folder);
    const last = Number.parseInt(second.split("/").at(-1) ?? "", 10) - 1;
    const forged = tombstoneAt(folder, last);
    rmSync(first);
    writeFileSync(`${folder}/tombstone.json`, JSON.stringify(forged));
    bothFind();
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
