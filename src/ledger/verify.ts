// `audit verify`: is a copy of the log whole? Offline; reads nothing but the files.
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { isReserve, RESERVE } from "./room.ts";
import { segmentsOf, walk } from "./segments.ts";
import type { ChainProblem } from "./segments.ts";
import { readTombstone, saysOf, TOMBSTONE } from "./tombstone.ts";
import { CheckpointVerifier } from "./verify-checkpoints.ts";
import type { CheckpointVerdict, Evidence } from "./verify-checkpoints.ts";

export interface Verification extends CheckpointVerdict {
  readonly intact: boolean;
  readonly records: number;
  /** Records that retention dropped before these; their tombstone is sound. */
  readonly dropped_to: number;
  /**
   * Up to this sequence number every line continues the hash chain. Beyond `covered_to` that
   * shows damage only: whoever rewrites the end can also rewrite its chain.
   */
  readonly chained_to: number;
  /** The hash of the last line: compare it with another copy. */
  readonly head: string;
  readonly problems: readonly ChainProblem[];
}

/**
 * Verifies a ledger folder: chain, checkpoints, and the tail against what anchors kept. Throws
 * where the folder is none; a file that cannot be read is a problem like any other.
 */
export function verifyLedger(folder: string, evidence: Evidence = {}): Verification {
  if (!statSync(folder).isDirectory()) throw new Error(`${folder} is not a folder`);
  const problems: ChainProblem[] = [];
  const report = collectedIn(problems);
  const attempt = <T>(file: string, work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      report({ file, line: 0, message });
      return undefined;
    }
  };
  const stone = attempt(join(folder, TOMBSTONE), () => readTombstone(folder));
  const checkpoints = new CheckpointVerifier(folder, evidence, report, stone);
  const open = new Set<string>();
  let records = 0;
  let chained_to = 0;
  let chained = true;
  const reserve = join(folder, RESERVE);
  if (existsSync(reserve) && attempt(reserve, () => isReserve(readFileSync(reserve))) === false) {
    report({ file: reserve, line: 0, message: "holds something, and should mean nothing" });
  }
  const paths = attempt(folder, () => segmentsOf(folder, stone?.dropped_to ?? 0)) ?? [];
  let said_at = stone === undefined ? 0 : Number.POSITIVE_INFINITY;
  const tail = walk(
    paths,
    (line, path) => {
      records++;
      if (chained) chained_to = line.seq;
      if (line.kind === "intent") open.add(line.call_id);
      if (saysOf(stone, line)) said_at = Math.min(said_at, line.seq);
      // Its intent may stand in what was dropped.
      if (line.kind === "outcome" && !open.delete(line.call_id) && stone === undefined) {
        report({ file: path, line: line.seq, message: "an outcome without its intent" });
      }
    },
    (problem) => {
      chained = false;
      report(problem);
    },
    (raw) => checkpoints.leaf(raw),
    stone,
  );
  if (paths.length === 0) report({ file: folder, line: 0, message: "no segments" });
  if (tail.cut_bytes > 0) {
    const message = `ends in ${tail.cut_bytes} bytes that are no line; a start would cut them`;
    report({ file: tail.path ?? folder, line: tail.seq + 1, message });
  }
  const verdict = checkpoints.judge();
  // Whoever drops records can also write that they went; he cannot sign it.
  if (said_at > verdict.covered_to) {
    const message = "stands for records of which no signed retention event says that they went";
    report({ file: join(folder, TOMBSTONE), line: 0, message });
  }
  const intact = problems.length === 0;
  const dropped_to = stone?.dropped_to ?? 0;
  return { intact, records, dropped_to, ...verdict, chained_to, head: tail.hash, problems };
}

// A change at the beginning breaks every checkpoint after it: of problems that differ in numbers
// alone, the first is told, and how many came after it.
function collectedIn(problems: ChainProblem[]): (problem: ChainProblem) => void {
  const told = new Map<string, { at: number; first: string; more: number }>();
  return (problem) => {
    const { file, message } = problem;
    const kind = `${file} ${message.replaceAll(/\d+/g, "N")}`;
    const same = told.get(kind);
    if (same === undefined) {
      told.set(kind, { at: problems.length, first: message, more: 0 });
      problems.push(problem);
      return;
    }
    same.more++;
    const first = problems[same.at] ?? problem;
    problems[same.at] = { ...first, message: `${same.first} (and ${same.more} more like it)` };
  };
}
