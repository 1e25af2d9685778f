// The real server, real clients, and the power gone in the middle: what the API saw has an intent,
// what clients were told has an outcome. And faults that this must find.
import { join } from "node:path";
import { expect } from "vitest";
import { verifies } from "../verifies.ts";
import { openCrashHouse } from "./house.ts";
import { IN_THE_SERVER, mutated } from "./mutants.ts";
import { noPowerLoss } from "./power.ts";
import { expectSameIndex, killRounds } from "./rounds.ts";

const SEED = 20_261_128;
const ROUNDS = 5;
const ROUNDS_TO_FIND_A_FAULT = 12;
// By what was told, or already by the next start.
const FOUND = /answered, and no such outcome|without an intent|were durable/;

verifies(
  ["ledger.kill", "ledger.intent-first", "ledger.outcome-first"],
  "after power losses in the middle of calls the ledger misses no request and no answer",
  async () => {
    const house = await openCrashHouse({ segment_bytes_max: 65_536, power: true });
    try {
      const totals = await killRounds(house, SEED, ROUNDS, ({ lost_bytes }) => lost_bytes > 0);
      expect(totals.lost_bytes).toBeGreaterThan(0);
      await expectSameIndex(house, house.evidence);
    } finally {
      await house.close();
    }
  },
  { timeout_ms: 180_000, skip: noPowerLoss },
);

for (const mutant of IN_THE_SERVER) {
  verifies(
    "ledger.mutants",
    `${mutant.what} is found in the running server`,
    async () => {
      const copy = mutated(mutant);
      const program = join(copy.root, "test/setup/core-process.ts");
      const house = await openCrashHouse({ power: true, program });
      try {
        const rounds = killRounds(house, SEED, ROUNDS_TO_FIND_A_FAULT);
        await expect(rounds).rejects.toThrow(FOUND);
      } finally {
        await house.close();
        copy.remove();
      }
    },
    { timeout_ms: 180_000, skip: noPowerLoss },
  );
}
