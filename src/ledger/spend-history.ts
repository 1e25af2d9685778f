// The ledger as the limits' memory: what ran is there, written before it ran, whoever was killed.
import { readFileSync } from "node:fs";
import type { SpendHistory, Spent } from "../limits/history.ts";
import { LogReader } from "./log-reader.ts";
import type { Line } from "./record.ts";
import { firstTimeIn } from "./retention.ts";
import { firstSeqOf, segmentsOf } from "./segments.ts";

/**
 * Of a log that was recovered, and before anything is appended by a call. `hear` gets each line
 * that is read.
 */
export function spendHistory(folder: string, hear?: (line: Line) => void): SpendHistory {
  return {
    *spent(from_ms) {
      const after = startOf(folder, from_ms);
      for (const placed of new LogReader(folder).read(after)) {
        for (const { line } of placed) {
          hear?.(line);
          const spent = spentIn(line);
          if (spent !== undefined) yield spent;
        }
      }
    },
  };
}

/** The record before the newest segment that begins before `from_ms`, whatever clocks were set. */
function startOf(folder: string, from_ms: number): number {
  const newest_first = segmentsOf(folder).toReversed();
  let jumped_ms = 0;
  let after = 0;
  for (const path of newest_first) {
    after = firstSeqOf(path) - 1;
    jumped_ms += jumpedIn(path);
    if (firstTimeIn(path) < from_ms - jumped_ms) break;
  }
  return after;
}

const CLOCK_EVENT = '"event":"clock"';

// Searched as bytes: such a line is rare, and every other would be parsed for nothing.
function jumpedIn(path: string): number {
  const bytes = readFileSync(path);
  let jumped_ms = 0;
  for (let at = bytes.indexOf(CLOCK_EVENT); at !== -1; at = bytes.indexOf(CLOCK_EVENT, at + 1)) {
    const start = bytes.lastIndexOf(0x0a, at) + 1;
    const end = bytes.indexOf(0x0a, at);
    const spent = spentIn(JSON.parse(bytes.toString("utf8", start, end)) as Line);
    if (spent?.kind === "jumped") jumped_ms += Math.abs(spent.by_ms);
  }
  return jumped_ms;
}

function spentIn(line: Line): Spent | undefined {
  switch (line.kind) {
    case "intent": {
      const { call_id, tenant, issuer, subject, session, client_id, tool } = line;
      // Only a tool that there is ever ran.
      if (typeof tool !== "string") return undefined;
      const who = { tenant, issuer, subject, session, client_id };
      const destructive = line.effects?.["destructive"] === true;
      return { kind: "ran", time_ms: Date.parse(line.time), call_id, ...who, tool, destructive };
    }
    case "outcome":
      // Of a call that a crash cut off nobody knows it.
      if (line.bytes === undefined) return undefined;
      return { kind: "ended", call_id: line.call_id, bytes: line.bytes };
    case "event":
      return line.event === "clock" ? { kind: "jumped", by_ms: line.detail.by_ms } : undefined;
    case "refusal":
    case "replay":
      return undefined;
  }
}
