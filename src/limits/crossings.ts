// Who reached which limit is told once, and again when a while has passed: not with each refusal.
const AGAIN_MS = 60_000;
const CROSSINGS_MAX = 10_000;

export class Crossings {
  /** Oldest first. */
  private readonly told = new Map<string, number>();

  /** True where this one is to be told now. */
  admits(limit: string, session: string, now_ms: number): boolean {
    const key = `${limit} ${session}`;
    const told_ms = this.told.get(key);
    if (told_ms !== undefined && now_ms - told_ms < AGAIN_MS) return false;
    this.told.delete(key);
    for (const [oldest, at_ms] of this.told) {
      if (now_ms - at_ms < AGAIN_MS) break;
      this.told.delete(oldest);
    }
    // More than that are not told one by one: each refused call is on record all the same.
    if (this.told.size >= CROSSINGS_MAX) return false;
    this.told.set(key, now_ms);
    return true;
  }
}
