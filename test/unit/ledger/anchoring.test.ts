// Anchoring: the newest checkpoint reaches every anchor sooner or later, and no call waits for it.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Clock } from "../../../src/kernel/clock.ts";
import { createAnchoring } from "../../../src/ledger/anchor.ts";
import type { Anchor, Anchoring, AnchorState } from "../../../src/ledger/anchor.ts";
import { openSigningKey } from "../../../src/ledger/signing-key.ts";
import { createLogger } from "../../../src/telemetry/log.ts";
import { chainedLines, LOG_ID, notesFor, someRecords } from "../../setup/ledger-files.ts";
import { testFolder } from "../../setup/minimal.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const clock: Clock = { now: () => Date.now(), monotonic: () => Date.now() };
const log = createLogger("silent");

/** An anchor that takes, refuses or hangs, as it is told. */
class TestAnchor implements Anchor {
  readonly name: string;
  does: "take" | "refuse" | "hang" = "take";
  readonly tried: string[] = [];
  readonly taken: string[] = [];
  private hung: (() => void)[] = [];

  constructor(name = "test:one") {
    this.name = name;
  }

  async put(checkpoint: string): Promise<void> {
    this.tried.push(checkpoint);
    if (this.does === "refuse") throw new Error("no");
    if (this.does === "hang") await new Promise<void>((resolve) => this.hung.push(resolve));
    this.taken.push(checkpoint);
  }

  wake(): void {
    for (const resolve of this.hung) resolve();
    this.hung = [];
  }
}

function someNotes(): [string, string, string] {
  const keys = openSigningKey(testFolder(), LOG_ID);
  const [a = "", b = "", c = ""] = notesFor(chainedLines(someRecords(6)), [2, 4, 6], () => keys);
  return [a, b, c];
}

function started(...anchors: Anchor[]): { anchoring: Anchoring; changes: AnchorState[] } {
  const changes: AnchorState[] = [];
  const onChange = (state: AnchorState): void => void changes.push(state);
  return { anchoring: createAnchoring({ anchors, clock, log, onChange }), changes };
}

const settled = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

describe("anchoring", () => {
  test("hands each anchor each newest checkpoint, and says how far it is", async () => {
    const [one, two] = [new TestAnchor("test:one"), new TestAnchor("test:two")];
    const { anchoring, changes } = started(one, two);
    expect(anchoring.states()).toEqual([
      { name: "test:one", anchored_size: undefined, failing_since: undefined },
      { name: "test:two", anchored_size: undefined, failing_since: undefined },
    ]);
    const [a, b] = someNotes();
    anchoring.push(a);
    await settled();
    anchoring.push(b);
    await settled();
    for (const anchor of [one, two]) expect(anchor.taken).toEqual([a, b]);
    expect(anchoring.states().map(({ anchored_size }) => anchored_size)).toEqual([4, 4]);
    expect(changes).toEqual([]);
  });

  test("skips what became old while an anchor was busy", async () => {
    const anchor = new TestAnchor();
    anchor.does = "hang";
    const { anchoring } = started(anchor);
    const [a, b, c] = someNotes();
    for (const note of [a, b, c]) anchoring.push(note);
    await settled();
    anchor.wake();
    anchor.does = "take";
    await settled();
    expect(anchor.taken).toEqual([a, c]);
  });

  test("tries again, with ever longer waits, and takes what is newest then", async () => {
    const anchor = new TestAnchor();
    anchor.does = "refuse";
    const { anchoring, changes } = started(anchor);
    const [a, b] = someNotes();
    const since = Date.now();
    anchoring.push(a);
    await settled();
    expect(anchoring.states()[0]).toMatchObject({ failing_since: since });
    await vi.advanceTimersByTimeAsync(1000 + 2000 + 4000);
    expect(anchor.tried).toHaveLength(4);
    // Neither a new checkpoint nor an hour makes it hurry.
    anchoring.push(b);
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(anchor.tried.length).toBeLessThan(70);
    expect(anchor.tried.length).toBeGreaterThan(55);
    anchor.does = "take";
    await vi.advanceTimersByTimeAsync(60_000);
    expect(anchor.taken).toEqual([b]);
    expect(changes).toEqual([
      { name: "test:one", anchored_size: undefined, failing_since: since },
      { name: "test:one", anchored_size: 4, failing_since: undefined },
    ]);
    // After a success the waits begin small again.
    anchor.does = "refuse";
    const tried = anchor.tried.length;
    anchoring.push(a);
    await vi.advanceTimersByTimeAsync(1000);
    expect(anchor.tried).toHaveLength(tried + 2);
  });

  test("says that a hanging anchor fails, and asks it no second time meanwhile", async () => {
    const anchor = new TestAnchor();
    anchor.does = "hang";
    const { anchoring } = started(anchor);
    const [a, b] = someNotes();
    const since = Date.now();
    anchoring.push(a);
    await vi.advanceTimersByTimeAsync(600_000);
    anchoring.push(b);
    await settled();
    expect(anchor.tried).toEqual([a]);
    expect(anchoring.states()[0]).toMatchObject({ failing_since: since });
    anchor.does = "take";
    anchor.wake();
    await settled();
    expect(anchor.taken).toEqual([a, b]);
    expect(anchoring.states()[0]).toMatchObject({ anchored_size: 4, failing_since: undefined });
  });

  test("one failing anchor holds no other one up", async () => {
    const [bad, good] = [new TestAnchor("test:bad"), new TestAnchor("test:good")];
    bad.does = "hang";
    const { anchoring } = started(bad, good);
    const notes = someNotes();
    for (const note of notes) {
      anchoring.push(note);
      await settled();
    }
    expect(good.taken).toEqual(notes);
  });

  test("at its end tries once more what is behind, and waits only so long", async () => {
    const [back, hung] = [new TestAnchor("test:back"), new TestAnchor("test:hung")];
    back.does = "refuse";
    hung.does = "hang";
    const { anchoring } = started(back, hung);
    const [a, b] = someNotes();
    anchoring.push(a);
    await settled();
    back.does = "take";
    anchoring.push(b);
    const closed = vi.fn<() => void>();
    void anchoring.close().then(closed);
    await settled();
    expect(back.taken).toEqual([b]);
    expect(closed).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(15_000);
    expect(closed).toHaveBeenCalled();
    anchoring.push(a);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(back.tried).toEqual([a, b]);
  });

  test("refuses at once what is no checkpoint", () => {
    expect(() => started().anchoring.push("no note")).toThrow(/not a signed note/);
  });
});
