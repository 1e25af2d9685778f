// Limits: GCRA, one number per key, an injected clock, all keys or none (DESIGN section 5).
// @see ITU-T I.371 annex A (generic cell rate algorithm, virtual scheduling form)
import type { Rate } from "../config/limits.ts";

/** One bucket to take from: which, how fast it fills, and its name for the agent. */
export interface Take {
  readonly key: string;
  readonly scope: string;
  readonly rate: Rate;
}

export type Taken =
  | { readonly taken: true }
  | { readonly taken: false; readonly scope: string; readonly retry_after_ms: number };

export class Limiter {
  /** Theoretical arrival time per key, milliseconds on the caller's clock. */
  private readonly arrivals = new Map<string, number>();
  private readonly keys_max: number;

  constructor(keys_max: number) {
    this.keys_max = keys_max;
  }

  /** Takes one from every bucket, or from none; `now_ms` must be monotonic. */
  take(takes: readonly Take[], now_ms: number): Taken {
    const next: [string, number][] = [];
    for (const { key, scope, rate } of takes) {
      const step_ms = (rate.per_s * 1000) / rate.calls;
      const arrival = Math.max(this.arrivals.get(key) ?? now_ms, now_ms);
      const early_ms = arrival - step_ms * (rate.burst - 1) - now_ms;
      if (early_ms > 0) return { taken: false, scope, retry_after_ms: Math.ceil(early_ms) };
      next.push([key, arrival + step_ms]);
    }
    if (!this.hasRoom(next, now_ms)) {
      return { taken: false, scope: "limiter", retry_after_ms: 1000 };
    }
    for (const [key, arrival] of next) this.arrivals.set(key, arrival);
    return { taken: true };
  }

  // A full map refuses new keys rather than forget a live bucket: forgetting would be a refill.
  private hasRoom(next: readonly [string, number][], now_ms: number): boolean {
    const added = next.filter(([key]) => !this.arrivals.has(key)).length;
    if (this.arrivals.size + added <= this.keys_max) return true;
    for (const [key, arrival] of this.arrivals) {
      if (arrival <= now_ms) this.arrivals.delete(key);
    }
    return this.arrivals.size + added <= this.keys_max;
  }
}

/** How many calls run at once, in all and per user. */
export class Running {
  private readonly perUser = new Map<string, number>();
  private all = 0;
  private onIdle: (() => void) | undefined;
  private readonly all_max: number;
  private readonly per_user_max: number;

  constructor(all_max: number, per_user_max: number) {
    this.all_max = all_max;
    this.per_user_max = per_user_max;
  }

  get count(): number {
    return this.all;
  }

  /** Resolves when nothing runs, or after `ms_max`. */
  async drained(ms_max: number): Promise<void> {
    if (this.all === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms_max);
      this.onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** The way to give the place back, or nothing where there is no place. Idempotent. */
  enter(user: string): (() => void) | undefined {
    const mine = this.perUser.get(user) ?? 0;
    if (this.all >= this.all_max || mine >= this.per_user_max) return undefined;
    this.all++;
    this.perUser.set(user, mine + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.all--;
      const now = (this.perUser.get(user) ?? 1) - 1;
      if (now === 0) this.perUser.delete(user);
      else this.perUser.set(user, now);
      if (this.all === 0) this.onIdle?.();
    };
  }
}
