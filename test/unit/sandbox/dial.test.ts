// One exchange: however it ends, it ends once, and neither timer nor listener stays behind.
import { getEventListeners } from "node:events";
import type { Dispatcher } from "undici";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { dial, Ended } from "../../../src/sandbox/dial.ts";
import type { ApiAnswer, Bounds } from "../../../src/sandbox/dial.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const REQUEST = { origin: "http://api.example", path: "/deals", method: "GET" } as const;

/** An API that does what the test says, in place of undici's connection to it. */
function ask(bounds: Partial<Bounds> = {}) {
  let handler: Dispatcher.DispatchHandler | undefined;
  const api = {
    dispatch: (_: unknown, given: Dispatcher.DispatchHandler) => ((handler = given), true),
  };
  const abort = vi.fn<(reason: Error) => void>();
  const controller = { abort } as unknown as Dispatcher.DispatchController;
  const heads: number[] = [];
  const all = { timeout_ms: 1000, bytes_max: 10, signals: [], ...bounds };
  const ended = dial(api as unknown as Dispatcher, REQUEST, all, (_, status) => {
    heads.push(status);
  }).then(
    ({ status, body }: ApiAnswer) => ({ status, body: body.toString() }),
    (error: unknown) => (error instanceof Ended ? { why: error.why, sent: error.sent } : error),
  );
  return {
    ended,
    abort,
    heads,
    isSent: () => handler !== undefined,
    begin: () => handler?.onRequestStart?.(controller, {}),
    head: (status: number) => handler?.onResponseStart?.(controller, status, {}),
    data: (text: string) => handler?.onResponseData?.(controller, Buffer.from(text)),
    end: () => handler?.onResponseEnd?.(controller, {}),
    fail: (error: Error) => handler?.onResponseError?.(controller, error),
  };
}

test("the whole answer comes in one piece, after any interim answers", async () => {
  const api = ask();
  api.begin();
  api.head(103);
  api.head(200);
  api.data("hello");
  api.data(", all");
  api.end();
  expect(await api.ended).toEqual({ status: 200, body: "hello, all" });
  expect([api.heads, vi.getTimerCount()]).toEqual([[200], 0]);
});

test("the deadline is for all of it, and ends what was sent", async () => {
  const api = ask();
  api.begin();
  api.head(200);
  vi.advanceTimersByTime(999);
  expect(api.abort).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(await api.ended).toEqual({ why: "late", sent: true });
  expect(api.abort).toHaveBeenCalledOnce();
});

test("what ended while it waited for a connection is never sent", async () => {
  const api = ask();
  vi.advanceTimersByTime(1000);
  expect(await api.ended).toEqual({ why: "late", sent: false });
  api.begin();
  expect(api.abort).toHaveBeenCalledOnce();
});

test("any of several askers ends it, and nothing is left listening", async () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const api = ask({ signals: [one.signal, other.signal] });
  api.begin();
  other.abort();
  expect(await api.ended).toEqual({ why: "hung_up", sent: true });
  expect(api.abort).toHaveBeenCalledOnce();
  expect(getEventListeners(one.signal, "abort")).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test("for an asker who is gone already nothing begins", async () => {
  const api = ask({ signals: [AbortSignal.abort()] });
  expect(await api.ended).toEqual({ why: "hung_up", sent: false });
  expect([api.isSent(), vi.getTimerCount()]).toEqual([false, 0]);
});

test("one byte over the cap is an error, not a cut", async () => {
  const api = ask();
  api.begin();
  api.head(200);
  api.data("0123456789");
  expect(api.abort).not.toHaveBeenCalled();
  api.data("!");
  api.end();
  expect(await api.ended).toEqual({ why: "too_large", sent: true });
  expect(api.abort).toHaveBeenCalledOnce();
});

test("an error of the connection's is told as it is, once", async () => {
  const asker = new AbortController();
  const api = ask({ signals: [asker.signal] });
  const error = new Error("other side closed");
  api.begin();
  api.fail(error);
  asker.abort();
  expect(await api.ended).toBe(error);
  expect([getEventListeners(asker.signal, "abort"), vi.getTimerCount()]).toEqual([[], 0]);
});
