// Copies of the log on other systems, line by line: each sink has a cursor of its own that survives
// a restart. An optional one never holds a call up; a required one that is too far behind stops
// new calls.
import { mkdirSync, readFileSync, renameSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { LogReader } from "./log-reader.ts";
import { LedgerUnavailable } from "./room.ts";

export interface Lines {
  readonly log_id: string;
  /** Whole lines, with their newlines. */
  readonly bytes: Buffer;
  /** The first one's number, and the last one's. */
  readonly first: number;
  readonly last: number;
}

export interface Sink {
  /** Resolves when the receiver has them, which may be more than once; else rejects. */
  put(lines: Lines): Promise<void>;
}

export interface SinkPlace {
  /** Names it in the configuration, in states, logs and records. */
  readonly name: string;
  readonly sink: Sink;
  /** No call begins while the oldest record that it lacks is older than `lag_ms_max`. */
  readonly required: boolean;
  readonly lag_ms_max: number;
}

interface SinkState {
  readonly name: string;
  readonly copied_to: number;
  readonly behind: boolean;
}

export interface CopiesOptions {
  readonly sinks: readonly SinkPlace[];
  /** The ledger's. */
  readonly folder: string;
  /** Where the cursors are. */
  readonly cursors_folder: string;
  readonly log_id: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told when a sink falls behind its bound, and when it has caught up. */
  readonly onChange: (state: SinkState) => void;
}

const RETRY_MS_FIRST = 250;
const RETRY_MS_MAX = 5000;
const SAMPLE_EVERY_MS = 100;
const CLOSE_MS_MAX = 2000;

/** All sinks of one log. */
export class Copies {
  private readonly copiers: readonly Copier[];

  constructor(options: CopiesOptions) {
    if (options.sinks.length > 0)
      mkdirSync(options.cursors_folder, { recursive: true, mode: 0o700 });
    this.copiers = options.sinks.map((place) => new Copier(place, options));
  }

  /** Everything up to `seq` is durable. Returns at once. */
  follow(seq: number): void {
    for (const copier of this.copiers) copier.follow(seq);
  }

  /** Why no call may begin. */
  closed(): LedgerUnavailable | undefined {
    for (const copier of this.copiers) {
      if (!copier.holdsUp) continue;
      const { name, copied_to } = copier.state;
      const message = `the required sink ${name} is behind since record ${copied_to + 1}`;
      return new LedgerUnavailable("sink_behind", message);
    }
    return undefined;
  }

  /** Every sink has everything up to here; nothing older need be kept for one. */
  get copied_to(): number {
    return Math.min(...this.copiers.map(({ state }) => state.copied_to));
  }

  /** What is behind is tried once more, and waited for only so long. */
  async close(): Promise<void> {
    await Promise.all(this.copiers.map((copier) => copier.close()));
  }
}

class Copier {
  private readonly place: SinkPlace;
  private readonly options: CopiesOptions;
  private readonly reader: LogReader;
  private readonly file: string;
  private copied_to: number;
  private durable: number;
  /** When which records became durable, roughly; the oldest that it lacks is the first. */
  private waiting: { seq: number; at_ms: number }[] = [];
  private running: Promise<void> | undefined;
  private retry: NodeJS.Timeout | undefined;
  private retry_ms = RETRY_MS_FIRST;
  private said_behind = false;
  private closing = false;

  constructor(place: SinkPlace, options: CopiesOptions) {
    this.place = place;
    this.options = options;
    this.reader = new LogReader(options.folder);
    this.file = join(options.cursors_folder, `${place.name}.json`);
    this.copied_to = cursorIn(this.file, options.log_id);
    this.durable = this.copied_to;
  }

  get state(): SinkState {
    return { name: this.place.name, copied_to: this.copied_to, behind: this.behind };
  }

  private get behind(): boolean {
    const [oldest] = this.waiting;
    if (oldest === undefined) return false;
    return this.options.clock.monotonic() - oldest.at_ms > this.place.lag_ms_max;
  }

  get holdsUp(): boolean {
    const { behind } = this;
    this.sayBehind(behind);
    return this.place.required && behind;
  }

  follow(seq: number): void {
    if (seq <= this.durable) return;
    this.durable = seq;
    const at_ms = this.options.clock.monotonic();
    const last = this.waiting.at(-1);
    // The sample is of its oldest record, so that a sink looks behind too early, never too late.
    if (last === undefined || at_ms - last.at_ms >= SAMPLE_EVERY_MS)
      this.waiting.push({ seq, at_ms });
    else last.seq = seq;
    if (this.retry === undefined) this.running ??= this.run();
  }

  async close(): Promise<void> {
    this.closing = true;
    clearTimeout(this.retry);
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS_MAX);
    await Promise.race([this.last(), enough]);
    clearTimeout(timer);
  }

  private async last(): Promise<void> {
    await this.running;
    if (this.copied_to < this.durable) await this.run();
  }

  // One batch under way at a time: a sink that hangs is not asked again meanwhile.
  private async run(): Promise<void> {
    // Never on the way of the call whose record it is.
    await new Promise(setImmediate);
    this.retry = undefined;
    try {
      while (this.copied_to < this.durable) await this.copySome();
      this.retry_ms = RETRY_MS_FIRST;
    } catch (error) {
      this.again(error);
    }
    this.running = undefined;
  }

  private async copySome(): Promise<void> {
    const { log_id } = this.options;
    const lines = this.reader.bytesAfter(this.copied_to, this.durable);
    await this.place.sink.put({ ...lines, log_id });
    await keepCursor(this.file, { log_id, copied_to: lines.last });
    this.copied_to = lines.last;
    this.waiting = this.waiting.filter(({ seq }) => seq > lines.last);
    this.sayBehind(this.behind);
  }

  private again(err: unknown): void {
    this.options.log.warn({ err, sink: this.place.name }, "a sink did not take the log's lines");
    if (this.closing) return;
    this.retry = setTimeout(() => void (this.running = this.run()), this.retry_ms).unref();
    this.retry_ms = Math.min(this.retry_ms * 2, RETRY_MS_MAX);
  }

  private sayBehind(behind: boolean): void {
    if (behind === this.said_behind) return;
    this.said_behind = behind;
    this.options.onChange(this.state);
  }
}

interface Cursor {
  readonly log_id: string;
  readonly copied_to: number;
}

// Of another log, or lost: then everything is sent again, and the receiver knows it by its number.
function cursorIn(file: string, log_id: string): number {
  try {
    const cursor = JSON.parse(readFileSync(file, "utf8")) as Partial<Cursor>;
    const { copied_to } = cursor;
    return cursor.log_id === log_id && Number.isSafeInteger(copied_to) ? Number(copied_to) : 0;
  } catch {
    return 0;
  }
}

async function keepCursor(file: string, cursor: Cursor): Promise<void> {
  const draft = `${file}.tmp`;
  const handle = await open(draft, "w", 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(cursor)}\n`);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  renameSync(draft, file);
}
