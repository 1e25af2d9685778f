// Two verifiers, written apart, agree on every ledger; and neither misses a change to one.
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { verifyFiles } from "../../../scripts/verify-ledger.ts";
import { framedNote } from "../../../src/ledger/checkpoint-log.ts";
import { openSigningKey } from "../../../src/ledger/signing-key.ts";
import { verifyLedger } from "../../../src/ledger/verify.ts";
import type { Verification } from "../../../src/ledger/verify.ts";
import {
  chainedLines,
  LOG_ID,
  notesFor,
  readLines,
  segmentFiles,
  someRecords,
  writeLedger,
  writeSegments,
} from "../../setup/ledger-files.ts";
import type { LedgerFiles } from "../../setup/ledger-files.ts";
import { seeded } from "../../setup/seeded.ts";

/** What both say, which must be the same. */
function bothVerify(files: LedgerFiles, how: "chain" | "keys" | "anchor" = "keys"): Verification {
  const public_keys = how === "chain" ? undefined : files.public_keys;
  const anchors = how === "anchor" ? [files.anchor] : [];
  const evidence = public_keys === undefined ? {} : { public_keys, anchors };
  const ours = verifyLedger(files.ledger, evidence);
  const other = verifyFiles(files.ledger, public_keys, anchors);
  const say = JSON.stringify({ ours: ours.problems, other: other.problems });
  expect(other.problems.length === 0, say).toBe(ours.intact);
  if (ours.intact) {
    const { records, covered_to, anchored_to } = ours;
    expect(other).toEqual({ problems: [], records, dropped_to: 0, covered_to, anchored_to });
  }
  return ours;
}

const SHAPE = { records: 24, cuts: [9, 17], checkpoints: [0, 8, 20, 24], padding: 64 };

function rewrite(files: LedgerFiles, lines: readonly string[]): void {
  for (const file of segmentFiles(files.ledger)) rmSync(file);
  writeSegments(files.ledger, lines);
}

/** The same records, changed, with a chain that is right again. */
function chainAnew(lines: readonly string[], change: (records: object[]) => object[]): string[] {
  return chainedLines(change(lines.map((line) => JSON.parse(line) as object)).map(withoutHead));
}

function withoutHead(record: object): object {
  return Object.fromEntries(
    Object.entries(record).filter(([key]) => !["v", "seq", "prev", "time"].includes(key)),
  );
}

describe("both verifiers", () => {
  test("agree on random ledgers, and find them intact", () => {
    const shapes = fc.record({
      records: fc.integer({ min: 1, max: 40 }),
      cuts: fc.array(fc.integer({ min: 2, max: 40 }), { maxLength: 4 }),
      padding: fc.constantFrom(0, 1, 65_536, 70_001),
      checkpoints: fc.uniqueArray(fc.nat(40), { maxLength: 5 }),
    });
    fc.assert(
      fc.property(shapes, (shape) => {
        const checkpoints = shape.checkpoints.filter((size) => size <= shape.records);
        const files = writeLedger({ ...shape, checkpoints });
        if (checkpoints.length === 0) rmSync(join(files.ledger, "keys.pub"));
        const how = checkpoints.length > 0 ? "anchor" : "chain";
        const found = bothVerify(files, how);
        expect(found.problems).toEqual([]);
        const { records } = shape;
        expect(found).toMatchObject({ intact: true, records, chained_to: records });
        expect(found.covered_to).toBe(Math.max(0, ...checkpoints));
      }),
      { numRuns: 60 },
    );
  });

  test("find 2,000 random bit flips in the files of a log, every one", () => {
    const random = seeded(20_260_314);
    const below = (limit: number): number => Math.floor(random() * limit);
    const files = writeLedger({ records: 12, cuts: [7], checkpoints: [6, 12], padding: 16 });
    writeFileSync(join(files.ledger, "log_id"), `${LOG_ID}\n`);
    const targets = [
      ...segmentFiles(files.ledger),
      ...["checkpoints", "log_id"].map((name) => join(files.ledger, name)),
    ];
    const whole = targets.map((file) => readFileSync(file));
    for (let flip = 0; flip < 2000; flip++) {
      const target = below(targets.length);
      const changed = Buffer.from(whole[target] ?? "");
      const at = below(changed.length);
      changed[at] = (changed[at] ?? 0) ^ (1 << below(8));
      writeFileSync(targets[target] ?? "", changed);
      const { intact } = bothVerify(files);
      expect(intact, `flip ${flip} in byte ${at} of ${targets[target]}`).toBe(false);
      writeFileSync(targets[target] ?? "", whole[target] ?? "");
    }
    expect(bothVerify(files).intact).toBe(true);
  }, 120_000);
});

test("a bit that flips in the keys beside a log, or in what is kept free for it, shows", () => {
  const files = writeLedger(SHAPE);
  const reserve = join(files.ledger, "reserve");
  writeFileSync(reserve, Buffer.concat([Buffer.alloc(8192, 0xff), Buffer.alloc(5000)]));
  const evidence = { public_keys: files.public_keys };
  expect(verifyLedger(files.ledger, evidence).problems).toEqual([]);
  for (const file of [reserve, join(files.ledger, "keys.pub")]) {
    const whole = readFileSync(file);
    for (let bit = 0; bit < whole.length * 8; bit += 83) {
      const changed = Buffer.from(whole);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit % 8));
      writeFileSync(file, changed);
      expect(verifyLedger(files.ledger, evidence).intact, `bit ${bit} of ${file}`).toBe(false);
    }
    writeFileSync(file, whole);
  }
});

type Change = (lines: string[]) => string[];

const CHAIN_BREAKS: readonly [string, Change][] = [
  ["edits a line", (lines) => lines.with(4, (lines[4] ?? "").replace("deal", "lead"))],
  ["deletes a line", (lines) => lines.toSpliced(10, 1)],
  ["inserts a line", (lines) => lines.toSpliced(10, 0, lines[3] ?? "")],
  ["swaps two lines", (lines) => lines.with(4, lines[5] ?? "").with(5, lines[4] ?? "")],
  ["cuts the first lines", (lines) => lines.slice(4)],
];

const KEYLESS: readonly [string, Change][] = [
  ["edits the last line", (lines) => lines.with(23, (lines[23] ?? "").replace("ok", "no"))],
  ["cuts the tail", (lines) => lines.slice(0, 22)],
  [
    "edits a record and computes the whole chain anew",
    (lines) => chainAnew(lines, (all) => all.with(4, { ...all[4], tool: "another" })),
  ],
  [
    "deletes a call and computes the whole chain anew",
    (lines) => chainAnew(lines, (all) => all.toSpliced(4, 2)),
  ],
];

describe("whoever", () => {
  test.each(CHAIN_BREAKS)("%s is found by the chain alone", (_, change) => {
    const files = writeLedger({ records: 24 });
    rewrite(files, change(readLines(files.ledger)));
    const found = bothVerify(files, "chain");
    expect(found.intact).toBe(false);
    expect(found.chained_to).toBeLessThan(12);
  });

  test.each(KEYLESS)("%s, without the key, is found by the checkpoints", (_, change) => {
    const files = writeLedger(SHAPE);
    rewrite(files, change(readLines(files.ledger)));
    const { problems } = bothVerify(files);
    expect(problems[0]?.message).toMatch(/its end is cut|have another root/);
    // The chain alone does not see it: that is what checkpoints are for.
    for (const name of ["checkpoints", "keys.pub"]) rmSync(join(files.ledger, name));
    expect(bothVerify(files, "chain")).toMatchObject({ intact: true, covered_to: 0 });
  });

  test("cuts the tail and the checkpoints that covered it is found by the anchor alone", () => {
    const files = writeLedger(SHAPE);
    rewrite(files, readLines(files.ledger).slice(0, 20));
    const file = join(files.ledger, "checkpoints");
    const notes = readFileSync(file, "utf8").split("---\n").slice(0, -2);
    writeFileSync(file, notes.map((note) => framedNote(note)).join(""));
    expect(bothVerify(files)).toMatchObject({ intact: true, records: 20, covered_to: 20 });
    const found = bothVerify(files, "anchor");
    expect(found.problems.map(({ message }) => message)).toEqual([
      "covers 24 records, and the log has 20: its end is cut",
    ]);
    expect(found).toMatchObject({ covered_to: 20, anchored_to: 20 });
  });

  test("removes a checkpoint but no record is found by the anchor", () => {
    const files = writeLedger(SHAPE);
    const file = join(files.ledger, "checkpoints");
    const notes = readFileSync(file, "utf8").split("---\n").slice(0, -2);
    writeFileSync(file, notes.map((note) => framedNote(note)).join(""));
    expect(bothVerify(files, "anchor").problems[0]?.message).toMatch(/log's own end at 20/);
  });

  test("signs a rewritten log with a key of his own is found by keys kept elsewhere", () => {
    const files = writeLedger(SHAPE);
    const forged = writeLedger({ ...SHAPE, records: 26 });
    for (const file of segmentFiles(files.ledger)) rmSync(file);
    cpSync(forged.ledger, files.ledger, { recursive: true });
    expect(bothVerify(files, "chain")).toMatchObject({ intact: true, keys: "beside the log" });
    const found = bothVerify(files, "keys");
    expect(found).toMatchObject({ intact: false, keys: "given", covered_to: 0 });
    expect(found.problems[0]?.message).toMatch(/not signed by a key that we trust/);
  });

  test("removes the checkpoints is found by the keys, beside them or kept elsewhere", () => {
    const files = writeLedger(SHAPE);
    rmSync(join(files.ledger, "checkpoints"));
    const none = "there are keys but no checkpoints";
    expect(bothVerify(files, "chain").problems[0]?.message).toBe(none);
    rmSync(join(files.ledger, "keys.pub"));
    expect(bothVerify(files).problems[0]?.message).toBe(none);
  });

  test.each(["a repeated", "a swapped", "a torn", "no"])(
    "leaves %s checkpoint is found",
    (what) => {
      const files = writeLedger(SHAPE);
      const file = join(files.ledger, "checkpoints");
      const [a = "", b = "", c = "", d = ""] = readFileSync(file, "utf8").split(/(?<=---\n)/);
      const changed = {
        "a repeated": [a, b, b, c, d],
        "a swapped": [a, c, b, d],
        "a torn": [a, b, c, d.slice(0, 40)],
        no: [],
      };
      writeFileSync(file, changed[what as keyof typeof changed].join(""));
      expect(bothVerify(files).intact).toBe(false);
      expect(bothVerify(files, "chain").intact).toBe(false);
    },
  );
});

describe("a change of the key", () => {
  const lines = chainedLines(someRecords(24));

  /** Signed by the first key up to 8, by both at 16, and by `last` at 24. */
  function rotatedLedger(last: "first" | "second"): LedgerFiles {
    const files = writeLedger({ records: 24, checkpoints: [8] });
    const { current: first } = openSigningKey(files.keys, LOG_ID);
    const { current: second } = openSigningKey(join(files.keys, "other"), LOG_ID);
    const signers = { first, second };
    const notes = notesFor(lines, [8, 16, 24], (size) => {
      if (size === 16) return { current: second, former: first };
      return { current: size === 8 ? first : signers[last] };
    });
    const framed = notes.map(framedNote).join("");
    writeFileSync(join(files.ledger, "checkpoints"), framed);
    writeFileSync(files.anchor, framed);
    return files;
  }

  test("is followed by whoever knows the first key only", () => {
    const files = rotatedLedger("second");
    expect(bothVerify(files, "anchor")).toMatchObject({ intact: true, covered_to: 24 });
    const key = (folder: string): string =>
      readFileSync(join(folder, "ledger-signing.pub"), "utf8");
    writeFileSync(files.public_keys, key(files.keys) + key(join(files.keys, "other")));
    expect(bothVerify(files, "anchor")).toMatchObject({ intact: true, anchored_to: 24 });
  });

  test("ends the former key: what it signs later is refused", () => {
    const found = bothVerify(rotatedLedger("first"));
    expect(found).toMatchObject({ intact: false, covered_to: 16 });
    expect(found.problems).toHaveLength(1);
  });
});

describe("verification", () => {
  test("says of a log without checkpoints that only its chain holds", () => {
    const files = writeLedger({ records: 5 });
    rmSync(join(files.ledger, "keys.pub"));
    const found = bothVerify(files, "chain");
    expect(found).toMatchObject({ intact: true, records: 5, chained_to: 5, covered_to: 0 });
    expect(found).toMatchObject({ anchored_to: 0, keys: "none" });
  });

  test("finds checkpoints that no key is there for", () => {
    const files = writeLedger(SHAPE);
    rmSync(join(files.ledger, "keys.pub"));
    expect(bothVerify(files, "chain")).toMatchObject({ intact: false, covered_to: 0 });
  });

  test("takes tabs and NULs after the last line for room, and all else for a torn tail", () => {
    const files = writeLedger({ ...SHAPE, padding: 200_000 });
    expect(bothVerify(files).intact).toBe(true);
    const [first = "", , last = ""] = segmentFiles(files.ledger);
    for (const file of [first, last]) {
      const bytes = readFileSync(file);
      writeFileSync(file, bytes.toString("latin1").replace(/\t{9}$/, "\0".repeat(9)), "latin1");
      expect(bothVerify(files).intact).toBe(true);
      const torn = Buffer.from(bytes);
      torn.write("x", bytes.length - 100_000);
      writeFileSync(file, torn);
      expect(bothVerify(files).intact).toBe(false);
      writeFileSync(file, bytes);
    }
  });

  test("compares with an anchor's lines, and an anchor that kept nothing is a problem", () => {
    const files = writeLedger(SHAPE);
    const notes = readFileSync(files.anchor, "utf8").split("---\n");
    const [, , , newest = ""] = notes;
    const checkpoint = JSON.stringify({ checkpoint: newest });
    writeFileSync(files.anchor, `Mar 14 host doorless[1]: ${checkpoint}\ntorn {"checkpoint":"\n`);
    expect(bothVerify(files, "anchor")).toMatchObject({ intact: true, anchored_to: 24 });
    writeFileSync(files.anchor, newest);
    expect(bothVerify(files, "anchor")).toMatchObject({ intact: true, anchored_to: 24 });
    // A receiver that appends what is posted, with what it likes between.
    for (const between of ["", "\n", "\n\n"]) {
      writeFileSync(files.anchor, notes.slice(0, 3).join(between));
      expect(bothVerify(files, "anchor")).toMatchObject({ intact: true, anchored_to: 20 });
    }
    writeFileSync(files.anchor, "nothing here\n");
    expect(bothVerify(files, "anchor").problems[0]?.message).toMatch(/no anchored checkpoint/);
  });

  test("throws where the folder is none", () => {
    const files = writeLedger(SHAPE);
    expect(() => verifyLedger(`${files.ledger}-absent`)).toThrow(/ENOENT/);
    expect(() => verifyLedger(files.public_keys)).toThrow(/not a folder/);
  });
});

describe("scripts/verify-ledger.ts", () => {
  const script = resolve(import.meta.dirname, "../../../scripts/verify-ledger.ts");
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [script, ...args], { encoding: "utf8" });

  test("imports Node's own modules and nothing else", () => {
    const imports = readFileSync(script, "utf8").matchAll(/(?:from|import\()\s*"([^"]+)"/g);
    const names = [...imports].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter((name) => !name.startsWith("node:"))).toEqual([]);
  });

  test("exits with 0 for an intact log, 1 for another, 2 where it cannot look", () => {
    const files = writeLedger(SHAPE);
    const whole = run(files.ledger, "--keys", files.public_keys, "--anchor", files.anchor);
    expect([whole.status, whole.stderr]).toEqual([0, ""]);
    expect(whole.stdout).toContain("covered_to: 24, anchored_to: 24");
    expect(run(files.ledger).stdout).toContain("no attacker");
    rewrite(files, readLines(files.ledger).slice(0, 20));
    const cut = run(files.ledger, "--keys", files.public_keys);
    expect([cut.status, cut.stdout.slice(0, 10)]).toEqual([1, "NOT intact"]);
    expect(run(`${files.ledger}-absent`).status).toBe(2);
  });
});
