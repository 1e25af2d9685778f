// A deadline and somebody who may hang up, in one signal that leaves nothing behind.
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Patience } from "../../../src/sandbox/patience.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("it ends at the deadline, and says that it was late", () => {
  const patience = new Patience([new AbortController().signal], 1000);
  vi.advanceTimersByTime(999);
  expect([patience.signal.aborted, patience.late]).toEqual([false, false]);
  vi.advanceTimersByTime(1);
  expect([patience.signal.aborted, patience.late]).toEqual([true, true]);
});

test("it ends when the asker hangs up, which is not being late", () => {
  const asker = new AbortController();
  const patience = new Patience([asker.signal], 1000);
  asker.abort();
  expect([patience.signal.aborted, patience.late]).toEqual([true, false]);
});

test("any of several askers ends it", () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const patience = new Patience([one.signal, other.signal], 1000);
  other.abort();
  expect(patience.signal.aborted).toBe(true);
  patience.end();
  expect(getEventListeners(one.signal, "abort")).toEqual([]);
});

test("an asker who is gone already is not waited for", () => {
  expect(new Patience([AbortSignal.abort()], 1000).signal.aborted).toBe(true);
});

test("after its end neither timer nor listener is left", () => {
  const asker = new AbortController();
  const patience = new Patience([asker.signal], 1000);
  expect([vi.getTimerCount(), getEventListeners(asker.signal, "abort").length]).toEqual([1, 1]);
  patience.end();
  expect([vi.getTimerCount(), getEventListeners(asker.signal, "abort").length]).toEqual([0, 0]);
});
