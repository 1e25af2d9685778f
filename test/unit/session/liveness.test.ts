// Asked liveness on a clock of the test's own: never older than its bound, never without an answer.
import { expect, test } from "vitest";
import { refusal } from "../../../src/kernel/errors.ts";
import type { Refusal } from "../../../src/kernel/errors.ts";
import { Liveness } from "../../../src/session/liveness.ts";
import { openSqliteStopStore } from "../../../src/session/stop-store-sqlite.ts";
import { Stops } from "../../../src/session/stops.ts";
import { verifies } from "../../verifies.ts";
import { testClock } from "../ledger/entries.ts";
import { going } from "../../setup/going.ts";

const BOUND_MS = 2000;
const OUT = refusal("invalid_token");
const DOWN = refusal("identity_unavailable");

/** A provider that says what it is told to, when it is told to. */
function provider() {
  const clock = testClock(0);
  const state = { asked: 0, says: undefined as Refusal | undefined, takes_ms: 0 };
  const ask = async (): Promise<Refusal | undefined> => {
    state.asked++;
    const said = state.says;
    clock.ms += state.takes_ms;
    return said;
  };
  const issuer = { source: "introspection", bound_ms: BOUND_MS, ask } as const;
  const liveness = new Liveness(new Map([["corp", issuer]]), clock);
  return { clock, state, liveness, check: async () => liveness.check(going().credential) };
}

verifies("revocation.asked", "an answer is good to its bound, from the question on", async () => {
  const { clock, state, check } = provider();
  state.takes_ms = 500;
  expect(await check()).toBeUndefined();
  clock.ms = 1499;
  expect(await check()).toBeUndefined();
  expect(state.asked).toBe(1);
  clock.ms = 2000;
  state.says = OUT;
  expect((await check())?.code).toBe("invalid_token");
  expect(state.asked).toBe(2);
});

test("a token in use is asked about early, and used until the answer is there", async () => {
  const { clock, state, check } = provider();
  await check();
  clock.ms = 1500;
  state.says = OUT;
  expect(await check()).toBeUndefined();
  await settled();
  expect(state.asked).toBe(2);
  expect((await check())?.code).toBe("invalid_token");
});

test("a question that breaks is no answer", async () => {
  const ask = (): Promise<never> => Promise.reject(new Error("broken"));
  const issuer = { source: "introspection", bound_ms: BOUND_MS, ask } as const;
  const liveness = new Liveness(new Map([["corp", issuer]]), testClock(0));
  expect((await liveness.check(going().credential))?.code).toBe("identity_unavailable");
});

verifies("revocation.asked", "an answer that took longer than the bound is none", async () => {
  const { state, check } = provider();
  state.takes_ms = BOUND_MS + 1;
  expect((await check())?.code).toBe("identity_unavailable");
});

verifies("revocation.asked", "no answer refuses once the last good one is too old", async () => {
  const { clock, state, check } = provider();
  await check();
  state.says = DOWN;
  clock.ms = 1499;
  expect(await check()).toBeUndefined();
  clock.ms = 2000;
  expect((await check())?.code).toBe("identity_unavailable");
  state.says = undefined;
  clock.ms += 499;
  expect((await check())?.code).toBe("identity_unavailable");
  clock.ms += 1;
  expect(await check()).toBeUndefined();
});

test("whoever is out is asked about at most twice a second", async () => {
  const { clock, state, check } = provider();
  state.says = OUT;
  for (let i = 0; i < 100; i++) await check();
  expect(state.asked).toBe(1);
  clock.ms += 500;
  await check();
  expect(state.asked).toBe(2);
});

test("many at once share one question", async () => {
  const { state, check } = provider();
  await Promise.all(Array.from({ length: 50 }, check));
  expect(state.asked).toBe(1);
});

test("an issuer that is not asked vouches by the token alone", async () => {
  const issuer = { source: "token_lifetime", bound_ms: 300_000, ask: undefined } as const;
  const liveness = new Liveness(new Map([["corp", issuer]]), testClock(0));
  expect(await liveness.check(going().credential)).toBeUndefined();
  expect(liveness.factOf(going().credential)).toEqual({
    source: "token_lifetime",
    bound_ms: 300_000,
  });
});

const settled = (): Promise<void> => new Promise((done) => void setImmediate(done));

verifies("revocation.asked", "what runs is asked about again in time, and ended", async () => {
  const { clock, state, check, liveness } = provider();
  const stops = new Stops(openSqliteStopStore(":memory:", 0));
  await check();
  const watch = stops.watch(going());
  clock.ms = 999;
  liveness.look(stops);
  await settled();
  expect(state.asked).toBe(1);
  clock.ms = 1000;
  state.says = OUT;
  liveness.look(stops);
  await settled();
  expect(state.asked).toBe(2);
  expect(watch.ended()?.code).toBe("access_revoked");
  stops.close();
});

verifies(
  "revocation.asked",
  "what runs ends at the bound when the provider is silent",
  async () => {
    const { clock, state, check, liveness } = provider();
    const stops = new Stops(openSqliteStopStore(":memory:", 0));
    await check();
    const watch = stops.watch(going());
    state.says = DOWN;
    for (clock.ms = 1000; clock.ms < BOUND_MS; clock.ms += 250) {
      liveness.look(stops);
      await settled();
      expect(watch.ended()).toBeUndefined();
    }
    liveness.look(stops);
    expect(watch.ended()?.code).toBe("identity_unavailable");
    stops.close();
  },
);
