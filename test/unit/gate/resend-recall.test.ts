// What the ledger's lines say of writes that may come again.
import { expect } from "vitest";
import { ResendRecall } from "../../../src/gate/resend-recall.ts";
import type { CallEnd, LedgerRecord } from "../../../src/ledger/record.ts";
import { intent, outcome } from "../ledger/entries.ts";
import { verifies } from "../../verifies.ts";

const KEPT_MS = 600_000;
const T0 = Date.UTC(2026, 2, 14);

/** Hears these records, each written so many milliseconds after the first. */
function recall(...records: readonly (readonly [at_ms: number, record: LedgerRecord])[]) {
  const heard = new ResendRecall(KEPT_MS);
  for (const [at_ms, record] of records) {
    const head = { v: 1, seq: 1, prev: "", time: new Date(T0 + at_ms).toISOString() } as const;
    heard.hear({ ...head, ...record });
  }
  return {
    at: (now_ms: number) =>
      heard.found(T0 + now_ms).map(({ call_id, effect, cut_off, age_ms }) => {
        return { call_id, effect, cut_off, age_ms };
      }),
  };
}

const write = (call_id: string, key: string | null = "k") => ({
  ...intent(call_id),
  marks: { key, args: "args-1" },
});
const CRASHED = { outcome: "unknown", effect: "unknown" } as const;
const clock = (by_ms: number): LedgerRecord => ({
  kind: "event",
  event: "clock",
  detail: { by_ms },
});

verifies("resend.restart", "what ended is known, and what was cut off is known as that", () => {
  const log = recall(
    [0, write("done")],
    [10, outcome("done")],
    [20, write("refused")],
    [30, outcome("refused", { outcome: "auth_failed", effect: "none" })],
    [40, intent("a read, or of an older log")],
    [50, write("failed")],
    [60, outcome("failed", { ...CRASHED, error_code: "internal" })],
    [70, write("killed", null)],
    [80, outcome("killed", CRASHED)],
  );
  expect(log.at(100)).toEqual([
    { call_id: "done", effect: "done", cut_off: false, age_ms: 90 },
    { call_id: "failed", effect: "unknown", cut_off: false, age_ms: 40 },
    { call_id: "killed", effect: "unknown", cut_off: true, age_ms: 20 },
  ]);
});

verifies("resend.restart", "without a key, who was cut off is told so once", () => {
  const again = (replay_of: string, error_code: CallEnd["error_code"]): LedgerRecord => {
    const { kind: _, ...facts } = intent(`after ${replay_of}`);
    const { kind: _end, ...end } = outcome("", { error_code });
    return { kind: "replay", ...facts, ...end, call_id: facts.call_id, replay_of };
  };
  const log = recall(
    [0, write("keyed")],
    [0, write("told", null)],
    [0, write("refused", null)],
    [0, write("done", null)],
    [1, outcome("keyed", CRASHED)],
    [1, outcome("told", CRASHED)],
    [1, outcome("refused", CRASHED)],
    [1, outcome("done")],
    [2, again("keyed", "answer_lost")],
    [2, again("told", "answer_lost")],
    [2, again("refused", "access_revoked")],
    // Whether anybody has it, the store knows that its answer is in.
    [2, again("done", null)],
    [3, again("of long ago", "answer_lost")],
  );
  expect(log.at(3).map(({ call_id, cut_off }) => [call_id, cut_off])).toEqual([
    ["keyed", true],
    ["told", false],
    ["refused", true],
    ["done", false],
  ]);
});

verifies("resend.restart", "a clock that was set, ahead or back, ages nothing", () => {
  for (const by_ms of [3_600_000, -3_600_000]) {
    const log = recall(
      [0, write("before")],
      [1000, outcome("before")],
      [1000 + by_ms, clock(by_ms)],
      [2000 + by_ms, write("after")],
      [3000 + by_ms, outcome("after")],
    );
    const ages = log.at(5000 + by_ms).map(({ call_id, age_ms }) => [call_id, age_ms]);
    expect(ages).toEqual([
      ["before", 4000],
      ["after", 2000],
    ]);
  }
});

verifies("resend.bounded", "what is older than it may come again is forgotten on the way", () => {
  const log = recall(
    [0, write("old")],
    [1, outcome("old")],
    [KEPT_MS, write("new")],
    [KEPT_MS + 2, write("newer")],
  );
  expect(log.at(KEPT_MS + 2).map(({ call_id }) => call_id)).toEqual(["new", "newer"]);
});

verifies("resend.restart", "what takes longer than it may come again is known by its end", () => {
  const log = recall(
    [0, write("slow")],
    [1, write("quick")],
    [2, outcome("quick")],
    [KEPT_MS + 10, write("next")],
    [KEPT_MS + 20, outcome("slow")],
    [KEPT_MS + 30, write("last")],
  );
  const ages = log.at(KEPT_MS + 30).map(({ call_id, age_ms }) => [call_id, age_ms]);
  expect(ages).toEqual([
    ["next", 20],
    ["slow", 10],
    ["last", 0],
  ]);
});
