// The security log of strangers: bounded, so that no flood of bad tokens fills a disk.
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "./log.ts";

const LINES_PER_WINDOW = 50;
const WINDOW_MS = 10_000;

/** At most fifty lines in ten seconds; the next window begins with how many were left out. */
export class BoundedLog {
  private readonly log: Logger;
  private readonly clock: Clock;
  private readonly message: string;
  private began_ms = Number.NEGATIVE_INFINITY;
  private written = 0;

  constructor(log: Logger, clock: Clock, message: string) {
    this.log = log;
    this.clock = clock;
    this.message = message;
  }

  note(fields: Readonly<Record<string, unknown>>): void {
    const now_ms = this.clock.monotonic();
    if (now_ms - this.began_ms >= WINDOW_MS) {
      const left_out = this.written - LINES_PER_WINDOW;
      if (left_out > 0) this.log.warn({ left_out }, `${this.message}: lines were left out`);
      this.began_ms = now_ms;
      this.written = 0;
    }
    this.written++;
    if (this.written <= LINES_PER_WINDOW) this.log.info(fields, this.message);
  }
}
