// `audit verify`: is a copy of the log whole? Offline; reads nothing but the files.
import { statSync } from "node:fs";
import { segmentsOf, walk } from "./segments.ts";
import type { ChainProblem } from "./segments.ts";

export interface Verification {
  readonly intact: boolean;
  readonly records: number;
  /** The last sequence number of the chain, and its hash: compare it with another copy. */
  readonly covered_to: number;
  readonly head: string;
  readonly problems: readonly ChainProblem[];
}

/** Verifies a ledger folder. Throws where there is none. */
export function verifyLedger(folder: string): Verification {
  if (!statSync(folder).isDirectory()) throw new Error(`${folder} is not a folder`);
  const problems: ChainProblem[] = [];
  const open = new Set<string>();
  let records = 0;
  const paths = segmentsOf(folder);
  const tail = walk(
    paths,
    (line, path) => {
      records++;
      if (line.kind === "intent") open.add(line.call_id);
      if (line.kind === "outcome" && !open.delete(line.call_id)) {
        problems.push({ file: path, line: line.seq, message: "an outcome without its intent" });
      }
    },
    (problem) => problems.push(problem),
  );
  if (paths.length === 0) problems.push({ file: folder, line: 0, message: "no segments" });
  if (tail.cut_bytes > 0) {
    const message = `ends in ${tail.cut_bytes} bytes that are no line; a start would cut them`;
    problems.push({ file: tail.path ?? folder, line: tail.seq + 1, message });
  }
  return {
    intact: problems.length === 0,
    records,
    covered_to: tail.seq,
    head: tail.hash,
    problems,
  };
}
