// One exchange with an API: its request, and its whole answer within a cap and a deadline, or an
// error. undici's `dispatch`, below its streams and signals: every byte of the answer comes through
// here once, and whatever ends the exchange ends it at once.
import type { Dispatcher } from "undici";

type Headers = Dispatcher.ResponseData["headers"];

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

export interface Bounds {
  /** For all of it, the connection included. */
  readonly timeout_ms: number;
  /** Of the body, counted while it comes: a Content-Length is a claim; some bodies are endless. */
  readonly bytes_max: number;
  /** Any of them ends it. */
  readonly signals: readonly AbortSignal[];
  /** Hears of the body's bytes as they come. */
  readonly moved?: (bytes: number) => void;
  /** Hears each piece of the body; true where no more of it is wanted. */
  readonly enough?: (piece: Buffer) => boolean;
}

/** We ended it: the deadline passed, whoever asked hung up or lost access, or the body went on. */
export class Ended extends Error {
  override readonly name = "Ended";
  readonly why: "late" | "hung_up" | "too_large";
  /** Whether any byte of the request may have left. */
  readonly sent: boolean;
  constructor(why: Ended["why"], sent: boolean) {
    super(why);
    this.why = why;
    this.sent = sent;
  }
}

/**
 * Sends one request and waits for its whole answer. `begun` hears of the answer's head as soon as
 * it is there. Rejects with `Ended`, or with what undici says of the connection.
 */
export function dial(
  dispatcher: Dispatcher,
  request: Pick<Dispatcher.DispatchOptions, "origin" | "path" | "method" | "headers" | "body">,
  bounds: Bounds,
  begun: (headers: Headers, status: number) => void,
): Promise<ApiAnswer> {
  return new Promise((resolve, reject) => {
    const exchange = new Exchange(bounds, begun, resolve, reject);
    if (exchange.isOver) return;
    // The deadline is for all of it: the timeouts of its parts have nothing to add.
    dispatcher.dispatch({ ...request, headersTimeout: 0, bodyTimeout: 0 }, exchange);
  });
}

class Exchange implements Dispatcher.DispatchHandler {
  private readonly bounds: Bounds;
  private readonly begun: (headers: Headers, status: number) => void;
  private readonly resolve: (answer: ApiAnswer) => void;
  private readonly reject: (error: Error) => void;
  private readonly timer: NodeJS.Timeout;
  private controller: Dispatcher.DispatchController | undefined;
  private over: Error | undefined;
  private head: Omit<ApiAnswer, "body"> | undefined;
  private readonly chunks: Buffer[] = [];
  private size = 0;

  constructor(
    bounds: Bounds,
    begun: Exchange["begun"],
    resolve: Exchange["resolve"],
    reject: Exchange["reject"],
  ) {
    this.bounds = bounds;
    this.begun = begun;
    this.resolve = resolve;
    this.reject = reject;
    this.timer = setTimeout(() => this.cut("late"), bounds.timeout_ms);
    for (const signal of bounds.signals) {
      if (signal.aborted) this.hungUp();
      else signal.addEventListener("abort", this.hungUp);
    }
  }

  get isOver(): boolean {
    return this.over !== undefined;
  }

  // What ended while it waited for its connection is never sent.
  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.over === undefined) this.controller = controller;
    else controller.abort(this.over);
  }

  onResponseStart(_: unknown, status: number, headers: Headers): void {
    // RFC 9110 section 15.2: an interim answer; the answer is yet to come.
    if (status < 200) return;
    this.head = { status, headers };
    this.begun(headers, status);
  }

  onResponseData(_: unknown, chunk: Buffer): void {
    this.size += chunk.length;
    this.bounds.moved?.(chunk.length);
    if (this.size > this.bounds.bytes_max) return this.cut("too_large");
    this.chunks.push(chunk);
    if (this.over !== undefined || this.bounds.enough?.(chunk) !== true) return;
    this.onResponseEnd();
    // Whatever it would say from here on has nobody to say it to.
    this.over = new Error("enough");
    this.controller?.abort(this.over);
  }

  onResponseEnd(): void {
    const { head, chunks, size } = this;
    if (this.over !== undefined || head === undefined) return;
    this.leave();
    const [first] = chunks;
    const body = first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks, size);
    this.resolve({ ...head, body });
  }

  onResponseError(_: unknown, error: Error): void {
    this.end(error);
  }

  private end(why: Error): void {
    if (this.over !== undefined) return;
    this.over = why;
    this.leave();
    this.reject(why);
    this.controller?.abort(why);
  }

  private leave(): void {
    clearTimeout(this.timer);
    for (const signal of this.bounds.signals) signal.removeEventListener("abort", this.hungUp);
  }

  private cut(why: Ended["why"]): void {
    this.end(new Ended(why, this.controller !== undefined));
  }

  private readonly hungUp = (): void => this.cut("hung_up");
}
