// The file of checkpoints: durable before it is shown, whole after a crash, and only growing.
import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { framedNote, framedNotesIn } from "../../../src/ledger/checkpoint-log.ts";
import { openCheckpointLog } from "../../../src/ledger/checkpoint-log.ts";
import type { NoteFile } from "../../../src/ledger/checkpoint-log.ts";
import { chainedLines, LOG_ID, notesFor, someRecords } from "../../setup/ledger-files.ts";
import { openSigningKey } from "../../../src/ledger/signing-key.ts";
import { testFolder } from "../../setup/minimal.ts";

function someNotes(): [string, string, string] {
  const keys = openSigningKey(testFolder(), LOG_ID);
  const lines = chainedLines(someRecords(6));
  const [a = "", b = "", c = ""] = notesFor(lines, [0, 3, 6], () => keys);
  return [a, b, c];
}

/** A file in memory, whose disk fails when it is told to. */
function brittleFile(): NoteFile & { steps: string[]; fails: boolean } {
  const steps: string[] = [];
  const step = (name: string) => (): Promise<void> => {
    steps.push(name);
    return file.fails ? Promise.reject(new Error("EIO")) : Promise.resolve();
  };
  const file = {
    steps,
    fails: false,
    tail: () => Promise.resolve({ bytes: Buffer.alloc(0), at: 0 }),
    truncate: step("truncate"),
    append: step("append"),
    sync: step("sync"),
    close: () => Promise.resolve(),
  };
  return file;
}

describe("the checkpoints", () => {
  test("are found again, private, in their order, with the newest known", async () => {
    const folder = testFolder();
    const notes = someNotes();
    const log = await openCheckpointLog(folder);
    expect(log.last).toBeUndefined();
    for (const note of notes) await log.append(note);
    expect(log.last?.checkpoint.size).toBe(6);
    await log.close();
    const file = join(folder, "checkpoints");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const found = framedNotesIn(readFileSync(file, "utf8"));
    expect(found).toEqual({
      notes: notes.map((note, i) => ({ note, line: 1 + i * 6 })),
      rest: "",
    });
    const again = await openCheckpointLog(folder);
    expect(again.last).toMatchObject({ note: notes[2], checkpoint: { size: 6 } });
    expect(again.cut_bytes).toBe(0);
    await again.close();
  });

  test("torn at any byte are cut back to the last whole one", async () => {
    const folder = testFolder();
    const [a, b, c] = someNotes();
    const kept = framedNote(a) + framedNote(b);
    const torn = Buffer.from(framedNote(c));
    for (let length = 1; length < torn.length; length++) {
      writeFileSync(join(folder, "checkpoints"), kept);
      appendFileSync(join(folder, "checkpoints"), torn.subarray(0, length));
      const log = await openCheckpointLog(folder);
      expect([log.cut_bytes, log.last?.note]).toEqual([length, b]);
      await log.append(c);
      await log.close();
      expect(readFileSync(join(folder, "checkpoints"), "utf8")).toBe(kept + framedNote(c));
    }
  });

  test("of a long time are opened by the newest, however much is torn after it", async () => {
    const folder = testFolder();
    const [a, b] = someNotes();
    const kept = framedNote(a).repeat(1000) + framedNote(b);
    expect(kept.length).toBeGreaterThan(100_000);
    for (const torn of [0, 1, 200_000]) {
      writeFileSync(join(folder, "checkpoints"), kept + "x".repeat(torn));
      const log = await openCheckpointLog(folder);
      expect([log.cut_bytes, log.last?.note]).toEqual([torn, b]);
      await log.close();
      expect(readFileSync(join(folder, "checkpoints"), "utf8")).toBe(kept);
    }
  });

  test("only grow", async () => {
    const [a, b, c] = someNotes();
    const log = await openCheckpointLog(testFolder());
    await Promise.all([log.append(a), log.append(c)]);
    await expect(log.append(b)).rejects.toThrow("a checkpoint at 3 after one at 6");
    await expect(log.append(c)).rejects.toThrow(RangeError);
    await expect(log.append("not a note")).rejects.toThrow(/not a signed note/);
    await log.close();
  });

  test("are synced before they count, and never again after a failure", async () => {
    const [a, b, c] = someNotes();
    const file = brittleFile();
    const log = await openCheckpointLog("", () => Promise.resolve(file));
    await log.append(a);
    expect(file.steps).toEqual(["append", "sync"]);
    file.fails = true;
    await expect(log.append(b)).rejects.toThrow(/cannot be written/);
    file.fails = false;
    await expect(log.append(c)).rejects.toThrow(/cannot be written/);
    expect(file.steps).toEqual(["append", "sync", "append"]);
    expect(log.last?.note).toBe(a);
  });

  test("are not made where there is no ledger", async () => {
    const folder = join(testFolder(), "absent");
    await expect(openCheckpointLog(folder)).rejects.toThrow(/ENOENT/);
    expect(existsSync(folder)).toBe(false);
  });
});
