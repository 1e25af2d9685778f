// Loops: what an agent repeats is refused until it does something else, or pauses.
import { describe, expect, test } from "vitest";
import { Loops } from "../../../src/limits/loops.ts";
import { verifies } from "../../verifies.ts";

const LIMITS = { same_calls_max: 4, same_errors_max: 3, within_s: 60 };

function chains(chains_max = 10) {
  const loops = new Loops(LIMITS, chains_max);
  const clock = { ms: 0 };
  const call = (tool: string, args: unknown, session = "s"): string => {
    const next = loops.next(session, tool, args, clock.ms);
    next.ran?.();
    return next.full ? "full" : (next.loop?.kind ?? "ran");
  };
  const fail = (tool: string, code: string | undefined): void =>
    loops.ended("s", tool, code, clock.ms);
  return { loops, clock, call, fail };
}

describe("the same call", () => {
  verifies("limits.repeats", "is refused after so many, and names the tool and how often", () => {
    const { loops, call } = chains();
    const said = Array.from({ length: 6 }, () => call("get", { id: 1 }));
    expect(said).toEqual(["ran", "ran", "ran", "ran", "same_call", "same_call"]);
    expect(loops.next("s", "get", { id: 1 }, 0).loop).toEqual({
      kind: "same_call",
      tools: ["get"],
      times: 4,
    });
  });

  verifies("limits.repeats", "is the same in another order of its keys", () => {
    const { call } = chains();
    for (let i = 0; i < 2; i++) {
      call("get", { a: 1, b: { c: 2, d: 3 } });
      call("get", { b: { d: 3, c: 2 }, a: 1 });
    }
    expect(call("get", { b: { d: 3, c: 2 }, a: 1 })).toBe("same_call");
    expect(call("get", { b: { d: 2, c: 3 }, a: 1 })).toBe("ran");
  });

  verifies("limits.repeats", "may be long: it is recognised all the same", () => {
    const { call } = chains();
    const said = Array.from({ length: 5 }, () => call("get", { text: "x".repeat(1_000_000) }));
    expect(said.at(-1)).toBe("same_call");
    expect(call("get", { text: `${"x".repeat(999_999)}y` })).toBe("ran");
  });

  test("with another between begins anew, and so does one after a pause", () => {
    const { call, clock } = chains();
    for (let i = 0; i < 4; i++) call("get", { id: 1 });
    expect(call("get", { id: 2 })).toBe("ran");
    expect(call("get", { id: 1 })).toBe("ran");
    for (let i = 0; i < 3; i++) call("get", { id: 1 });
    expect(call("get", { id: 1 })).toBe("same_call");
    clock.ms += 59_999;
    expect(call("get", { id: 1 })).toBe("same_call");
    // The refused try was one, too: the pause is counted from it.
    clock.ms += 59_999;
    expect(call("get", { id: 1 })).toBe("same_call");
    clock.ms += 60_000;
    expect(call("get", { id: 1 })).toBe("ran");
  });

  test("of another session is another call", () => {
    const { call } = chains();
    for (let i = 0; i < 4; i++) call("get", { id: 1 });
    expect(call("get", { id: 1 }, "another")).toBe("ran");
  });

  test("is not counted where it did not run", () => {
    const { loops, call } = chains();
    for (let i = 0; i < 50; i++) loops.next("s", "get", { id: 1 }, 0);
    expect(call("get", { id: 1 })).toBe("ran");
  });
});

describe("two calls in turn", () => {
  verifies("limits.repeats", "are one loop, whichever goes on with it", () => {
    const { loops, call } = chains();
    expect([call("a", {}), call("b", {}), call("a", {}), call("b", {})]).toEqual(
      Array<string>(4).fill("ran"),
    );
    expect(call("a", {})).toBe("ping_pong");
    expect(loops.next("s", "a", {}, 0).loop).toEqual({
      kind: "ping_pong",
      tools: ["a", "b"],
      times: 4,
    });
    // The other of the two is nothing new.
    expect(call("b", {})).toBe("ran");
    expect(call("a", {})).toBe("ping_pong");
    expect(call("c", {})).toBe("ran");
    expect(call("a", {})).toBe("ran");
  });

  test("of one tool are two, where their arguments differ", () => {
    const { call } = chains();
    const said = [1, 2, 1, 2, 1].map((id) => call("get", { id }));
    expect(said.at(-1)).toBe("ping_pong");
    expect(call("get", { id: 3 })).toBe("ran");
  });
});

describe("the same error", () => {
  verifies("limits.repeats", "of one tool is a loop whatever the arguments, and is named", () => {
    const { loops, call, fail, clock } = chains();
    for (let id = 0; id < 3; id++) {
      expect(call("get", { id })).toBe("ran");
      fail("get", "downstream_error");
    }
    expect(loops.next("s", "get", { id: 9 }, 0).loop).toEqual({
      kind: "same_error",
      tools: ["get"],
      times: 3,
      error_code: "downstream_error",
    });
    expect(call("other", {})).toBe("ran");
    for (let i = 0; i < 2; i++) {
      // Trying again is no pause.
      clock.ms += 59_999;
      expect(call("get", { id: 9 })).toBe("same_error");
    }
    clock.ms += 60_000;
    expect(call("get", { id: 9 })).toBe("ran");
  });

  test("is forgotten with a success, and with another error", () => {
    for (const between of [undefined, "timeout"]) {
      const { call, fail } = chains();
      for (let id = 0; id < 2; id++) {
        call("get", { id });
        fail("get", "downstream_error");
      }
      call("get", { id: 2 });
      fail("get", between);
      call("get", { id: 3 });
      fail("get", "downstream_error");
      expect(call("get", { id: 4 })).toBe("ran");
    }
  });
});

describe("a call that the rules refuse", () => {
  const refusals = () => {
    const { loops, clock, call } = chains();
    const refuse = (tool: string, args: unknown, code?: string): string | undefined =>
      loops.refused("no", tool, args, code, clock.ms)?.kind;
    return { loops, clock, call, refuse };
  };
  const times = (count: number, once: (i: number) => string | undefined) =>
    Array.from({ length: count }, (_, i) => once(i));

  verifies("limits.repeats", "is a loop by its error, whatever its arguments are", () => {
    const { refuse } = refusals();
    expect(times(4, (i) => refuse("put", { i }, "argument_not_allowed"))).toEqual([
      ...times(3, () => undefined),
      "same_error",
    ]);
    expect(refuse("get", {}, "argument_not_allowed")).toBeUndefined();
  });

  verifies("limits.repeats", "is one as the same call, and in turn with another", () => {
    const { refuse } = refusals();
    expect(times(5, () => refuse("put", {})).at(-1)).toBe("same_call");
    expect(times(5, (i) => refuse("put", { i })).at(-1)).toBeUndefined();
    expect(times(5, (i) => refuse(i % 2 === 0 ? "a" : "b", {})).at(-1)).toBe("ping_pong");
  });

  test("and passes then is refused anew from the first time on", () => {
    const { loops, refuse } = refusals();
    times(4, () => refuse("put", {}, "invalid_arguments"));
    loops.passed("no", "put");
    expect(times(3, () => refuse("put", {}, "invalid_arguments")).at(-1)).toBeUndefined();
    loops.passed("no", "get");
    expect(refuse("put", {}, "invalid_arguments")).toBe("same_error");
  });

  test("ends no loop of calls that run", () => {
    const { call, refuse } = refusals();
    for (let i = 0; i < 4; i++) {
      expect(call("get", {})).toBe("ran");
      refuse("put", { i }, "invalid_arguments");
    }
    expect(call("get", {})).toBe("same_call");
  });
});

verifies("limits.bounded", "a full table of sessions refuses new ones until old ones pause", () => {
  const { call, clock } = chains(2);
  expect([call("a", {}, "1"), call("a", {}, "2"), call("a", {}, "3")]).toEqual([
    "ran",
    "ran",
    "full",
  ]);
  expect(call("a", {}, "1")).toBe("ran");
  clock.ms += 60_000;
  expect(call("a", {}, "3")).toBe("ran");
});
