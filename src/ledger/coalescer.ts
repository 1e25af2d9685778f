// Refusals are recorded one by one until they repeat; then they are counted (DESIGN section 4).
// The same request over and over is one loop; so is one session that is refused for one reason
// with ever other arguments.
import type { Clock } from "../kernel/clock.ts";
import { digestOf } from "../kernel/ids.ts";
import type { RefusalRecord } from "./record.ts";
import { comparable } from "./seal.ts";

const WINDOW_MS = 10_000;
const SAME_WRITTEN_MAX = 5;
const SIMILAR_WRITTEN_MAX = 50;
const KEYS_MAX = 10_000;

interface Repeated {
  readonly until_ms: number;
  written: number;
  /** How many were only counted, and the newest of them. */
  held: number;
  last: RefusalRecord;
}

export class Coalescer {
  private readonly clock: Clock;
  private readonly repeated = new Map<string, Repeated>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** True where the record is to be written; false where it was counted. */
  admits(record: RefusalRecord): boolean {
    const { session, tool, error_code, args } = record;
    const code = error_code ?? "";
    const same = this.find(digestOf("same", session, tool, code, comparable(args)), record);
    const similar = this.find(digestOf("similar", session, code), record);
    const full =
      (same.written >= SAME_WRITTEN_MAX && same) ||
      (similar.written >= SIMILAR_WRITTEN_MAX && similar);
    if (full) {
      full.held++;
      full.last = record;
      return false;
    }
    same.written++;
    similar.written++;
    return true;
  }

  private find(key: string, last: RefusalRecord): Repeated {
    const found = this.repeated.get(key);
    if (found !== undefined) return found;
    const fresh = { until_ms: this.clock.monotonic() + WINDOW_MS, written: 0, held: 0, last };
    // Beyond the bound nothing is remembered, so everything is written: never the other way.
    if (this.repeated.size < KEYS_MAX) this.repeated.set(key, fresh);
    return fresh;
  }

  /** Takes what was counted: of the windows that ended, or of all. */
  counted(all: boolean): RefusalRecord[] {
    const now_ms = this.clock.monotonic();
    const due: RefusalRecord[] = [];
    for (const [key, { until_ms, held, last }] of this.repeated) {
      // All windows are equally long, so the first that is not over ends the search.
      if (!all && until_ms > now_ms) break;
      this.repeated.delete(key);
      if (held > 0) due.push({ ...last, count: held });
    }
    return due;
  }
}
