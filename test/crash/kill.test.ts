// kill -9 in the middle of calls, a handful of times; kill.long.test.ts does it at length.
import { afterAll, beforeAll, expect } from "vitest";
import { doorless, jsonLines } from "../interop/command.ts";
import { verifies } from "../verifies.ts";
import { openCrashHouse } from "./house.ts";
import type { CrashHouse } from "./house.ts";
import { expectSameIndex, killRounds } from "./rounds.ts";
import type { Totals } from "./rounds.ts";

let house: CrashHouse;
beforeAll(async () => {
  house = await openCrashHouse({ segment_bytes_max: 65_536, reuse_ms_max: 200 });
});
afterAll(() => house.close());

verifies(
  ["ledger.kill", "ledger.intent-first", "ledger.outcome-first", "ledger.chain"],
  "killed five times in the middle of calls, the ledger misses no request and no answer",
  async () => {
    // Otherwise this test has looked at nothing.
    const enough = ({ answers, requests, orphans }: Totals): boolean =>
      answers > 20 && requests > 20 && orphans > 0;
    const totals = await killRounds(house, 20_260_314, 5, enough);
    expect(totals).toSatisfy(enough);
    await expectSameIndex(house, house.evidence);
    const ran = await doorless(["audit", "verify", "--json", house.data]);
    const records = house.evidence.log().lines.length;
    expect(jsonLines(ran)).toMatchObject([{ intact: true, records }]);
    expect(ran.code).toBe(0);
  },
  { timeout_ms: 180_000 },
);
