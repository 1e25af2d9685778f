// One limit, and what is taken from several at once: from each of them, or from none.
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";

/** So much of something, for each key: a user, a session, a tool. Times are whole milliseconds. */
export interface Limit {
  /** As the configuration calls it. */
  readonly name: string;
  /** Whom or what it holds for, in words. */
  readonly scope: string;
  readonly size: number;
  has(key: string): boolean;
  /** Milliseconds until `amount` can be taken; 0 where it can be now. */
  wait(key: string, amount: number, now_ms: number): number;
  /** Only after `wait` said 0. */
  take(key: string, amount: number, now_ms: number): void;
  remaining(key: string, now_ms: number): number;
  /** Forgets the keys of which everything is there again. */
  sweep(now_ms: number): void;
}

export interface Claim {
  readonly limit: Limit;
  readonly key: string;
  readonly amount: number;
}

/** The claim that has to wait longest, and how long: then all the others can be taken, too. */
export interface Short {
  readonly claim: Claim;
  readonly retry_after_ms: number;
  readonly remaining: number;
}

const SWEPT_EVERY_MS = 1000;

/** The table of all limits. Bounded: a full one refuses new keys rather than forget a live one. */
export class Limiter {
  private readonly limits: readonly Limit[];
  private readonly full: Limit;
  private readonly keys_max: number;
  private swept_ms = Number.NEGATIVE_INFINITY;

  constructor(limits: readonly Limit[], keys_max: number) {
    this.limits = limits;
    this.keys_max = keys_max;
    this.full = new Full();
  }

  get keys(): number {
    let keys = 0;
    for (const { size } of this.limits) keys += size;
    return keys;
  }

  /** Takes every claim, or none and says which is short; `now_ms` never goes back. */
  take(claims: readonly Claim[], now_ms: number): Short | undefined {
    let longest: Claim | undefined;
    let retry_after_ms = 0;
    for (const claim of claims) {
      const wait_ms = claim.limit.wait(claim.key, claim.amount, now_ms);
      if (wait_ms <= retry_after_ms) continue;
      longest = claim;
      retry_after_ms = wait_ms;
    }
    if (longest !== undefined) {
      const remaining = longest.limit.remaining(longest.key, now_ms);
      return { claim: longest, retry_after_ms, remaining };
    }
    if (!this.hasRoom(claims, now_ms)) {
      const claim = { limit: this.full, key: "", amount: 1 };
      return { claim, retry_after_ms: SWEPT_EVERY_MS, remaining: 0 };
    }
    for (const { limit, key, amount } of claims) limit.take(key, amount, now_ms);
    return undefined;
  }

  /** As `take`, of what has happened already: it counts, whether there was room for it or not. */
  owe(claims: readonly Claim[], now_ms: number): void {
    this.hasRoom(claims, now_ms);
    for (const { limit, key, amount } of claims) limit.take(key, amount, now_ms);
  }

  private hasRoom(claims: readonly Claim[], now_ms: number): boolean {
    if (this.keys + claims.length <= this.keys_max) return true;
    const added = claims.filter(({ limit, key }) => !limit.has(key)).length;
    if (this.keys + added <= this.keys_max) return true;
    // Not for each refused call: whoever fills the table must not make it slow as well.
    if (now_ms - this.swept_ms < SWEPT_EVERY_MS) return false;
    this.swept_ms = now_ms;
    for (const limit of this.limits) limit.sweep(now_ms);
    return this.keys + added <= this.keys_max;
  }
}

/** The limit that a full table is. */
class Full implements Limit {
  readonly name = "keys_max";
  readonly scope = "server";
  readonly size = 0;
  has(): boolean {
    return false;
  }
  wait(): number {
    return SWEPT_EVERY_MS;
  }
  take(): void {
    throw new Error("nothing can be taken from a full table");
  }
  remaining(): number {
    return 0;
  }
  sweep(): void {}
}

/** What whoever is short is told. */
export function rateLimited({ claim, retry_after_ms, remaining }: Short): Refusal {
  const { name, scope } = claim.limit;
  return refusal("rate_limited", {
    reason: `The limit ${name} is reached.`,
    retry_after_ms,
    details: { limit: name, scope, remaining },
  });
}
