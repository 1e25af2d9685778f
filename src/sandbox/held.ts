// One isolated process as its host holds it: an eye on what it uses, and one reason for its end.
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import type { IsolatedProcess } from "./backend.ts";

const STDERR_CHARS_MAX = 16_384;
const UNREAD_BYTES_MAX = 32 * 1024 * 1024;

export class Held {
  /** Resolves when it is gone, with why. */
  readonly gone: Promise<Refusal>;
  private readonly process: IsolatedProcess;
  private readonly rss_bytes_max: number;
  private why: Refusal | undefined;
  private watching: NodeJS.Timeout | undefined;
  private dead = false;
  /** The end of what it wrote to its standard error. */
  private said = "";

  /** `ended` says why it is gone where nobody here ended it. */
  constructor(
    isolated: IsolatedProcess,
    rss_bytes_max: number,
    ended: (how: string, said: string) => Refusal,
  ) {
    this.process = isolated;
    this.rss_bytes_max = rss_bytes_max;
    this.gone = isolated.exited.then((how) => {
      this.dead = true;
      this.unwatch();
      // V8 aborts where its heap is full.
      const full = /heap out of memory|allocation failed|Zone Allocation/i.test(this.said);
      return this.why ?? (full ? overLimit("memory") : ended(how, this.said));
    });
    // Read and forgotten beyond a bound: a full pipe would hang it, and tell nobody why.
    isolated.stderr.on("data", (chunk: Buffer) => {
      this.said = (this.said + chunk.toString()).slice(-STDERR_CHARS_MAX);
    });
  }

  get alive(): boolean {
    return !this.dead && !this.ending;
  }

  /** Somebody ended it: what it still says counts for nothing. */
  get ending(): boolean {
    return this.why !== undefined;
  }

  write(bytes: Buffer | string): void {
    const { stdin } = this.process;
    if (!this.alive) return;
    // It asks, and does not read what it is answered.
    if (stdin.writableLength > UNREAD_BYTES_MAX) return this.destroy(overLimit("unread answers"));
    stdin.write(bytes);
  }

  /** Looks every so often, and ends it when it uses more than it may from now on. */
  watch(cpu_ms_max: number, every_ms: number): void {
    this.unwatch();
    const from_ms = this.cpu_ms;
    this.watching = setInterval(() => {
      const used = this.process.usage();
      if (used === undefined) return;
      if (used.rss_bytes > this.rss_bytes_max) this.destroy(overLimit("memory"));
      else if (used.cpu_ms - from_ms > cpu_ms_max) this.destroy(overLimit("processor time"));
    }, every_ms);
    this.watching.unref();
  }

  unwatch(): void {
    clearInterval(this.watching);
  }

  /** Processor time so far; 0 where the system does not say. */
  get cpu_ms(): number {
    return this.process.usage()?.cpu_ms ?? 0;
  }

  /** Ends it now; the first reason counts. */
  destroy(why: Refusal): void {
    this.why ??= why;
    this.unwatch();
    this.process.kill();
  }
}

/** Something was used up; `what` is the limit's name. */
export function overLimit(what: string): Refusal {
  const details = { limit: what };
  return refusal("resource_limit", { reason: `The limit: ${what}.`, details });
}
