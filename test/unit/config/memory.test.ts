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

verifies(
  ["config.mistake-located", "resend.bounded"],
  "where a key is taken, the longest answer must have room",
  () => {
    const kept = (limits: object) => problemsOf(() => configFrom(minimalConfig({ limits })));
    expect(kept({ resend_bytes_per_user_max: 106_486 })).toEqual([]);
    expect(kept({ resend_bytes_per_user_max: 106_485 })).toMatchObject([
      {
        pointer: "/limits/resend_bytes_per_user_max",
        mend: "at least 106486, or lower result_tokens_max",
      },
    ]);
    expect(kept({ resend_bytes_per_user_max: 5_000, result_tokens_max: 1 })).toMatchObject([{}]);
    for (const name of ["resend_s", "resend_bytes_per_user_max", "resend_bytes_max"]) {
      expect(kept({ [name]: 0 }), name).toMatchObject([{ pointer: `/limits/${name}` }]);
    }
  },
);
