// More seeds than the fast tier has, other ones each time. One that fails is replayed with
// `node test/crash/simulate.ts --seed N`.
import { expect } from "vitest";
import { verifies } from "../verifies.ts";
import { simulatedInTwo } from "./simulated.ts";

const FULL = process.env["DOORLESS_TEST_FULL"] !== undefined;
const SEEDS = FULL ? 100_000 : 5000;

verifies(
  ["ledger.kill", "ledger.intent-first", "ledger.outcome-first", "ledger.chain"],
  "whatever a disk loses in many more crashes, nothing that was told is missing",
  async () => {
    const first = Date.now() % 1_000_000_007;
    const { seeds, failed } = await simulatedInTwo(first, SEEDS);
    expect(failed).toEqual([]);
    expect(seeds).toBe(SEEDS);
  },
  { timeout_ms: FULL ? 60 * 60_000 : 10 * 60_000 },
);
