// A rate: GCRA, one whole number per key (DESIGN section 5).
// @see ITU-T I.371 annex A (generic cell rate algorithm, virtual scheduling form)
import { ticksOf } from "../config/limits.ts";
import type { Rate } from "../config/limits.ts";
import type { Limit } from "./limit.ts";

export class RateLimit implements Limit {
  readonly name: string;
  readonly scope: string;
  /** How long a bucket remembers: from empty to full. */
  readonly refill_ms: number;
  /** In ticks: when the next call is due, were calls to come evenly. None where all is there. */
  private readonly arrivals = new Map<string, number>();
  private readonly per_ms: number;
  private readonly per_call: number;
  private readonly burst: number;

  constructor(name: string, scope: string, rate: Rate) {
    this.name = name;
    this.scope = scope;
    const { per_ms, per_call } = ticksOf(rate);
    this.per_ms = per_ms;
    this.per_call = per_call;
    this.burst = rate.burst;
    this.refill_ms = Math.ceil((this.burst * per_call) / per_ms);
  }

  get size(): number {
    return this.arrivals.size;
  }

  has(key: string): boolean {
    return this.arrivals.has(key);
  }

  wait(key: string, amount: number, now_ms: number): number {
    const debt = this.debt(key, now_ms);
    const over = debt + amount * this.per_call - this.burst * this.per_call;
    return over > 0 ? Math.ceil(over / this.per_ms) : 0;
  }

  take(key: string, amount: number, now_ms: number): void {
    const due = now_ms * this.per_ms + this.debt(key, now_ms);
    this.arrivals.set(key, due + amount * this.per_call);
  }

  remaining(key: string, now_ms: number): number {
    return Math.max(0, Math.floor(this.burst - this.debt(key, now_ms) / this.per_call));
  }

  sweep(now_ms: number): void {
    for (const [key, arrival] of this.arrivals) {
      if (arrival <= now_ms * this.per_ms) this.arrivals.delete(key);
    }
  }

  private debt(key: string, now_ms: number): number {
    const arrival = this.arrivals.get(key);
    return arrival === undefined ? 0 : Math.max(0, arrival - now_ms * this.per_ms);
  }
}
