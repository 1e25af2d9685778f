// The chain: over bytes, across segments, and what `audit verify` finds in a copy.
import { createHash } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { describe, expect } from "vitest";
import { segmentsOf } from "../../../src/ledger/segments.ts";
import { verifyLedger } from "../../../src/ledger/verify.ts";
import { verifies } from "../../verifies.ts";
import { put, testFolder } from "../../setup/minimal.ts";
import { call, linesOf, opened, outcome, textOf } from "./entries.ts";

/** A closed ledger of these calls, three lines to a segment. */
async function written(calls: number): Promise<string> {
  const { ledger, folder } = await opened(testFolder(), { segment_bytes_max: 2000 });
  for (let i = 1; i <= calls; i++) await call(ledger, `call-${i}`);
  await ledger.close();
  return folder;
}

function copyWith(folder: string, change: (lines: string[]) => string[]): string {
  const lines = textOf(folder).trimEnd().split("\n");
  const copy = testFolder();
  put(copy, "000000000001.jsonl", `${change(lines).join("\n")}\n`);
  return copy;
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

describe("chain", () => {
  verifies("ledger.chain", "each line holds the hash of the bytes of the line before", async () => {
    const folder = await written(6);
    const lines = textOf(folder).trimEnd().split("\n");
    expect(lines).toHaveLength(12);
    lines.forEach((line, i) => {
      const before = lines[i - 1];
      expect(JSON.parse(line)).toMatchObject({
        v: 1,
        seq: i + 1,
        prev: before === undefined ? "0".repeat(64) : sha256(before),
      });
    });
  });

  verifies("ledger.chain", "runs on across segments and across restarts", async () => {
    const folder = await written(6);
    expect(segmentsOf(folder).length).toBeGreaterThan(2);
    const again = await opened(folder, { segment_bytes_max: 2000 });
    await call(again.ledger, "call-7");
    await again.ledger.close();
    const verified = verifyLedger(folder);
    expect(verified).toMatchObject({ intact: true, records: 14, problems: [] });
    expect(verified.head).toBe(sha256(textOf(folder).trimEnd().split("\n").at(-1) ?? ""));
  });

  verifies(
    "ledger.chain",
    "segments are their owner's alone, named by their first record",
    async () => {
      const folder = await written(6);
      for (const path of segmentsOf(folder)) {
        expect(statSync(path).mode & 0o777).toBe(0o600);
        const [first = ""] = readFileSync(path, "utf8").split("\n");
        const { seq } = JSON.parse(first) as { seq: number };
        expect(path.endsWith(`/${String(seq).padStart(12, "0")}.jsonl`)).toBe(true);
      }
    },
  );
});

const TAMPERINGS: Readonly<Record<string, (lines: string[]) => string[]>> = {
  "an edited value": (lines) => lines.with(2, (lines[2] ?? "").replace('"ada"', '"bob"')),
  "an added space": (lines) => lines.with(2, (lines[2] ?? "").replace(",", ", ")),
  "reordered keys": (lines) => {
    const { v, ...rest } = JSON.parse(lines[2] ?? "") as Record<string, unknown>;
    return lines.with(2, JSON.stringify({ ...rest, v }));
  },
  "a deleted line": (lines) => lines.toSpliced(3, 1),
  "a deleted first line": (lines) => lines.slice(1),
  "two lines swapped": (lines) => lines.with(2, lines[3] ?? "").with(3, lines[2] ?? ""),
  "a line given twice": (lines) => lines.toSpliced(3, 0, lines[2] ?? ""),
  "an inserted line": (lines) => {
    const { prev } = JSON.parse(lines[3] ?? "") as { prev: string };
    const forged = { v: 1, seq: 4, prev, time: "2026-01-01T00:00:00Z", kind: "event", event: "x" };
    return lines.toSpliced(3, 0, JSON.stringify({ ...forged, detail: {} }));
  },
  "a line that is no JSON": (lines) => lines.with(2, "{"),
  "an empty line": (lines) => lines.toSpliced(2, 0, ""),
  "an edited line, chained anew, with the next one left": (lines) => {
    const line = JSON.parse(lines[2] ?? "") as Record<string, unknown>;
    return lines.with(2, JSON.stringify({ ...line, user: "Bob" }));
  },
};

describe("audit verify", () => {
  verifies("ledger.chain", "finds nothing in a faithful copy", async () => {
    const folder = await written(4);
    expect(verifyLedger(copyWith(folder, (lines) => lines))).toMatchObject({
      intact: true,
      records: 8,
    });
  });

  for (const [what, change] of Object.entries(TAMPERINGS)) {
    verifies("ledger.chain", `finds ${what}, and says file and line`, async () => {
      const copy = copyWith(await written(4), change);
      const verified = verifyLedger(copy);
      expect(verified.intact).toBe(false);
      const [first] = verified.problems;
      expect(first?.file).toBe(`${copy}/000000000001.jsonl`);
      expect(first?.line).toBeGreaterThan(0);
      expect(first?.line).toBeLessThanOrEqual(5);
    });
  }

  verifies("ledger.chain", "finds a segment that is missing, and a torn end", async () => {
    const folder = await written(6);
    const [first = "", second = ""] = segmentsOf(folder);
    const copy = testFolder();
    put(copy, first.split("/").at(-1) ?? "", readFileSync(first));
    put(copy, "000000000099.jsonl", readFileSync(segmentsOf(folder).at(-1) ?? ""));
    expect(verifyLedger(copy).problems[0]?.message).toMatch(/has seq \d+ after \d+/);
    writeFileSync(second, readFileSync(second).subarray(0, -5));
    expect(verifyLedger(folder).intact).toBe(false);
  });

  verifies(
    "ledger.chain",
    "tells a log without its end from the whole one by its head",
    async () => {
      const folder = await written(4);
      const whole = verifyLedger(folder);
      const cut = verifyLedger(copyWith(folder, (lines) => lines.slice(0, 6)));
      // A cut end is a shorter log: only its number and hash, kept elsewhere, tell.
      expect(cut).toMatchObject({ intact: true, records: 6 });
      expect(cut.head).not.toBe(whole.head);
    },
  );

  verifies(
    "ledger.chain",
    "an empty folder and an outcome without its intent are not intact",
    async () => {
      expect(verifyLedger(testFolder()).intact).toBe(false);
      const { ledger, folder } = await opened();
      await ledger.outcome(outcome("nobody"));
      await ledger.close();
      expect(verifyLedger(folder).problems[0]?.message).toMatch(/without its intent/);
      expect(linesOf(folder)).toHaveLength(1);
    },
  );
});
