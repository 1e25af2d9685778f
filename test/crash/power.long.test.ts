// Many power losses. A seed that fails once belongs into power.test.ts.
import { expect } from "vitest";
import { verifies } from "../verifies.ts";
import { openCrashHouse } from "./house.ts";
import { noPowerLoss } from "./power.ts";
import { expectSameIndex, killRounds } from "./rounds.ts";

const FULL = process.env["DOORLESS_TEST_FULL"] !== undefined;
const ROUNDS = FULL ? 300 : 40;

verifies(
  ["ledger.kill", "ledger.intent-first", "ledger.outcome-first"],
  "after many power losses the ledger misses no request and no answer",
  async () => {
    const house = await openCrashHouse({ segment_bytes_max: 65_536, power: true });
    try {
      const totals = await killRounds(house, Date.now() % 1_000_000_007, ROUNDS);
      console.log(JSON.stringify(totals));
      expect(totals.lost_bytes).toBeGreaterThan(0);
      await expectSameIndex(house, house.evidence);
    } finally {
      await house.close();
    }
  },
  { timeout_ms: FULL ? 60 * 60_000 : 10 * 60_000, skip: noPowerLoss },
);
