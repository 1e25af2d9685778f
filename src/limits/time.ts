// Time as limits count it: it goes on evenly, and never back, whatever becomes of the wall clock.
import type { Clock } from "../kernel/clock.ts";

export const DAY_MS = 86_400_000;

/** A midnight that the numbers stay small from: whole ticks must fit a double. */
const EPOCH_MS = Date.UTC(2026, 0, 1);
/** What a clock may be set by, little by little, without being said. */
const SLEW_MS = 1000;

export class LimitTime {
  private readonly clock: Clock;
  /** The wall clock was set: ahead, or back (less than 0), by so much. */
  private readonly onJump: (by_ms: number) => void;
  private start_ms: number;
  private start_monotonic: number;
  private ahead_ms = 0;

  constructor(clock: Clock, onJump: (by_ms: number) => void) {
    this.clock = clock;
    this.onJump = onJump;
    this.start_ms = clock.now() - EPOCH_MS;
    this.start_monotonic = clock.monotonic();
  }

  /** Whole milliseconds. */
  now(): number {
    const passed = Math.floor(this.clock.monotonic() - this.start_monotonic);
    const now_ms = this.start_ms + Math.max(0, passed);
    const jump = this.clock.now() - EPOCH_MS - now_ms - this.ahead_ms;
    if (Math.abs(jump) > SLEW_MS) {
      this.ahead_ms += jump;
      this.onJump(jump);
    }
    return now_ms;
  }

  get wall_ms(): number {
    return this.clock.now();
  }

  /** When a record was written, on this time, whose clock had been set by so much since. */
  of(wall_ms: number, jumped_ms: number): number {
    return wall_ms - EPOCH_MS - jumped_ms;
  }

  /**
   * Goes on where the last run stopped. `jumped_ms`: by how much the clock had been set since the
   * oldest record that counts; `last_ms`: the newest's time. What it was set back by while nothing
   * ran is no time that passed, and is said, so that the next run knows.
   */
  resume(jumped_ms: number, last_ms: number): void {
    const wall_ms = this.clock.now() - EPOCH_MS - jumped_ms;
    this.start_ms = Math.max(wall_ms, last_ms);
    this.start_monotonic = this.clock.monotonic();
    this.ahead_ms = wall_ms - this.start_ms + jumped_ms;
    if (wall_ms < last_ms) this.onJump(wall_ms - last_ms);
  }
}
