// The ledger over a simulated disk: thousands of seeds, and faults that it must find. A seed that
// fails is replayed with `node test/crash/simulate.ts --seed N`.
import { join } from "node:path";
import { expect } from "vitest";
import { verifies } from "../verifies.ts";
import { IN_THE_LEDGER, mutated } from "./mutants.ts";
import { simulated, simulatedInTwo } from "./simulated.ts";

const SEEDS = 10_000;

verifies(
  ["ledger.kill", "ledger.intent-first", "ledger.outcome-first", "ledger.chain"],
  "whatever a disk loses in ten thousand crashes, nothing that was told is missing",
  async () => {
    const { seeds, crashes, failed } = await simulatedInTwo(1, SEEDS);
    expect(failed).toEqual([]);
    expect(seeds).toBe(SEEDS);
    // Otherwise the power did not go in the middle of anything.
    expect(crashes).toBeGreaterThan(SEEDS / 2);
  },
  { timeout_ms: 15 * 60_000 },
);

for (const mutant of IN_THE_LEDGER) {
  verifies(
    "ledger.mutants",
    `${mutant.what} is found`,
    async () => {
      const copy = mutated(mutant);
      try {
        const source = join(copy.root, "src");
        const { failed } = await simulated(["--source", source, "--seeds", "3000", "--stop"]);
        expect(failed).toHaveLength(1);
      } finally {
        copy.remove();
      }
    },
    { timeout_ms: 10 * 60_000 },
  );
}
