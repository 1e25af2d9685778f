// GCRA against a reference limiter of ten lines: same decisions, same waiting times, to the
// millisecond and for any rate.
import * as fc from "fast-check";
import { expect } from "vitest";
import type { Rate } from "../../src/config/limits.ts";
import { Limiter } from "../../src/limits/limit.ts";
import type { Claim } from "../../src/limits/limit.ts";
import { RateLimit } from "../../src/limits/rate.ts";
import { verifies } from "../verifies.ts";

const SEED = { seed: 20_261_123, numRuns: 800 };

/** The reference: a bucket that leaks, in whole (1/calls) milliseconds. */
class Reference {
  private owed = 0n;
  private last_ms = 0n;
  wait(rate: Rate, now_ms: number): number {
    const [calls, call] = [BigInt(rate.calls), BigInt(rate.per_s * 1000)];
    this.owed -= (BigInt(now_ms) - this.last_ms) * calls;
    if (this.owed < 0n) this.owed = 0n;
    this.last_ms = BigInt(now_ms);
    const over = this.owed + call - BigInt(rate.burst) * call;
    return over > 0n ? Number((over + calls - 1n) / calls) : 0;
  }
  pay = (rate: Rate): bigint => (this.owed += BigInt(rate.per_s * 1000));
}

const rate = fc.record({
  calls: fc.constantFrom(1, 2, 3, 7, 10, 100, 997),
  per_s: fc.constantFrom(1, 2, 10, 11, 3600),
  burst: fc.integer({ min: 1, max: 6 }),
});
/** Between two calls: often nothing, sometimes as long as a call of the slower rates takes. */
const gap = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 1500 }),
  fc.integer({ min: 1, max: 4_000_000 }),
);
const gaps = fc.array(gap, { minLength: 1, maxLength: 60 });
const claim = (limit: RateLimit, key = "k"): Claim => ({ limit, key, amount: 1 });
const start = fc.constantFrom(0, 5000, 28_684_800_123);

verifies("limits.exact", "every decision and every waiting time is the reference's", () => {
  let refused = 0;
  fc.assert(
    fc.property(fc.array(rate, { minLength: 1, maxLength: 4 }), gaps, start, (rates, steps, at) => {
      const limits = rates.map((one, i) => new RateLimit(`l${i}`, "user", one));
      const limiter = new Limiter(limits, 100);
      const references = rates.map(() => new Reference());
      let now = at;
      for (const step of steps) {
        now += step;
        const waits = references.map((one, i) => one.wait(rates[i] as Rate, now));
        const short = limiter.take(
          limits.map((one) => claim(one)),
          now,
        );
        const longest = Math.max(...waits);
        expect(short?.retry_after_ms ?? 0).toBe(longest);
        if (short === undefined) references.forEach((one, i) => one.pay(rates[i] as Rate));
        else {
          refused++;
          expect(short.claim.limit.name).toBe(`l${waits.indexOf(longest)}`);
          expect(short.remaining).toBe(0);
        }
      }
    }),
    SEED,
  );
  expect(refused).toBeGreaterThan(1000);
});

verifies("limits.exact", "1 ms before retry_after_ms it is refused, at it it is accepted", () => {
  fc.assert(
    fc.property(fc.array(rate, { minLength: 1, maxLength: 4 }), start, (rates, at) => {
      const limits = rates.map((one, i) => new RateLimit(`l${i}`, "user", one));
      const limiter = new Limiter(limits, 10);
      const claims = limits.map((one) => claim(one));
      let short = limiter.take(claims, at);
      while (short === undefined) short = limiter.take(claims, at);
      const then = at + short.retry_after_ms;
      expect(limiter.take(claims, then - 1)).toBeDefined();
      expect(limiter.take(claims, then)).toBeUndefined();
    }),
    SEED,
  );
});

verifies(
  "limits.exact",
  "in any window no more pass than the burst and what the window brings back",
  () => {
    fc.assert(
      fc.property(rate, gaps, (its, steps) => {
        const limit = new RateLimit("l", "user", its);
        const limiter = new Limiter([limit], 10);
        const passed: number[] = [];
        let now = 0;
        for (const step of steps) {
          now += step;
          if (limiter.take([claim(limit)], now) === undefined) passed.push(now);
        }
        passed.forEach((from, i) => {
          passed.slice(i).forEach((to, j) => {
            const back = Math.floor(((to - from) * its.calls) / (its.per_s * 1000));
            expect(j + 1).toBeLessThanOrEqual(its.burst + back);
          });
        });
      }),
      SEED,
    );
  },
);

verifies("limits.exact", "what is refused leaves every bucket as it was, whoever is short", () => {
  const keys = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 2, maxLength: 2 });
  const steps = fc.array(fc.tuple(gap, keys), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(rate, rate, steps, (one, two, asked) => {
      const limits = [new RateLimit("one", "user", one), new RateLimit("two", "tool", two)];
      const limiter = new Limiter(limits, 100);
      let now = 0;
      for (const [step, names] of asked) {
        now += step;
        const claims = limits.map((limit, i) => claim(limit, names[i]));
        const left = (): number[] => claims.map(({ limit, key }) => limit.remaining(key, now));
        const before = left();
        const short = limiter.take(claims, now);
        const taken = short === undefined ? 1 : 0;
        expect(left()).toEqual(before.map((n) => n - taken));
        expect(short === undefined).toBe(before.every((n) => n > 0));
      }
    }),
    SEED,
  );
});
