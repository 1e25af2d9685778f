// Refusals are recorded one by one until they repeat; then they are counted (DESIGN section 4).
// The same request over and over is one loop; so is one session that is refused for one reason
// with ever other arguments.
import type { Clock } from "../kernel/clock.ts";
import { digestOf } from "../kernel/ids.ts";
import { fitLine } from "./fit.ts";
import type { DigestOf } from "./query.ts";
import type { RefusalRecord } from "./record.ts";
import { comparable } from "./seal.ts";
import { textOf } from "./weigh.ts";

const WINDOW_MS = 10_000;
/** A loop that goes on is written ever more seldom, down to this. */
const COUNTED_EVERY_MS_MAX = 60_000;
const SAME_WRITTEN_MAX = 5;
const SIMILAR_WRITTEN_MAX = 50;
/** Fewer than so many of each kind are lost with a process that is killed. */
const HELD_MAX = 1000;
const KEYS_MAX = 10_000;
/** Of the first few everything is kept; the lines that a loop adds after them stay short. */
const WHOLE_MAX = 5;
const SHORT_BYTES_MAX = 2048;

interface Repeated {
  until_ms: number;
  written: number;
  /** Whether there was one since the window began. */
  seen: boolean;
  due_ms: number;
  wait_ms: number;
  /** How many were only counted, and the newest of them. */
  held: number;
  last: RefusalRecord;
}

export class Coalescer {
  private readonly clock: Clock;
  private readonly append: (record: RefusalRecord) => Promise<void>;
  private readonly digest: DigestOf;
  private readonly repeated = new Map<string, Repeated>();

  constructor(clock: Clock, append: (record: RefusalRecord) => Promise<void>, digest: DigestOf) {
    this.clock = clock;
    this.append = append;
    this.digest = digest;
  }

  /** Durable, or counted into a record that will be. */
  async write(record: RefusalRecord): Promise<void> {
    const due = this.admit(record);
    if (due !== undefined) await this.writeOne(due);
  }

  /** Writes what was counted: of the windows that ended, or of all. Never rejects. */
  async writeCounted(all: boolean): Promise<void> {
    await Promise.allSettled(this.counted(all).map((record) => this.writeOne(record)));
  }

  // Where there turns out to be no room for it, it goes on being counted.
  private async writeOne(record: RefusalRecord): Promise<void> {
    try {
      await this.append(record);
    } catch (error) {
      this.hold(record);
      throw error;
    }
  }

  /** What is to be written of it: itself, nothing where it was counted, or a count that is full. */
  private admit(record: RefusalRecord): RefusalRecord | undefined {
    const { session, tool, error_code, args } = record;
    const code = error_code ?? "";
    const similar = this.find(digestOf("similar", session, code), record);
    if (similar.written >= SIMILAR_WRITTEN_MAX) return this.counting(similar, record);
    const same = this.find(digestOf("same", session, code, comparable([tool, args])), record);
    if (same.written >= SAME_WRITTEN_MAX) return this.counting(same, record);
    same.written++;
    similar.written++;
    return similar.written <= WHOLE_MAX ? record : this.short(record);
  }

  private counting(repeated: Repeated, record: RefusalRecord): RefusalRecord | undefined {
    count(repeated, record);
    return repeated.held < HELD_MAX ? undefined : this.taken(repeated);
  }

  /** Counted and never written by itself, one or a count of them: there is no room for it now. */
  hold(record: RefusalRecord): void {
    const { session, error_code } = record;
    count(this.find(digestOf("similar", session, error_code ?? ""), record), record);
  }

  private find(key: string, last: RefusalRecord): Repeated {
    const found = this.repeated.get(key);
    if (found !== undefined) return found;
    const until_ms = this.clock.monotonic() + WINDOW_MS;
    const due = { due_ms: until_ms, wait_ms: WINDOW_MS };
    const fresh: Repeated = { until_ms, written: 0, seen: false, ...due, held: 0, last };
    // Beyond the bound nothing is remembered, so everything is written: never the other way.
    if (this.repeated.size < KEYS_MAX) this.repeated.set(key, fresh);
    return fresh;
  }

  private counted(all: boolean): RefusalRecord[] {
    const now_ms = this.clock.monotonic();
    const due: RefusalRecord[] = [];
    for (const [key, repeated] of this.repeated) {
      const over = repeated.until_ms <= now_ms;
      // All windows are equally long, so the first that is not over ends the search.
      if (!all && !over) break;
      const { seen } = repeated;
      if (repeated.held > 0 && (all || !seen || repeated.due_ms <= now_ms)) {
        due.push(this.taken(repeated));
        repeated.wait_ms = Math.min(repeated.wait_ms * 2, COUNTED_EVERY_MS_MAX);
        repeated.due_ms = now_ms + repeated.wait_ms;
      }
      if (over) this.repeated.delete(key);
      if (!seen) continue;
      // A loop that goes on is only counted, until a window without it.
      repeated.written = Number.POSITIVE_INFINITY;
      if (!over) continue;
      Object.assign(repeated, { seen: false, until_ms: now_ms + WINDOW_MS });
      this.repeated.set(key, repeated);
    }
    return due;
  }

  private taken(repeated: Repeated): RefusalRecord {
    const { held, last } = repeated;
    repeated.held = 0;
    return this.short({ ...last, count: held });
  }

  private short(record: RefusalRecord): RefusalRecord {
    const digest = (value: unknown): string => this.digest(record.tenant, textOf(value));
    return fitLine(record, digest, SHORT_BYTES_MAX);
  }
}

function count(repeated: Repeated, last: RefusalRecord): void {
  repeated.held += last.count;
  repeated.seen = true;
  repeated.last = last;
}
