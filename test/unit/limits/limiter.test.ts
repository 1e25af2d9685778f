// Limits: exact to the millisecond, all or nothing, and never forgetful under pressure.
import { describe, expect, test } from "vitest";
import { Limiter, Running } from "../../../src/limits/limiter.ts";
import type { Take } from "../../../src/limits/limiter.ts";
import { verifies } from "../../verifies.ts";

const rate = (calls: number, per_s: number, burst: number) => ({ calls, per_s, burst });
const take = (key: string, its = rate(2, 1, 2)): Take => ({ key, scope: key, rate: its });

describe("limiter", () => {
  verifies(
    "limits.exact",
    "a burst passes, the next is told when, refused 1 ms before and accepted at it",
    () => {
      const limiter = new Limiter(100);
      const bucket = [take("a", rate(4, 2, 3))];
      for (let i = 0; i < 3; i++) expect(limiter.take(bucket, 1000)).toEqual({ taken: true });
      const refused = limiter.take(bucket, 1000);
      expect(refused).toEqual({ taken: false, scope: "a", retry_after_ms: 500 });
      expect(limiter.take(bucket, 1499)).toEqual({ taken: false, scope: "a", retry_after_ms: 1 });
      expect(limiter.take(bucket, 1500)).toEqual({ taken: true });
      expect(limiter.take(bucket, 1500).taken).toBe(false);
    },
  );

  verifies("limits.exact", "a fraction of a millisecond too early is too early", () => {
    const limiter = new Limiter(100);
    const bucket = [take("a", rate(3, 1, 1))];
    expect(limiter.take(bucket, 0).taken).toBe(true);
    expect(limiter.take(bucket, 333)).toEqual({ taken: false, scope: "a", retry_after_ms: 1 });
    expect(limiter.take(bucket, 334).taken).toBe(true);
  });

  verifies("limits.exact", "a refusal takes nothing, from any bucket", () => {
    const limiter = new Limiter(100);
    const wide = take("wide", rate(3, 1, 3));
    const narrow = take("narrow", rate(1, 1, 1));
    expect(limiter.take([wide, narrow], 0).taken).toBe(true);
    for (let i = 0; i < 50; i++) {
      expect(limiter.take([wide, narrow], 0)).toMatchObject({ taken: false, scope: "narrow" });
    }
    expect(limiter.take([wide], 0).taken).toBe(true);
    expect(limiter.take([wide], 0).taken).toBe(true);
    expect(limiter.take([wide], 0).taken).toBe(false);
  });

  test("one key's use is nothing to another's", () => {
    const limiter = new Limiter(100);
    while (limiter.take([take("a")], 0).taken);
    expect(limiter.take([take("b")], 0).taken).toBe(true);
  });

  test("idle time never saves up more than the burst", () => {
    const limiter = new Limiter(100);
    const bucket = [take("a", rate(10, 1, 3))];
    limiter.take(bucket, 0);
    const later = 3_600_000;
    const passed = [1, 2, 3, 4].map(() => limiter.take(bucket, later).taken);
    expect(passed).toEqual([true, true, true, false]);
  });

  test("a full map refuses a new key rather than forget a live one", () => {
    const limiter = new Limiter(2);
    const tight = rate(1, 10, 1);
    expect(limiter.take([take("a", tight)], 0).taken).toBe(true);
    expect(limiter.take([take("b", tight)], 0).taken).toBe(true);
    expect(limiter.take([take("c", tight)], 0)).toEqual({
      taken: false,
      scope: "limiter",
      retry_after_ms: 1000,
    });
    expect(limiter.take([take("a", tight)], 0)).toMatchObject({ scope: "a" });
    // Both have run out: their room is free again.
    expect(limiter.take([take("c", tight)], 10_000).taken).toBe(true);
  });

  test("room is asked for all new keys at once", () => {
    const limiter = new Limiter(2);
    expect(limiter.take([take("a"), take("b"), take("c")], 0).taken).toBe(false);
    expect(limiter.take([take("d"), take("e")], 0).taken).toBe(true);
  });
});

describe("running", () => {
  test("counts in all and per user, and a place is given back once", () => {
    const running = new Running(3, 2);
    const leave = running.enter("a");
    expect([running.enter("a") !== undefined, running.enter("a")]).toEqual([true, undefined]);
    expect(running.enter("b")).toBeDefined();
    expect(running.enter("c")).toBeUndefined();
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
