// A budget: so much a day, from midnight to midnight UTC.
import { DAY_MS } from "./time.ts";
import type { Limit } from "./limit.ts";

export class DayBudget implements Limit {
  readonly name: string;
  readonly scope: string;
  private readonly max: number;
  private readonly spent = new Map<string, number>();
  private day = Number.NEGATIVE_INFINITY;

  constructor(name: string, scope: string, max: number) {
    this.name = name;
    this.scope = scope;
    this.max = max;
  }

  get size(): number {
    return this.spent.size;
  }

  has(key: string): boolean {
    return this.spent.has(key);
  }

  wait(key: string, amount: number, now_ms: number): number {
    this.turn(now_ms);
    if ((this.spent.get(key) ?? 0) + this.within(amount) <= this.max) return 0;
    return (this.day + 1) * DAY_MS - now_ms;
  }

  take(key: string, amount: number, now_ms: number): void {
    this.turn(now_ms);
    this.spent.set(key, (this.spent.get(key) ?? 0) + this.within(amount));
  }

  /** Of what was taken at `taken_ms`, so much was not used. */
  giveBack(key: string, taken: number, used: number, taken_ms: number): void {
    const spent = this.spent.get(key);
    // What was taken yesterday is forgotten with its day.
    if (spent === undefined || Math.floor(taken_ms / DAY_MS) !== this.day) return;
    this.spent.set(key, spent - this.within(taken) + used);
  }

  remaining(key: string, now_ms: number): number {
    this.turn(now_ms);
    return Math.max(0, this.max - (this.spent.get(key) ?? 0));
  }

  sweep(now_ms: number): void {
    this.turn(now_ms);
  }

  // One call that could use more than a whole day's has the day to itself: it is not shut out.
  private within(amount: number): number {
    return Math.min(amount, this.max);
  }

  private turn(now_ms: number): void {
    const day = Math.floor(now_ms / DAY_MS);
    if (day <= this.day) return;
    this.day = day;
    this.spent.clear();
  }
}
