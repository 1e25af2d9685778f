// Exclusive agents across a restart: what was in use stays in use, for as long as it would have.
import { join } from "node:path";
import { expect } from "vitest";
import { ExclusiveAgents } from "../../../src/session/exclusive.ts";
import { openSqliteStopStore } from "../../../src/session/stop-store-sqlite.ts";
import { testFolder } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";
import { going } from "../../setup/going.ts";

const IDLE_MS = 900_000;
const MINUTE_MS = 60_000;

function house() {
  const file = join(testFolder(), "stops.sqlite");
  let wall_ms = Date.UTC(2026, 0, 1);
  let since_start_ms = 0;
  let writes = 0;
  const clock = { now: () => wall_ms, monotonic: () => since_start_ms };
  return {
    pass: (ms: number): void => {
      wall_ms += ms;
      since_start_ms += ms;
    },
    writes: () => writes,
    /** A new process: its monotonic clock begins anew. */
    start: (exclusive: readonly string[] = ["desk"]) => {
      since_start_ms = 0;
      const store = openSqliteStopStore(file, Math.floor(wall_ms / 1000));
      const counted = {
        uses: () => store.uses(),
        use: (use: Parameters<typeof store.use>[0]) => {
          writes++;
          store.use(use);
        },
      };
      const agents = new ExclusiveAgents(new Set(exclusive), IDLE_MS, clock, counted);
      const enter = (agent: string, subject = "ada") =>
        agents.enter(going({ agent, subject }))?.code;
      return { enter, stop: () => store.close() };
    },
  };
}

verifies("auth.exclusive", "a restart lets no second agent in, and no one else out", () => {
  const { pass, start } = house();
  for (const [first, second] of [
    ["desk", "yard"],
    ["yard", "desk"],
  ] as const) {
    const before = start();
    expect(before.enter(first)).toBeUndefined();
    before.stop();
    pass(5000);
    const after = start();
    expect(after.enter(second)).toBe("agent_in_use");
    expect(after.enter(first)).toBeUndefined();
    expect(after.enter(second, "grace")).toBeUndefined();
    // To the minute: it may have been used up to one after it was written.
    pass(IDLE_MS + MINUTE_MS);
    after.stop();
    const later = start();
    expect(later.enter(second)).toBeUndefined();
    later.stop();
    pass(IDLE_MS + MINUTE_MS);
  }
});

verifies(
  "auth.exclusive",
  "a use that goes on is written once a minute, not with each request",
  () => {
    const { pass, start, writes } = house();
    const { enter, stop } = start();
    for (let i = 0; i < 120; i++) {
      expect(enter("desk")).toBeUndefined();
      pass(1000);
    }
    expect(writes()).toBe(2);
    // Two agents that do not mind each other, in turn: as one.
    for (let i = 0; i < 30; i++)
      expect(enter(i % 2 === 0 ? "yard" : "shed", "grace")).toBeUndefined();
    expect(writes()).toBe(3);
    stop();
    const none = start([]);
    expect(none.enter("yard", "bob")).toBeUndefined();
    expect(writes()).toBe(3);
    none.stop();
  },
);

verifies("auth.exclusive", "a clock that was set back keeps nobody out for longer", () => {
  const { pass, start } = house();
  const before = start();
  before.enter("desk");
  before.stop();
  pass(-86_000_000);
  const after = start();
  expect(after.enter("yard")).toBe("agent_in_use");
  pass(IDLE_MS);
  expect(after.enter("yard")).toBeUndefined();
  after.stop();
});
