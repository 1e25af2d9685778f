// The table of limits: all or nothing, and never forgetful under pressure.
import { describe, expect, test } from "vitest";
import { DayBudget } from "../../../src/limits/budget.ts";
import { Limiter } from "../../../src/limits/limit.ts";
import { RateLimit } from "../../../src/limits/rate.ts";
import { Running } from "../../../src/limits/running.ts";
import { DAY_MS } from "../../../src/limits/time.ts";
import { verifies } from "../../verifies.ts";

const rateLimit = (calls: number, per_s: number, burst: number, name = "calls_per_user") =>
  new RateLimit(name, "user", { calls, per_s, burst });

function alone(limit: RateLimit | DayBudget, keys_max = 100) {
  const limiter = new Limiter([limit], keys_max);
  return (key: string, now_ms: number, amount = 1) =>
    limiter.take([{ limit, key, amount }], now_ms);
}

describe("a rate", () => {
  verifies("limits.exact", "a burst passes, the next is told when and by which limit", () => {
    const limit = rateLimit(4, 2, 3);
    const take = alone(limit);
    for (let i = 0; i < 3; i++) expect(take("a", 1000)).toBeUndefined();
    expect(take("a", 1000)).toMatchObject({ retry_after_ms: 500, remaining: 0, claim: { limit } });
    expect(take("a", 1499)?.retry_after_ms).toBe(1);
    expect(take("a", 1500)).toBeUndefined();
    expect(take("a", 1500)).toBeDefined();
  });

  verifies("limits.exact", "a fraction of a millisecond too early is too early", () => {
    const take = alone(rateLimit(3, 1, 1));
    expect(take("a", 0)).toBeUndefined();
    expect(take("a", 333)?.retry_after_ms).toBe(1);
    expect(take("a", 334)).toBeUndefined();
  });

  verifies(
    "limits.exact",
    "a third of a second, three times, is a second to the millisecond",
    () => {
      const take = alone(rateLimit(3, 1, 3));
      for (let i = 0; i < 300; i++) expect(take("a", i * 1000)).toBeUndefined();
      const now = 28_684_800_001;
      for (let i = 0; i < 3; i++) expect(take("a", now)).toBeUndefined();
      expect([334, 1, 334].map((ms, i) => take("a", now + i * 333)?.retry_after_ms === ms)).toEqual(
        [true, true, false],
      );
    },
  );

  test("one key's use is nothing to another's", () => {
    const take = alone(rateLimit(2, 1, 2));
    while (take("a", 0) === undefined);
    expect(take("b", 0)).toBeUndefined();
  });

  test("idle time never saves up more than the burst", () => {
    const take = alone(rateLimit(10, 1, 3));
    take("a", 0);
    const passed = [1, 2, 3, 4].map(() => take("a", 3_600_000) === undefined);
    expect(passed).toEqual([true, true, true, false]);
  });
});

describe("several limits", () => {
  verifies(
    "limits.exact",
    "a refusal takes nothing, and names what has to be waited for most",
    () => {
      const wide = rateLimit(3, 1, 3, "wide");
      const narrow = rateLimit(1, 60, 1, "narrow");
      const limiter = new Limiter([wide, narrow], 100);
      const both = [wide, narrow].map((limit) => ({ limit, key: "a", amount: 1 }));
      expect(limiter.take(both, 0)).toBeUndefined();
      for (let i = 0; i < 50; i++) {
        expect(limiter.take(both, 0)).toMatchObject({ claim: { limit: narrow } });
      }
      expect(wide.remaining("a", 0)).toBe(2);
      while (limiter.take(both.slice(0, 1), 0) === undefined);
      expect(limiter.take(both, 0)).toMatchObject({ retry_after_ms: 60_000 });
    },
  );
});

describe("the table", () => {
  verifies("limits.bounded", "a full one refuses a new key rather than forget a live one", () => {
    const take = alone(rateLimit(1, 10, 1), 2);
    expect(take("a", 0)).toBeUndefined();
    expect(take("b", 0)).toBeUndefined();
    expect(take("c", 0)).toMatchObject({
      retry_after_ms: 1000,
      claim: { limit: { name: "keys_max", scope: "server" } },
    });
    expect(take("a", 0)).toMatchObject({ claim: { limit: { name: "calls_per_user" } } });
    // Both have run out: their room is free again.
    expect(take("c", 10_000)).toBeUndefined();
  });

  verifies(
    "limits.bounded",
    "a flood of new keys leaves as many as it may hold, and no more",
    () => {
      const limit = rateLimit(1, 3600, 100);
      const limiter = new Limiter([limit], 1000);
      const refused = Array.from({ length: 5000 }, (_, i) =>
        limiter.take([{ limit, key: `stranger-${i}`, amount: 1 }], i),
      ).filter((short) => short !== undefined);
      expect([refused.length, limiter.keys]).toEqual([4000, 1000]);
      expect(limiter.take([{ limit, key: "stranger-7", amount: 1 }], 5000)).toBeUndefined();
    },
  );

  test("room is asked for all new keys at once", () => {
    const limit = rateLimit(2, 1, 2);
    const limiter = new Limiter([limit], 2);
    const claims = (...keys: string[]) => keys.map((key) => ({ limit, key, amount: 1 }));
    expect(limiter.take(claims("a", "b", "c"), 0)).toBeDefined();
    expect(limiter.take(claims("d", "e"), 0)).toBeUndefined();
  });
});

describe("a budget", () => {
  verifies("limits.budget", "is what a day may use, and is there again at midnight UTC", () => {
    const take = alone(new DayBudget("budget_per_user.cost", "user", 10));
    const noon = 12 * 3_600_000;
    expect(take("a", noon, 7)).toBeUndefined();
    expect(take("a", noon, 4)).toMatchObject({ retry_after_ms: DAY_MS - noon, remaining: 3 });
    expect(take("a", noon, 3)).toBeUndefined();
    expect(take("b", noon, 10)).toBeUndefined();
    expect(take("a", DAY_MS - 1, 1)?.retry_after_ms).toBe(1);
    expect(take("a", DAY_MS, 10)).toBeUndefined();
  });

  verifies("limits.budget", "takes the most that a call can use, and gives back the rest", () => {
    const budget = new DayBudget("budget_per_user.bytes", "user", 100);
    const take = alone(budget);
    expect(take("a", 0, 80)).toBeUndefined();
    expect(take("a", 1, 80)).toBeDefined();
    budget.giveBack("a", 80, 5, 0);
    expect(budget.remaining("a", 2)).toBe(95);
    expect(take("a", 3, 80)).toBeUndefined();
    // The next day knows nothing of it.
    expect(take("a", DAY_MS, 1)).toBeUndefined();
    budget.giveBack("a", 80, 0, 3);
    expect(budget.remaining("a", DAY_MS)).toBe(99);
  });

  test("a call that could use more than a whole day's has the day to itself", () => {
    const take = alone(new DayBudget("budget_per_user.bytes", "user", 10));
    expect(take("a", 0, 5000)).toBeUndefined();
    expect(take("a", 1, 1)).toBeDefined();
  });
});

describe("running", () => {
  test("counts in all and per user, and a place is given back once", () => {
    const running = new Running(3, 2);
    const leave = running.enter("a");
    expect([running.enter("a") !== undefined, running.enter("a")]).toEqual([true, undefined]);
    expect(running.fullFor("a")).toBe("user");
    expect(running.enter("b")).toBeDefined();
    expect(running.enter("c")).toBeUndefined();
    expect(running.fullFor("c")).toBe("all");
    leave?.();
    leave?.();
    expect(running.count).toBe(2);
    expect(running.enter("a")).toBeDefined();
    expect(running.enter("a")).toBeUndefined();
  });

  test("is drained when the last has left, or when the time is over", async () => {
    const running = new Running(3, 3);
    await running.drained(60_000);
    const leave = running.enter("a");
    const drained = running.drained(60_000).then(() => "drained");
    leave?.();
    expect(await drained).toBe("drained");
    running.enter("a");
    await running.drained(5);
    expect(running.count).toBe(1);
  });
});
