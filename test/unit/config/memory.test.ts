// Limits are recalled from the log: it has to be kept as long as they remember.
import { expect } from "vitest";
import { configFrom, minimalConfig, problemsOf } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

verifies("config.mistake-located", "a log that is dropped before a limit has forgotten it", () => {
  const limits = { calls_per_user: { calls: 1, per_s: 3600, burst: 100 } };
  const kept = (keep_days: number) =>
    problemsOf(() =>
      configFrom(minimalConfig({ limits, ledger: { without_anchor: "accepted", keep_days } })),
    );
  expect(kept(5)).toEqual([]);
  expect(kept(4)).toMatchObject([
    { pointer: "/ledger/keep_days", mend: "keep it for 5 days, or lower the burst" },
  ]);
});
