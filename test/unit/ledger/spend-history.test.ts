// The ledger as the limits' memory: as far back as is asked, by segments, whatever clocks were set.
import { expect } from "vitest";
import { spendHistory } from "../../../src/ledger/spend-history.ts";
import { verifies } from "../../verifies.ts";
import { intent, opened, outcome, refusalOf } from "./entries.ts";

const HOUR_MS = 3_600_000;

/** A log with a call each hour, in segments of a few records each. */
async function hourly(hours: number) {
  const log = await opened(undefined, { segment_bytes_max: 4000 });
  const call = async (id: string): Promise<void> => {
    await log.ledger.intent(intent(id));
    await log.ledger.outcome(outcome(id, { bytes: 7 }));
    log.clock.ms += HOUR_MS;
  };
  const began = log.clock.ms;
  for (let i = 0; i < hours; i++) await call(`call-${i}`);
  const back = (from_ms: number): string[] =>
    [...spendHistory(log.folder).spent(from_ms)].flatMap((spent) =>
      spent.kind === "ran" ? [spent.call_id] : [],
    );
  return { ...log, call, back, began };
}

verifies(
  "limits.kept",
  "all since a moment is recalled, and of older days next to nothing",
  async () => {
    const { back, began, clock } = await hourly(48);
    const all = back(0);
    expect(all).toHaveLength(48);
    const half = back(began + 24 * HOUR_MS);
    expect(half).toEqual(all.slice(-half.length));
    expect(half.length).toBeGreaterThanOrEqual(24);
    expect(half.length).toBeLessThan(30);
    expect(back(clock.ms).length).toBeLessThan(6);
  },
);

verifies("limits.kept", "a clock that was set since makes it look further back", async () => {
  const { back, call, clock, ledger } = await hourly(24);
  const day = 24 * HOUR_MS;
  clock.ms += day;
  await ledger.event("clock", { by_ms: day });
  for (let i = 24; i < 48; i++) await call(`call-${i}`);
  // By the clock the first day is three days ago; it was two.
  expect(back(clock.ms - 2 * day)).toHaveLength(48);
  const jumps = [...spendHistory((await opened()).folder).spent(0)];
  expect(jumps).toEqual([]);
});

verifies(
  "limits.kept",
  "what was refused, or said by a customer, is no call and no clock",
  async () => {
    const { ledger, folder } = await opened();
    await ledger.refusal(refusalOf("refused"));
    await ledger.intent(intent("a", { args: { event: "clock", note: '"event":"clock"' } }));
    await ledger.event("clock", { by_ms: -5000 });
    await ledger.outcome(outcome("a"));
    const spent = [...spendHistory(folder).spent(Number.MAX_SAFE_INTEGER)];
    expect(spent).toMatchObject([
      { kind: "ran", call_id: "a" },
      { kind: "jumped", by_ms: -5000 },
    ]);
  },
);
