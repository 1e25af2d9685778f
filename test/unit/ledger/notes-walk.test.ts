// Checkpoints read note by note: what reading the whole file says, for files of any size.
import { appendFileSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { framedNote, framedNotesIn } from "../../../src/ledger/checkpoint-log.ts";
import { notesIn } from "../../../src/ledger/notes-walk.ts";
import { testFolder } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const MIB = 1_048_576;

verifies("ledger.chain", "checkpoints are the same read one by one and all at once", () => {
  const file = join(testFolder(), "checkpoints");
  // Ends of notes fall on every place of a chunk's end, and in two-byte characters.
  for (const torn of ["", "\n", "\n--", "of\nthree\nlines"]) {
    const notes = Array.from({ length: 4000 }, (_, i) => `${"é".repeat(i % 97)}\n\n— ${i}\n`);
    writeFileSync(file, notes.map(framedNote).join("") + torn);
    const whole = framedNotesIn(readFileSync(file, "utf8"));
    const found = [...notesIn(file)];
    const last = torn === "" ? undefined : found.pop();
    expect(last?.note ?? "").toBe(whole.rest);
    expect(found.map(({ note, line }) => ({ note, line }))).toEqual(whole.notes);
    expect(found.every(({ torn: isTorn }) => !isTorn)).toBe(true);
    let end = 0;
    for (const one of found) {
      end += Buffer.byteLength(framedNote(one.note));
      if (one.end !== end) throw new Error(`ends at ${one.end}, not at ${end}`);
    }
  }
});

verifies("ledger.chain", "a file of any size is read in the same little memory", () => {
  const file = join(testFolder(), "checkpoints");
  const notes = ["a\n", "b\n"];
  writeFileSync(file, notes.map(framedNote).join(""));
  truncateSync(file, 128 * MIB);
  appendFileSync(file, `\n${framedNote("c\n").repeat(2)}`);
  const before = process.resourceUsage().maxRSS;
  const found = [...notesIn(file)];
  expect((process.resourceUsage().maxRSS - before) / 1024).toBeLessThan(64);
  expect(found.map(({ note }) => note.replaceAll("\0", "").length)).toEqual([2, 2, 3, 2]);
  expect(found.map(({ line }) => line)).toEqual([1, 3, 5, 8]);
});
