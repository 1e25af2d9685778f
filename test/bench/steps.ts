// The time that each step of the gate took, as the ledger itself recorded it.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Line } from "../../src/ledger/record.ts";
import { quantile } from "./report.ts";

export interface StepTime {
  readonly step: string;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

/** In the order of the path, and the whole call last. */
export function stepTimes(folder: string): StepTime[] {
  const times = new Map<string, number[]>();
  for (const line of linesOf(folder)) {
    if (line.kind !== "outcome") continue;
    const { steps, duration_ms } = line;
    for (const [step, ms] of [...Object.entries(steps), ["whole call", duration_ms] as const]) {
      const known = times.get(step);
      if (known === undefined) times.set(step, [ms]);
      else known.push(ms);
    }
  }
  return [...times].map(([step, all]) => {
    const sorted = all.toSorted((a, b) => a - b);
    return { step, p50_ms: quantile(sorted, 0.5), p99_ms: quantile(sorted, 0.99) };
  });
}

function* linesOf(folder: string): Iterable<Line> {
  for (const name of readdirSync(folder)
    .filter((file) => file.endsWith(".jsonl"))
    .toSorted()) {
    for (const text of readFileSync(join(folder, name), "utf8").split("\n")) {
      if (text.trim() !== "") yield JSON.parse(text) as Line;
    }
  }
}
