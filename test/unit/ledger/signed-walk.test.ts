// The part of the log that a checkpoint covers is walked by threads, and is as surely whole.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { MerkleTree } from "../../../src/ledger/merkle.ts";
import type { Subtree } from "../../../src/ledger/merkle.ts";
import { repairLedger } from "../../../src/ledger/repair.ts";
import { segmentName, segmentsOf, walk } from "../../../src/ledger/segments.ts";
import { walkSigned } from "../../../src/ledger/signed-walk.ts";
import { createLogger } from "../../../src/telemetry/log.ts";
import { verifies } from "../../verifies.ts";
import { testFolder } from "../../setup/minimal.ts";
import { call, HeldDisk, inFolder, opened, testClock } from "./entries.ts";

const OPTIONS = { segment_bytes_max: 3000, openSegment: new HeldDisk().open };

async function severalSegments(): Promise<{ folder: string; paths: string[]; records: number }> {
  const { ledger, folder } = await opened(undefined, OPTIONS);
  for (let i = 0; i < 12; i++) await call(ledger, `call-${i}`);
  await ledger.close();
  return { folder, paths: segmentsOf(folder), records: 24 };
}

async function walked(folder: string, threads: number, proof_size = Number.MAX_SAFE_INTEGER) {
  const tree = MerkleTree.empty();
  const replayAll = (subtrees: readonly Subtree[]): void => tree.join(subtrees);
  const told = { clock: testClock(), log: createLogger("silent") };
  const begun = await walkSigned(folder, { proof_size, replayAll }, told, threads);
  return { begun, tree };
}

/** Line by line, as everything else reads it. */
function slowly(paths: readonly string[]) {
  const tree = MerkleTree.empty();
  const unexpected = (): never => expect.fail("the log is damaged");
  const { seq, hash } = walk(
    paths,
    () => undefined,
    unexpected,
    (raw) => tree.append(raw),
  );
  return { seq, hash, root: tree.root() };
}

describe("the walk at a start", () => {
  verifies(["ledger.chain", "ledger.repair"], "names a segment that cannot be read", async () => {
    const { folder, paths } = await severalSegments();
    const [, second = ""] = paths;
    rmSync(second);
    mkdirSync(second);
    await expect(opened(folder, OPTIONS)).rejects.toThrow(`${second}:0 cannot be read`);
    const repaired = repairLedger(folder, `${folder}-keys`, join(testFolder(), "found"));
    expect(repaired.kept_to).toBe(slowly(paths.slice(0, 1)).seq);
    expect(segmentsOf(folder)).toEqual(paths.slice(0, 1));
  });

  for (const threads of [1, 2]) {
    verifies(
      "ledger.chain",
      `in ${threads} comes to the number, hash and root of all segments but the last`,
      async () => {
        const { folder, paths } = await severalSegments();
        const covered = paths.slice(0, -1);
        expect(covered.length).toBeGreaterThan(2);
        const { begun, tree } = await walked(folder, threads);
        const { seq, hash, root } = slowly(covered);
        expect(begun).toEqual({ seq, hash, said_at: undefined });
        expect(tree.root()).toEqual(root);
      },
    );

    verifies("ledger.chain", `in ${threads} ends before any segment that is changed`, async () => {
      const { folder, paths } = await severalSegments();
      for (const [i, path] of paths.slice(0, -1).entries()) {
        const bytes = readFileSync(path);
        const at = bytes.indexOf('"subject"');
        writeFileSync(path, bytes.with(at + 12, bytes[at + 12] === 97 ? 98 : 97));
        const { begun } = await walked(folder, threads);
        expect(begun?.seq).toBe(i === 0 ? undefined : slowly(paths.slice(0, i)).seq);
        writeFileSync(path, bytes);
      }
    });
  }

  verifies("ledger.chain", "ends after one whose last line is changed", async () => {
    const { folder, paths } = await severalSegments();
    const [first = ""] = paths;
    const bytes = readFileSync(first);
    const at = bytes.lastIndexOf('"duration_ms":1');
    writeFileSync(first, bytes.with(at + 14, 0x32));
    // What continues it continues another line.
    expect((await walked(folder, 1)).begun?.seq).toBe(slowly([first]).seq);
  });

  verifies("ledger.chain", "goes no further than the checkpoint does", async () => {
    const { folder, paths, records } = await severalSegments();
    const second = Number.parseInt(paths[1]?.slice(-18) ?? "", 10);
    expect((await walked(folder, 1, 0)).begun).toBeUndefined();
    expect((await walked(folder, 1, second - 2)).begun).toBeUndefined();
    expect((await walked(folder, 1, second - 1)).begun?.seq).toBe(second - 1);
    const before_last = slowly(paths.slice(0, -1)).seq;
    expect((await walked(folder, 1, records)).begun?.seq).toBe(before_last);
  });

  verifies("ledger.chain", "takes no segment for another, nor one that is missing", async () => {
    const { folder, paths } = await severalSegments();
    const [first = "", second = "", third = ""] = paths;
    const moved = inFolder(folder, segmentName(2));
    renameSync(first, moved);
    expect((await walked(folder, 1)).begun).toBeUndefined();
    renameSync(moved, first);
    const bytes = readFileSync(second);
    writeFileSync(second, readFileSync(third));
    expect((await walked(folder, 1)).begun?.seq).toBe(slowly([first]).seq);
    writeFileSync(second, bytes);
    renameSync(second, inFolder(folder, "away"));
    expect((await walked(folder, 1)).begun?.seq).toBe(slowly([first]).seq);
  });
});
