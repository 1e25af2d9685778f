// The index follows the log a few milliseconds behind: one transaction for many records, and none
// on a call's way. Nothing is lost by that: a start ingests what the index has not seen, and a
// question lets it catch up first.
import type { LedgerIndex } from "./query.ts";
import type { Line } from "./record.ts";

const BEHIND_MS_MAX = 100;
const BEHIND_LINES_MAX = 256;

export class IndexFollower {
  private readonly index: LedgerIndex;
  /** The index cannot be written: an answer from it would be incomplete from now on. */
  private readonly onFailed: (error: unknown) => void;
  private waiting: Line[] = [];
  private timer: NodeJS.Timeout | undefined;
  private failed = false;

  constructor(index: LedgerIndex, onFailed: (error: unknown) => void) {
    this.index = index;
    this.onFailed = onFailed;
  }

  /** Lines that are durable, in their order. */
  follow(lines: readonly Line[]): void {
    // After a gap nothing may follow: what is missing is found by where the index ends.
    if (this.failed) return;
    this.waiting.push(...lines);
    if (this.waiting.length >= BEHIND_LINES_MAX) this.catchUp();
    else this.timer ??= setTimeout(() => this.catchUp(), BEHIND_MS_MAX);
  }

  /** Everything that was durable before is in the index afterwards. */
  catchUp(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const lines = this.waiting;
    this.waiting = [];
    try {
      this.index.ingest(lines);
    } catch (error) {
      this.failed = true;
      this.onFailed(error);
    }
  }
}
