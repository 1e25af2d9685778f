// The index behind the log: how far, and what a question and a failure make of that.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { IndexFollower } from "../../../src/ledger/follower.ts";
import { openSqliteIndex, plainName } from "../../../src/ledger/index-sqlite.ts";
import type { Line } from "../../../src/ledger/record.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function event(seq: number): Line {
  const head = { v: 1, seq, prev: "0".repeat(64), time: "2026-03-14T09:26:53.000Z" } as const;
  return { ...head, kind: "event", event: "started", detail: {} };
}

test("it is caught up after a tenth of a second, in one go", () => {
  const index = openSqliteIndex(":memory:", "a test", plainName);
  const follower = new IndexFollower(index, () => undefined);
  follower.follow([event(1)]);
  follower.follow([event(2), event(3)]);
  expect(index.last).toBe(0);
  vi.advanceTimersByTime(100);
  expect(index.last).toBe(3);
});

test("many lines are not waited with", () => {
  const index = openSqliteIndex(":memory:", "a test", plainName);
  const follower = new IndexFollower(index, () => undefined);
  follower.follow(Array.from({ length: 256 }, (_, i) => event(i + 1)));
  expect(index.last).toBe(256);
  expect(vi.getTimerCount()).toBe(0);
});

test("a question lets it catch up at once", () => {
  const index = openSqliteIndex(":memory:", "a test", plainName);
  const follower = new IndexFollower(index, () => undefined);
  follower.follow([event(1)]);
  follower.catchUp();
  expect(index.last).toBe(1);
});

test("after a failure nothing follows, so that a start finds what is missing", () => {
  const index = openSqliteIndex(":memory:", "a test", plainName);
  const failures: unknown[] = [];
  const failing = {
    ...index,
    ingest: () => {
      throw new Error("disk full");
    },
  };
  const follower = new IndexFollower(failing, (error) => void failures.push(error));
  follower.follow([event(1)]);
  follower.catchUp();
  follower.follow([event(2)]);
  expect(failures).toHaveLength(1);
  expect(vi.getTimerCount()).toBe(0);
});
