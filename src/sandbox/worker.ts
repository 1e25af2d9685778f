// One worker process as the host holds it: frames in, frames out, until its end.
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import type { IsolatedProcess } from "./backend.ts";
import { encodeFrame, FrameReader, FrameTooLarge } from "./frames.ts";
import type { Frame } from "./frames.ts";
import { Held, overLimit } from "./held.ts";

const WATCH_MS = 25;
const START_MS_MAX = 15_000;

export interface WorkerLimits {
  readonly frame_bytes_max: number;
  readonly rss_bytes_max: number;
}

export class Worker {
  /** Resolves once it runs and listens; rejects where it ends before. */
  readonly ready: Promise<void>;
  /** Resolves when it is gone, with why, as the call that it ran is told. */
  readonly gone: Promise<Refusal>;
  private readonly held: Held;
  private listener: ((frame: Frame) => void) | undefined;
  private listens = false;

  constructor(isolated: IsolatedProcess, limits: WorkerLimits) {
    const ended = (how: string, said: string): Refusal => endOf(how, said, this.listens);
    this.held = new Held(isolated, limits.rss_bytes_max, ended);
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
    this.gone = this.held.gone.then((why) => {
      clearTimeout(starting);
      started.reject(new Error(why.cause ?? why.code));
      return why;
    });
    // Who waits for it hears; an end of which nobody waits is no unhandled rejection.
    this.ready.catch(() => undefined);
    this.read(isolated, limits.frame_bytes_max);
  }

  private read({ stdout }: IsolatedProcess, frame_bytes_max: number): void {
    const reader = new FrameReader(frame_bytes_max);
    stdout.on("data", (chunk: Buffer) => {
      if (this.held.ending) return;
      try {
        for (const frame of reader.push(chunk)) this.hear(frame);
      } catch (error) {
        const tooLarge = error instanceof FrameTooLarge;
        this.destroy(tooLarge ? overLimit("output") : brokeProtocol((error as Error).message));
      }
    });
  }

  private hear(frame: Frame): void {
    if (this.held.ending) return;
    if (this.listener === undefined) this.destroy(brokeProtocol("it spoke without being asked"));
    else this.listener(frame);
  }

  get alive(): boolean {
    return this.held.alive;
  }

  /** Who hears its frames; without a listener, a frame is its end. */
  listen(listener: ((frame: Frame) => void) | undefined): void {
    this.listener = listener;
  }

  send(frame: Frame): void {
    this.held.write(encodeFrame(frame));
  }

  /** Ends it when it uses more than it may from now on. */
  watch(cpu_ms_max: number): void {
    this.held.watch(cpu_ms_max, WATCH_MS);
  }

  unwatch(): void {
    this.held.unwatch();
  }

  /** Processor time so far; 0 where the system does not say. */
  get cpu_ms(): number {
    return this.held.cpu_ms;
  }

  /** Ends it now; the first reason counts. */
  destroy(why: Refusal): void {
    this.held.destroy(why);
  }
}

function neverReady(): Refusal {
  return refusal("isolation_unavailable", { cause: `not ready within ${START_MS_MAX} ms` });
}

function brokeProtocol(how: string): Refusal {
  return refusal("tool_error", { cause: `its worker broke the protocol: ${how}` });
}

// What it wrote is ours, or the jail's, until it listens; after that a tool may have written it,
// and what a tool knows is not for the log.
function endOf(how: string, stderr: string, listened: boolean): Refusal {
  const last = listened ? "" : stderr.trim().slice(-300);
  return refusal("tool_error", { cause: `its worker ended: ${how}${last && `; ${last}`}` });
}
