// Many power losses. A seed that fails once belongs into power.test.ts.
import { expect } from "vitest";
import { verifies } from "../verifies.ts";
import { powerLoss } from "./power.ts";

const ROUNDS = process.env["DOORLESS_TEST_FULL"] === undefined ? 300 : 5000;

verifies(
  ["ledger.kill", "ledger.intent-first", "ledger.outcome-first"],
  "no acknowledged record is lost in many power losses",
  async () => {
    const first = Date.now() % 1_000_000_007;
    for (let seed = first; seed < first + ROUNDS; seed++) {
      const { acked_but_lost, breaks } = await powerLoss(seed);
      expect({ acked_but_lost, breaks }, `seed ${seed}`).toEqual({ acked_but_lost: 0, breaks: [] });
    }
  },
);
