// Locks and endings: whom they reach, in memory and after the store was opened anew.
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { openSqliteStopStore } from "../../../src/session/stop-store-sqlite.ts";
import type { Lock, StopStore } from "../../../src/session/stop-store.ts";
import { Stops } from "../../../src/session/stops.ts";
import type { Ending, Reach } from "../../../src/session/reach.ts";
import { testFolder } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";
import { going, ISSUER } from "../../setup/going.ts";

const NOW_S = 2000;
const DAY_S = 86_400;

function opened(file = join(testFolder(), "stops.sqlite"), now_s = NOW_S) {
  return { file, stops: new Stops(openSqliteStopStore(file, now_s)) };
}

const lock = (reach: Reach) => ({ reach, reason: "", by: "op", since: "2026-01-01T00:00:00.000Z" });

describe("an ending", () => {
  const cases: readonly [string, Ending, Parameters<typeof going>[0], boolean][] = [
    ["her tokens up to a second", user(1000), {}, true],
    ["a token of the second after", user(999), {}, false],
    [
      "another person's of the same name elsewhere",
      user(1000),
      { issuer: "https://b.test" },
      false,
    ],
    ["another person", user(1000), { subject: "bob" }, false],
    ["a sign-in, whenever issued", family("sign-in-1"), { issued_at_s: 5000 }, true],
    ["another sign-in of hers", family("sign-in-2"), {}, false],
    [
      "the same sign-in's name at another issuer",
      family("sign-in-1"),
      { issuer: "https://b.test" },
      false,
    ],
    ["a session with a sign-in, whenever issued", session(), { issued_at_s: 5000 }, true],
    ["another agent's session", session(), { agent: "yard" }, false],
  ];
  for (const [what, ending, changes, ends] of cases) {
    test(`${ends ? "reaches" : "leaves"} ${what}, before and after a restart`, () => {
      const { file, stops } = opened();
      stops.end(ending, NOW_S);
      expect(stops.hasEnded(going(changes))).toBe(ends);
      stops.close();
      const again = opened(file).stops;
      expect(again.hasEnded(going(changes))).toBe(ends);
      again.close();
    });
  }

  test("of a session without a sign-in is over with the tokens issued so far", () => {
    const { stops } = opened();
    const coarse = { family: undefined } as const;
    const { id } = going(coarse).session;
    stops.end({ kind: "session", session: id, until_s: 1000 }, NOW_S);
    expect(stops.hasEnded(going(coarse))).toBe(true);
    expect(stops.hasEnded(going({ ...coarse, issued_at_s: 1001 }))).toBe(false);
    stops.close();
  });

  test("never gets smaller by an older one that comes late", () => {
    const { file, stops } = opened();
    stops.end(user(1000), NOW_S);
    stops.end(user(500), NOW_S);
    expect(stops.hasEnded(going())).toBe(true);
    stops.close();
    const again = opened(file).stops;
    expect(again.hasEnded(going())).toBe(true);
    again.close();
  });

  test("is forgotten when no sign-in can be that old, and not before", () => {
    const { file, stops } = opened();
    stops.end(user(1000), NOW_S);
    stops.close();
    const later = opened(file, NOW_S + 399 * DAY_S).stops;
    expect(later.hasEnded(going())).toBe(true);
    later.close();
    const muchLater = opened(file, NOW_S + 401 * DAY_S).stops;
    expect(muchLater.hasEnded(going())).toBe(false);
    muchLater.close();
  });
});

verifies("revocation.durable", "a lock holds after the store was opened anew", () => {
  const { file, stops } = opened();
  stops.lock(lock({ kind: "user", issuer: ISSUER, subject: "ada" }));
  stops.lock(lock({ kind: "tool", tool: "item_get" }));
  stops.lock(lock({ kind: "all" }));
  stops.unlock({ kind: "all" });
  stops.close();
  const again = opened(file).stops;
  expect(again.lockOn(going())?.code).toBe("locked");
  expect(again.lockOn(going({ subject: "bob" }))).toBeUndefined();
  expect(again.lockOnTool("item_get")?.code).toBe("locked");
  again.close();
});

/** A store on a disk that the test fills. */
function filling() {
  const path = join(testFolder(), "stops.sqlite");
  const real = openSqliteStopStore(path, NOW_S);
  const disk = { full: true };
  const unlessFull = <Given extends unknown[], T>(work: (...given: Given) => T) => {
    return (...given: Given): T => {
      if (disk.full) throw new Error("database or disk is full");
      return work(...given);
    };
  };
  const store: StopStore = {
    ...real,
    lock: unlessFull((one: Lock) => real.lock(one)),
    unlock: unlessFull((reach: Reach) => real.unlock(reach)),
    end: unlessFull((ending: Ending, now_s: number) => real.end(ending, now_s)),
  };
  return { path, disk, stops: new Stops(store) };
}

describe("on a full disk", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  verifies("revocation.durable", "a stop holds at once, and is durable when there is room", () => {
    const { path, disk, stops } = filling();
    const watch = stops.watch(going(), "item_get");
    stops.lock(lock({ kind: "tool", tool: "item_get" }));
    stops.end(user(1000), NOW_S);
    expect(watch.ended()?.code).toBe("access_revoked");
    expect(stops.lockOnTool("item_get")?.code).toBe("locked");
    expect(stops.hasEnded(going())).toBe(true);
    expect(stops.keep()).toBe(false);
    disk.full = false;
    vi.advanceTimersByTime(1000);
    const reader = openSqliteStopStore(path, NOW_S);
    expect(reader.locks()).toMatchObject([{ reach: { kind: "tool", tool: "item_get" } }]);
    expect(reader.endings()).toMatchObject([{ until_s: 1000 }]);
    reader.close();
    expect(stops.keep()).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    stops.close();
  });

  verifies("revocation.durable", "a lock is lifted only where that is durable", () => {
    const { path, disk, stops } = filling();
    disk.full = false;
    stops.lock(lock({ kind: "all" }));
    disk.full = true;
    expect(() => stops.unlock({ kind: "all" })).toThrow("full");
    expect(stops.lockOn(going())?.code).toBe("locked");
    stops.lock(lock({ kind: "tool", tool: "item_get" }));
    disk.full = false;
    expect(stops.unlock({ kind: "tool", tool: "item_get" })).toBe(true);
    stops.close();
    const again = opened(path).stops;
    expect(again.locks()).toMatchObject([{ reach: { kind: "all" } }]);
    again.close();
  });
});

describe("what is under way", () => {
  test("is ended by what concerns it, once, and by nothing else", () => {
    const { stops } = opened();
    const [hers, his] = [stops.watch(going(), "item_get"), stops.watch(going({ subject: "bob" }))];
    stops.lock(lock({ kind: "tool", tool: "item_put" }));
    expect([hers.ended(), his.ended()]).toEqual([undefined, undefined]);
    stops.lock(lock({ kind: "tool", tool: "item_get" }));
    expect(hers.ended()?.code).toBe("access_revoked");
    expect([hers.signal.aborted, his.signal.aborted]).toEqual([true, false]);
    stops.end({ kind: "user", issuer: ISSUER, subject: "bob", until_s: 1000 }, NOW_S);
    expect(his.ended()?.code).toBe("access_revoked");
    expect(stops.underWay.size).toBe(0);
    stops.close();
  });

  test("that begins under a lock is ended at once; that is over is not watched", () => {
    const { stops } = opened();
    stops.watch(going()).leave();
    expect(stops.underWay.size).toBe(0);
    stops.lock(lock({ kind: "agent", agent: "desk" }));
    expect(stops.watch(going()).signal.aborted).toBe(true);
    expect(stops.watch(going({ agent: "yard" })).signal.aborted).toBe(false);
    stops.close();
  });
});

function user(until_s: number): Ending {
  return { kind: "user", issuer: ISSUER, subject: "ada", until_s };
}

function family(name: string): Ending {
  return { kind: "family", issuer: ISSUER, family: name };
}

function session(): Ending {
  return { kind: "session", session: going().session.id, until_s: 0 };
}
