// kill -9 in the middle of calls, many times. A seed that fails once belongs into kill.test.ts.
import { afterAll, beforeAll, expect } from "vitest";
import { verifies } from "../verifies.ts";
import { openCrashHouse } from "./house.ts";
import type { CrashHouse } from "./house.ts";
import { expectSameIndex, killRounds } from "./rounds.ts";

const FULL = process.env["DOORLESS_TEST_FULL"] !== undefined;
const KILLS = FULL ? 400 : 60;

let house: CrashHouse;
beforeAll(async () => {
  house = await openCrashHouse({ segment_bytes_max: 65_536, reuse_ms_max: 200 });
});
afterAll(() => house.close());

verifies(
  ["ledger.kill", "ledger.intent-first", "ledger.outcome-first"],
  "killed many times in the middle of calls, the ledger misses no request and no answer",
  async () => {
    const totals = await killRounds(house, Date.now() % 1_000_000_007, KILLS);
    console.log(JSON.stringify(totals));
    expect(totals.orphans).toBeGreaterThan(KILLS / 4);
    await expectSameIndex(house, house.evidence);
  },
  { timeout_ms: FULL ? 60 * 60_000 : 10 * 60_000 },
);
