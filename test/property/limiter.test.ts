// GCRA against a model that refills a leaky bucket: same decisions, same waiting times.
import * as fc from "fast-check";
import { expect } from "vitest";
import { Limiter } from "../../src/limits/limiter.ts";
import { verifies } from "../verifies.ts";

const SEED = { seed: 20_261_123, numRuns: 800 };

const rate = fc
  .record({
    calls: fc.constantFrom(1, 2, 4, 5, 10, 100),
    per_s: fc.constantFrom(1, 2, 10),
    burst: fc.integer({ min: 1, max: 6 }),
  })
  .map((one) => ({ ...one, burst: Math.min(one.burst, one.calls) }));

/** A bucket that holds `burst` and gains one per step; all in whole microseconds. */
class Bucket {
  private debt_us = 0;
  private last_us = 0;
  wait(step_us: number, burst: number, now_us: number): number {
    this.debt_us = Math.max(0, this.debt_us - (now_us - this.last_us));
    this.last_us = now_us;
    return Math.max(0, this.debt_us - step_us * (burst - 1));
  }
  pay(step_us: number): void {
    this.debt_us += step_us;
  }
}

const gaps = fc.array(fc.integer({ min: 0, max: 1500 }), { minLength: 1, maxLength: 60 });

verifies("limits.exact", "every decision and every waiting time is the model's", () => {
  let refused = 0;
  fc.assert(
    fc.property(fc.array(rate, { minLength: 1, maxLength: 3 }), gaps, (rates, steps) => {
      const limiter = new Limiter(100);
      const buckets = rates.map(() => new Bucket());
      let now = 5000;
      for (const gap of steps) {
        now += gap;
        const waits = rates.map(({ calls, per_s, burst }, i) => {
          const step_us = (per_s * 1_000_000) / calls;
          return buckets[i]?.wait(step_us, burst, now * 1000) ?? 0;
        });
        const takes = rates.map((one, i) => ({ key: `k${i}`, scope: `s${i}`, rate: one }));
        const taken = limiter.take(takes, now);
        const first = waits.findIndex((wait) => wait > 0);
        if (first === -1) {
          expect(taken).toEqual({ taken: true });
          rates.forEach(({ calls, per_s }, i) => buckets[i]?.pay((per_s * 1_000_000) / calls));
        } else {
          refused++;
          const retry_after_ms = Math.ceil((waits[first] ?? 0) / 1000);
          expect(taken).toEqual({ taken: false, scope: `s${first}`, retry_after_ms });
        }
      }
    }),
    SEED,
  );
  expect(refused).toBeGreaterThan(1000);
});

verifies("limits.exact", "1 ms before retry_after_ms it is refused, at it it is accepted", () => {
  fc.assert(
    fc.property(rate, fc.integer({ min: 0, max: 100_000 }), (its, start) => {
      const limiter = new Limiter(10);
      const takes = [{ key: "k", scope: "s", rate: its }];
      let last = limiter.take(takes, start);
      while (last.taken) last = limiter.take(takes, start);
      const at = start + last.retry_after_ms;
      expect(limiter.take(takes, at - 1).taken).toBe(false);
      expect(limiter.take(takes, at).taken).toBe(true);
    }),
    SEED,
  );
});

verifies(
  "limits.exact",
  "in any window no more pass than the burst and what the window refills",
  () => {
    fc.assert(
      fc.property(rate, gaps, (its, steps) => {
        const limiter = new Limiter(10);
        const passed: number[] = [];
        let now = 0;
        for (const gap of steps) {
          now += gap;
          if (limiter.take([{ key: "k", scope: "s", rate: its }], now).taken) passed.push(now);
        }
        const step_ms = (its.per_s * 1000) / its.calls;
        passed.forEach((from, i) => {
          passed.slice(i).forEach((to, j) => {
            expect(j + 1).toBeLessThanOrEqual(its.burst + Math.floor((to - from) / step_ms));
          });
        });
      }),
      SEED,
    );
  },
);
