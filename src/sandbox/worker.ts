// One worker process as the host holds it: frames in, frames out, a watch over what it uses, an
// end.
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import type { IsolatedProcess } from "./backend.ts";
import { encodeFrame, FrameReader, FrameTooLarge } from "./frames.ts";
import type { Frame } from "./frames.ts";

const WATCH_MS = 25;
const START_MS_MAX = 15_000;
const STDERR_CHARS_MAX = 4096;
const UNREAD_BYTES_MAX = 32 * 1024 * 1024;

export interface WorkerLimits {
  readonly frame_bytes_max: number;
  readonly rss_bytes_max: number;
}

export class Worker {
  /** Resolves once it runs and listens; rejects where it ends before. */
  readonly ready: Promise<void>;
  /** Resolves when it is gone, with why, as the call that it ran is told. */
  readonly gone: Promise<Refusal>;
  private readonly process: IsolatedProcess;
  private readonly limits: WorkerLimits;
  private listener: ((frame: Frame) => void) | undefined;
  private why: Refusal | undefined;
  private watching: NodeJS.Timeout | undefined;
  private dead = false;
  private said = "";
  private listens = false;

  constructor(isolated: IsolatedProcess, limits: WorkerLimits) {
    this.process = isolated;
    this.limits = limits;
    const started = Promise.withResolvers<void>();
    this.ready = started.promise;
    const starting = setTimeout(() => this.destroy(neverReady()), START_MS_MAX);
    this.listener = (frame) => {
      this.listener = undefined;
      clearTimeout(starting);
      this.listens = frame.t === "ready";
      if (this.listens) started.resolve();
      else this.destroy(brokeProtocol(`it began with ${frame.t.slice(0, 20)}`));
    };
    this.gone = isolated.exited.then((how) => {
      this.dead = true;
      clearTimeout(starting);
      this.unwatch();
      const why = this.why ?? ended(how, this.said, this.listens);
      started.reject(new Error(why.cause ?? why.code));
      return why;
    });
    // Who waits for it hears; an end of which nobody waits is no unhandled rejection.
    this.ready.catch(() => undefined);
    this.read(isolated);
  }

  private read({ stdout, stderr }: IsolatedProcess): void {
    const reader = new FrameReader(this.limits.frame_bytes_max);
    stdout.on("data", (chunk: Buffer) => {
      if (this.why !== undefined) return;
      try {
        for (const frame of reader.push(chunk)) this.hear(frame);
      } catch (error) {
        const tooLarge = error instanceof FrameTooLarge;
        this.destroy(tooLarge ? overLimit("output") : brokeProtocol((error as Error).message));
      }
    });
    // Read and forgotten beyond a bound: a full pipe would hang it, and tell nobody why.
    stderr.on("data", (chunk: Buffer) => {
      if (this.said.length < STDERR_CHARS_MAX) this.said += chunk.toString("latin1");
    });
  }

  private hear(frame: Frame): void {
    if (this.why !== undefined) return;
    if (this.listener === undefined) this.destroy(brokeProtocol("it spoke without being asked"));
    else this.listener(frame);
  }

  get alive(): boolean {
    return !this.dead && this.why === undefined;
  }

  /** Who hears its frames; without a listener, a frame is its end. */
  listen(listener: ((frame: Frame) => void) | undefined): void {
    this.listener = listener;
  }

  send(frame: Frame): void {
    const { stdin } = this.process;
    if (!this.alive) return;
    // It asks, and does not read what it is answered.
    if (stdin.writableLength > UNREAD_BYTES_MAX) return this.destroy(overLimit("unread answers"));
    stdin.write(encodeFrame(frame));
  }

  /** Ends it when it uses more than it may from now on. */
  watch(cpu_ms_max: number): void {
    this.unwatch();
    const from_ms = this.cpu_ms;
    this.watching = setInterval(() => {
      const used = this.process.usage();
      if (used === undefined) return;
      if (used.rss_bytes > this.limits.rss_bytes_max) this.destroy(overLimit("memory"));
      else if (used.cpu_ms - from_ms > cpu_ms_max) this.destroy(overLimit("processor time"));
    }, WATCH_MS);
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

function neverReady(): Refusal {
  return refusal("isolation_unavailable", { cause: `not ready within ${START_MS_MAX} ms` });
}

function brokeProtocol(how: string): Refusal {
  return refusal("tool_error", { cause: `its worker broke the protocol: ${how}` });
}

// V8 aborts where its heap is full. What else it wrote is ours, or the jail's, until it listens;
// after that a tool may have written it, and what a tool knows is not for the log.
function ended(how: string, stderr: string, listened: boolean): Refusal {
  if (/heap out of memory|allocation failed|Zone Allocation/i.test(stderr)) {
    return overLimit("memory");
  }
  const last = listened ? "" : stderr.trim().slice(-300);
  return refusal("tool_error", { cause: `its worker ended: ${how}${last && `; ${last}`}` });
}
