// One call, as a conversation with its worker: the question, the requests that the worker makes on
// the way, and its answer. Whatever else happens, it ends by its deadline.
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { no } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { Watch } from "../session/stops.ts";
import type { Frame } from "./frames.ts";
import { overLimit } from "./held.ts";
import type { Worker } from "./worker.ts";

/** How long a worker that was told to stop may take to say so, before it is ended. */
const GRACE_MS = 200;
const REQUESTS_AT_ONCE_MAX = 8;
/** Of one call; what is over it would not fit its record. */
const LOG_BYTES_MAX = 16_384;

export interface Dialogue<T> {
  readonly question: Frame;
  readonly timeout_ms: number;
  readonly cpu_ms_max: number;
  readonly requests_max: number;
  /** Nobody waits for the answer any more: it may end by itself, for a moment. */
  readonly signal: AbortSignal;
  /** The session may not go on: it ends now. */
  readonly watch?: Pick<Watch, "signal" | "ended"> | undefined;
  /** Answers one request; `signal` ends with the call. Never rejects. */
  readonly onRequest: (frame: Frame, signal: AbortSignal) => Promise<Frame>;
  readonly onLog: (frame: Frame) => void;
  /** What a frame that is no request means: the end, or `undefined` where it has no place. */
  readonly onEnd: (frame: Frame) => Result<T> | undefined;
}

/** Holds the conversation. The worker is alive afterwards only if it kept to it. */
export async function converse<T>(worker: Worker, dialogue: Dialogue<T>): Promise<Result<T>> {
  const { signal } = dialogue;
  const end = Promise.withResolvers<Result<T>>();
  const requests = new AbortController();
  const open = new Set<Promise<void>>();
  const line: Frame[] = [];
  const spent = { requests: 0, log_bytes: 0 };
  const stop = (why: Refusal): void => {
    worker.destroy(why);
    end.resolve(no(why));
  };
  const answer = async (frame: Frame): Promise<void> => {
    worker.send(await dialogue.onRequest(frame, requests.signal));
  };
  // So many at once; the others wait in line.
  const next = (): void => {
    const frame = open.size < REQUESTS_AT_ONCE_MAX ? line.shift() : undefined;
    if (frame === undefined || requests.signal.aborted) return;
    const answered: Promise<void> = answer(frame).finally(() => {
      open.delete(answered);
      next();
    });
    open.add(answered);
  };
  worker.listen((frame) => {
    if (frame.t === "request") {
      if (++spent.requests > dialogue.requests_max) return stop(overLimit("requests of one call"));
      line.push(frame);
      next();
    } else if (frame.t === "log") {
      spent.log_bytes += JSON.stringify(frame).length;
      if (spent.log_bytes > LOG_BYTES_MAX) return stop(overLimit("log"));
      dialogue.onLog(frame);
    } else {
      const ended = dialogue.onEnd(frame);
      if (ended === undefined) stop(refusal("tool_error", { cause: "its worker sent no answer" }));
      else end.resolve(ended);
    }
  });
  let grace: NodeJS.Timeout | undefined;
  const cancelled = refusal("cancelled");
  const cancel = (): void => {
    requests.abort();
    worker.send({ t: "abort" });
    grace = setTimeout(() => stop(cancelled), GRACE_MS);
  };
  const deadline = setTimeout(() => stop(late(dialogue.timeout_ms)), dialogue.timeout_ms);
  signal.addEventListener("abort", cancel, { once: true });
  const revoke = (): void => stop(dialogue.watch?.ended() ?? cancelled);
  dialogue.watch?.signal.addEventListener("abort", revoke, { once: true });
  void worker.gone.then((why) => end.resolve(no(why)));
  worker.watch(dialogue.cpu_ms_max);
  worker.send(dialogue.question);
  if (signal.aborted) cancel();
  if (dialogue.watch?.signal.aborted === true) revoke();
  const result = await end.promise;
  worker.listen(undefined);
  worker.unwatch();
  clearTimeout(deadline);
  clearTimeout(grace);
  signal.removeEventListener("abort", cancel);
  dialogue.watch?.signal.removeEventListener("abort", revoke);
  // What was sent is on record with its answer, whether or not the tool waited for it.
  requests.abort();
  await Promise.all(open);
  const revoked = dialogue.watch?.ended();
  if (revoked !== undefined) return no(revoked);
  return signal.aborted ? no(cancelled) : result;
}

function late(timeout_ms: number): Refusal {
  const reason = `The code did not end within ${timeout_ms} ms.`;
  return refusal("timeout", { reason, retry_after_ms: 1000 });
}
