// What a session has been answered: whose it is, how much of it is kept, and how it is forgotten.
import { expect } from "vitest";
import { Answers } from "../../../src/session/answers.ts";
import type { Row } from "../../../src/session/answers.ts";
import { verifies } from "../../verifies.ts";
import { going } from "../../setup/going.ts";

function opened() {
  let now = 0;
  const answers = new Answers({ now: () => 0, monotonic: () => now });
  const pass = (ms: number): void => void (now += ms);
  return { answers, pass };
}

const rows = (count: number, from = 0): Row[] =>
  Array.from({ length: count }, (_, i) => [from + i]);

verifies("policy.seen", "a value is known to the session that read it, and to no other", () => {
  const { answers } = opened();
  const [ada, other, bob] = [going(), going({ family: "another" }), going({ subject: "bob" })];
  answers.keep(ada, "deals", [["a@b.test"], [7], [true]]);
  const knows = (who: typeof ada, source: string, value: unknown): boolean =>
    answers.rowsWith(who.session.id, source, value).length > 0;
  for (const value of ["a@b.test", 7, true]) expect(knows(ada, "deals", value)).toBe(true);
  for (const value of ["A@b.test", "a@b.test ", "7", 1, "true", null, ["a@b.test"], undefined]) {
    expect(knows(ada, "deals", value)).toBe(false);
  }
  for (const who of [other, bob]) expect(knows(who, "deals", "a@b.test")).toBe(false);
  expect(knows(ada, "tickets", "a@b.test")).toBe(false);
});

verifies("policy.seen", "each record counts once, with what the rule asks of it", () => {
  const { answers } = opened();
  const ada = going();
  for (let i = 0; i < 3; i++)
    answers.keep(ada, "t", [
      [1, "ada"],
      [1, "bob"],
    ]);
  expect(answers.rowsWith(ada.session.id, "t", 1)).toEqual([
    [1, "ada"],
    [1, "bob"],
  ]);
  expect(answers.size).toBe(2);
});

verifies("policy.seen", "a full set keeps what it has, and takes nothing more", () => {
  const { answers } = opened();
  const [ada, bob] = [going(), going({ subject: "bob" })];
  answers.keep(ada, "t", rows(20_000));
  const size = answers.size;
  expect(size).toBeLessThan(20_000);
  expect(answers.rowsWith(ada.session.id, "t", 0)).toHaveLength(1);
  expect(answers.rowsWith(ada.session.id, "t", 19_999)).toHaveLength(0);
  // Another session of hers has no room either; somebody else has.
  answers.keep(going({ family: "another" }), "t", [["x"]]);
  expect(answers.size).toBe(size);
  answers.keep(bob, "t", [["x"]]);
  expect(answers.rowsWith(bob.session.id, "t", "x")).toHaveLength(1);
});

verifies("policy.seen", "one value in endlessly many records costs a bounded search", () => {
  const { answers } = opened();
  const ada = going();
  answers.keep(
    ada,
    "t",
    Array.from({ length: 5000 }, (_, i): Row => [1, i]),
  );
  expect(answers.rowsWith(ada.session.id, "t", 1).length).toBeLessThanOrEqual(100);
});

verifies(["policy.seen", "policy.bad-input"], "what could be another value is not kept", () => {
  const { answers } = opened();
  const ada = going();
  answers.keep(ada, "t", [[2 ** 53], [1e308], ["x".repeat(1_048_576)], [1, 2 ** 53]]);
  expect(answers.size).toBe(0);
});

verifies("policy.seen", "whoever may not go on has read nothing", () => {
  const { answers } = opened();
  const [ada, bob] = [going(), going({ subject: "bob" })];
  for (const who of [ada, bob]) answers.keep(who, "t", [["x"]]);
  answers.forget({ kind: "session", session: ada.session.id, until_s: 0 });
  expect(answers.rowsWith(ada.session.id, "t", "x")).toEqual([]);
  expect(answers.rowsWith(bob.session.id, "t", "x")).toHaveLength(1);
  answers.forget({ kind: "all" });
  expect(answers.size).toBe(0);
});

verifies(
  "policy.seen",
  "sessions that are idle for long make room for others of their user",
  () => {
    const { answers, pass } = opened();
    const [old, young] = [going(), going({ family: "another" })];
    answers.keep(old, "t", rows(20_000));
    pass(13 * 3_600_000);
    answers.keep(young, "t", [["x"]]);
    expect(answers.rowsWith(young.session.id, "t", "x")).toHaveLength(1);
    expect(answers.rowsWith(old.session.id, "t", 0)).toEqual([]);
  },
);

verifies(
  "policy.seen",
  "a session that was idle for longer than twelve hours has read nothing",
  () => {
    const { answers, pass } = opened();
    const ada = going();
    answers.keep(ada, "t", [["x"]]);
    for (let i = 0; i < 2; i++) {
      pass(12 * 3_600_000);
      expect(answers.rowsWith(ada.session.id, "t", "x")).toHaveLength(1);
    }
    pass(12 * 3_600_000 + 1);
    expect(answers.rowsWith(ada.session.id, "t", "x")).toEqual([]);
    expect(answers.size).toBe(0);
    // What it reads from now on counts again.
    answers.keep(ada, "t", [["y"]]);
    expect(answers.rowsWith(ada.session.id, "t", "y")).toHaveLength(1);
    expect(answers.rowsWith(ada.session.id, "t", "x")).toEqual([]);
  },
);
