// Limits over many sessions, restarts and clocks: exact, shared, and nothing is gained.
import { describe, expect } from "vitest";
import type { Refusal } from "../../../src/kernel/errors.ts";
import type { Going } from "../../../src/session/reach.ts";
import { testFolder } from "../../setup/minimal.ts";
import { intent, opened, testClock } from "../ledger/entries.ts";
import { verifies } from "../../verifies.ts";
import { going } from "../../setup/going.ts";
import { config, flood, ONE_PER_HOUR, started } from "./server.ts";

const HOUR_MS = 3_600_000;

describe("burst 100 and one more per hour", () => {
  verifies(
    ["limits.exact", "limits.kept"],
    "of 1,000 calls at once over ten sessions of one user exactly 100 run; the next when promised",
    async () => {
      const { ledger, folder, clock } = await opened();
      const server = started(config(ONE_PER_HOUR), ledger, folder, clock);
      const { ran, refused } = await flood(server, 1000);
      expect(ran).toBe(100);
      for (const refusal of refused) {
        expect(refusal).toMatchObject({
          code: "rate_limited",
          retry_after_ms: HOUR_MS,
          details: { limit: "calls_per_user", scope: "user", remaining: 0 },
        });
      }
      clock.ms += HOUR_MS - 1;
      expect((await flood(server, 10)).ran).toBe(0);
      clock.ms += 1;
      expect((await flood(server, 10)).ran).toBe(1);
      expect(await server.call(going({ subject: "grace" }))).toBeUndefined();
    },
  );

  verifies(
    "limits.kept",
    "the same across a restart in the middle, with not one more or less, and the same promise",
    async () => {
      for (const before of [1, 40, 99, 100]) {
        const folder = testFolder();
        const first = await opened(folder);
        const { clock } = first;
        const one = started(config(ONE_PER_HOUR), first.ledger, folder, clock);
        expect((await flood(one, before)).ran).toBe(before);
        await first.ledger.close();
        clock.ms += 5000;
        const again = await opened(folder, { clock });
        const two = started(config(ONE_PER_HOUR), again.ledger, folder, clock);
        const { ran, refused } = await flood(two, 1000 - before);
        expect(ran).toBe(100 - before);
        expect(refused[0]?.retry_after_ms).toBe(HOUR_MS - 5000);
        clock.ms += HOUR_MS - 5001;
        expect((await flood(two, 10)).ran).toBe(0);
        clock.ms += 1;
        expect((await flood(two, 10)).ran).toBe(1);
        await again.ledger.close();
      }
    },
  );

  verifies(
    "limits.kept",
    "a call whose server was killed before it ended counts as one that ran",
    async () => {
      const folder = testFolder();
      const first = await opened(folder);
      for (let i = 0; i < 30; i++) await first.ledger.intent(intent(`cut-off-${i}`));
      await first.ledger.close();
      const { clock } = first;
      const again = await opened(folder, { clock });
      expect(again.recovery.orphans).toBe(30);
      const server = started(config(ONE_PER_HOUR), again.ledger, folder, clock);
      expect((await flood(server, 1000)).ran).toBe(70);
    },
  );
});

describe("sessions of one user", () => {
  /** One session that asks each 10 ms, and others that come when they were told; for a minute. */
  async function minute(polite: readonly Going[], burst: number) {
    const { ledger, folder, clock } = await opened();
    const its = config({ calls_per_user: { calls: 1, per_s: 1, burst } });
    const { limits, toolNamed } = started(its, ledger, folder, clock);
    let nth = 0;
    const asks = (who: Going): Refusal | undefined => {
      const wanted = { tool: toolNamed("item_get"), args: { nth: nth++ } };
      const taken = limits.take(who, wanted);
      if (!taken.ok) return taken.refusal;
      taken.value.end(0, undefined);
      return undefined;
    };
    const hammer = going({ family: "hammer" });
    const due = polite.map(() => 0);
    const ran = { hammer: 0, polite: polite.map(() => 0) };
    for (let ms = 0; ms < 60_000; ms += 10, clock.ms += 10) {
      if (asks(hammer) === undefined) ran.hammer++;
      for (const [i, who] of polite.entries()) {
        if (ms < (due[i] ?? 0)) continue;
        const refused = asks(who);
        if (refused === undefined) ran.polite[i] = (ran.polite[i] ?? 0) + 1;
        due[i] = ms + (refused?.retry_after_ms ?? 0);
      }
    }
    return ran;
  }

  for (const burst of [1, 5]) {
    verifies(
      "limits.shared",
      `share a rate (burst ${burst}): one that hammers does not starve those that wait`,
      async () => {
        const [one, two, three] = [1, 2, 3].map((i) => going({ family: `polite ${i}` }));
        if (one === undefined || two === undefined || three === undefined) throw new Error();
        const alone = await minute([one], burst);
        expect(alone.polite[0]).toBeGreaterThanOrEqual(20);
        const several = await minute([one, two, three], burst);
        for (const ran of several.polite) expect(ran).toBeGreaterThanOrEqual(5);
        for (const { hammer, polite } of [alone, several]) {
          const all = hammer + polite.reduce((sum, n) => sum + n, 0);
          expect(all).toBeGreaterThanOrEqual(50);
          expect(all).toBeLessThanOrEqual(60 + burst);
        }
      },
    );
  }

  verifies(
    "limits.shared",
    "a call that is kept for one that does not come is not lost",
    async () => {
      const { ledger, folder, clock } = await opened();
      const its = config({ calls_per_user: { calls: 1, per_s: 60, burst: 1 } });
      const server = started(its, ledger, folder, clock);
      const [a, b] = [going({ family: "a" }), going({ family: "b" })];
      expect(await server.call(a)).toBeUndefined();
      expect((await server.call(b))?.retry_after_ms).toBe(60_000);
      clock.ms += 60_000;
      expect(await server.call(a)).toBeUndefined();
      expect((await server.call(b))?.retry_after_ms).toBe(60_000);
      clock.ms += 60_000;
      // The next one is b's, who does not come; a moment later it is anybody's.
      expect((await server.call(a))?.retry_after_ms).toBe(1001);
      clock.ms += 1000;
      expect((await server.call(a))?.retry_after_ms).toBe(1);
      clock.ms += 1;
      expect(await server.call(a)).toBeUndefined();
    },
  );
});

describe("clocks", () => {
  /** A clock whose two faces the test moves one by one. */
  const twoFaced = () => {
    const clock = { ms: 0, wall: testClock().ms, now: () => clock.wall, monotonic: () => clock.ms };
    return clock;
  };

  for (const [said, by_ms] of [
    ["ahead by a day", 24 * HOUR_MS],
    ["ahead by a year", 365 * 24 * HOUR_MS],
    ["back by a day", -24 * HOUR_MS],
  ] as const) {
    verifies(
      "limits.kept",
      `a wall clock that is set ${said} brings nothing back, now or after a restart`,
      async () => {
        const folder = testFolder();
        const clock = twoFaced();
        const first = await opened(folder, { clock });
        const one = started(config(ONE_PER_HOUR), first.ledger, folder, clock);
        expect((await flood(one, 60)).ran).toBe(60);
        clock.wall += by_ms;
        expect((await flood(one, 1000)).ran).toBe(40);
        await first.ledger.close();
        const again = await opened(folder, { clock });
        const two = started(config(ONE_PER_HOUR), again.ledger, folder, clock);
        const { ran, refused } = await flood(two, 100);
        expect(ran).toBe(0);
        expect(refused[0]?.retry_after_ms).toBe(HOUR_MS);
        // And back again, in the next run: as if nothing had been.
        clock.wall -= by_ms;
        expect((await flood(two, 100)).ran).toBe(0);
        await again.ledger.close();
        const last = await opened(folder, { clock });
        const three = started(config(ONE_PER_HOUR), last.ledger, folder, clock);
        expect((await flood(three, 100)).ran).toBe(0);
        clock.wall += HOUR_MS;
        clock.ms += HOUR_MS;
        expect((await flood(three, 100)).ran).toBe(1);
      },
    );
  }

  verifies("limits.kept", "a clock that is set back while nothing runs is no gain", async () => {
    const folder = testFolder();
    const clock = twoFaced();
    const first = await opened(folder, { clock });
    const one = started(config(ONE_PER_HOUR), first.ledger, folder, clock);
    await flood(one, 100);
    await first.ledger.close();
    for (let i = 0; i < 3; i++) {
      clock.wall -= 10 * HOUR_MS;
      const again = await opened(folder, { clock });
      const two = started(config(ONE_PER_HOUR), again.ledger, folder, clock);
      expect((await flood(two, 100)).refused[0]?.retry_after_ms).toBe(HOUR_MS);
      await again.ledger.close();
    }
    // Nor is it a loss: time that passed since counts, in this run and the next.
    const again = await opened(folder, { clock });
    const two = started(config(ONE_PER_HOUR), again.ledger, folder, clock);
    for (const face of ["wall", "ms"] as const) clock[face] += HOUR_MS;
    expect((await flood(two, 100)).ran).toBe(1);
    for (const face of ["wall", "ms"] as const) clock[face] += HOUR_MS / 2;
    await again.ledger.close();
    const last = await opened(folder, { clock });
    const three = started(config(ONE_PER_HOUR), last.ledger, folder, clock);
    expect((await flood(three, 100)).refused[0]?.retry_after_ms).toBe(HOUR_MS / 2);
  });
});
