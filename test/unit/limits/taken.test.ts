// What a call and a request take, and from whom: every bucket, every budget, every place.
import { describe, expect } from "vitest";
import type { Going } from "../../../src/session/reach.ts";
import { testFolder } from "../../setup/minimal.ts";
import { opened } from "../ledger/entries.ts";
import { verifies } from "../../verifies.ts";
import { going } from "../../setup/going.ts";
import { config, flood, ONE_PER_HOUR, sessions, started } from "./server.ts";

describe("what a call takes from", () => {
  const tight = { calls: 2, per_s: 3600, burst: 2 };
  const others: readonly [string, string, Going, Going][] = [
    ["calls_per_tenant", "tenant", going({ subject: "a" }), going({ subject: "b" })],
    ["calls_per_client", "client", going({ subject: "a" }), going({ subject: "b" })],
    ["calls_per_tool", "tool", going({ tenant: "a" }), going({ tenant: "b" })],
    ["calls_per_user", "user", going({ client_id: "a" }), going({ client_id: "b" })],
    ["calls_per_session", "session", going(), going()],
    ["calls_per_user_and_tool", "user and tool", going({ family: "a" }), going({ family: "b" })],
    ["calls_per_session_and_tool", "session and tool", going(), going()],
  ];
  for (const [limit, scope, one, other] of others) {
    verifies("limits.exact", `${limit} is one bucket for its ${scope}, and no more`, async () => {
      const { ledger, folder, clock } = await opened();
      const server = started(config({ [limit]: tight }), ledger, folder, clock);
      const stranger = going({ subject: "z", family: "z", client_id: "z", tenant: "z" });
      expect(await server.call(one)).toBeUndefined();
      expect(await server.call(other)).toBeUndefined();
      for (const who of [one, other]) {
        const refused = await server.call(who);
        expect(refused?.details).toEqual({ limit, scope, remaining: 0 });
      }
      const theirs = await server.call(stranger);
      expect(theirs?.details?.["limit"]).toBe(limit === "calls_per_tool" ? limit : undefined);
    });
  }

  verifies("limits.exact", "destructive calls have a limit of their own", async () => {
    const { ledger, folder, clock } = await opened();
    const its = config({ destructive_calls_per_user: tight });
    const server = started(its, ledger, folder, clock);
    for (let i = 0; i < 2; i++) expect(await server.call(going(), "item_drop")).toBeUndefined();
    const refused = await server.call(going(), "item_drop");
    expect(refused?.details?.["limit"]).toBe("destructive_calls_per_user");
    expect(await server.call()).toBeUndefined();
  });

  verifies("limits.exact", "no place to run takes nothing from the buckets", async () => {
    const { ledger, folder, clock } = await opened();
    const its = config({ ...ONE_PER_HOUR, running_calls_per_user_max: 4 });
    const server = started(its, ledger, folder, clock);
    const { ran, refused } = await flood(server, 500);
    expect(ran).toBe(4);
    expect(refused[0]).toMatchObject({
      code: "capacity",
      details: { limit: "running_calls_per_user_max", scope: "user", remaining: 0 },
    });
    for (let i = 4; i < 100; i++) expect(await server.call()).toBeUndefined();
    expect((await server.call())?.code).toBe("rate_limited");
  });

  verifies("limits.exact", "a lease that is given back twice is one place", async () => {
    const { ledger, folder, clock } = await opened();
    const server = started(config({ running_calls_per_user_max: 1 }), ledger, folder, clock);
    for (let i = 0; i < 3; i++) expect(await server.call()).toBeUndefined();
    for (const lease of server.leases) lease.end(0, undefined);
    expect(server.limits.running.count).toBe(0);
  });
});

describe("budgets", () => {
  for (const [what, max, ran] of [
    ["calls", 5, 5],
    ["cost", 9, 3],
    // An item_get may move 524,288 bytes, and moves 100.
    ["bytes", 524_288 + 450, 5],
  ] as const) {
    verifies(
      "limits.budget",
      `${what} of a day run out, stay out after a restart, and come back at midnight`,
      async () => {
        const folder = testFolder();
        const first = await opened(folder);
        const { clock } = first;
        const midnight = Date.parse("2026-03-15T00:00:00.000Z");
        const its = config({ budget_per_user: { [what]: max }, costs: { item_get: 3 } });
        const one = started(its, first.ledger, folder, clock);
        // All but one; what they really used is known again after the restart.
        for (let i = 1; i < ran; i++) expect(await one.call(sessions[i % 10])).toBeUndefined();
        await first.ledger.close();
        clock.ms += 1000;
        const again = await opened(folder, { clock });
        const two = started(its, again.ledger, folder, clock);
        expect(await two.call(sessions[0])).toBeUndefined();
        const refused = await two.call();
        expect(refused).toMatchObject({
          code: "rate_limited",
          retry_after_ms: midnight - clock.ms,
          details: { limit: `budget_per_user.${what}`, scope: "user" },
        });
        expect(await two.call(going({ subject: "grace" }))).toBeUndefined();
        clock.ms = midnight;
        expect(await two.call()).toBeUndefined();
      },
    );
  }

  verifies("limits.budget", "a tenant's is shared by its users", async () => {
    const { ledger, folder, clock } = await opened();
    const server = started(config({ budget_per_tenant: { calls: 3 } }), ledger, folder, clock);
    for (const subject of ["a", "b", "c"]) {
      expect(await server.call(going({ subject }))).toBeUndefined();
    }
    const refused = await server.call(going({ subject: "d" }));
    expect(refused?.details).toMatchObject({ limit: "budget_per_tenant.calls", scope: "tenant" });
    expect(await server.call(going({ subject: "d", tenant: "globex" }))).toBeUndefined();
  });
});

describe("requests", () => {
  verifies("limits.exact", "count per user and per session, before anything is asked", async () => {
    const { ledger, folder, clock } = await opened();
    const its = config({
      requests_per_user: { calls: 60, per_s: 60, burst: 4 },
      requests_per_session: { calls: 60, per_s: 60, burst: 3 },
    });
    const { limits } = started(its, ledger, folder, clock);
    const [one, two] = [going({ family: "1" }), going({ family: "2" })];
    const asked = (who: Going) => limits.request(who)?.details?.["limit"];
    expect([asked(one), asked(one), asked(one)]).toEqual([undefined, undefined, undefined]);
    expect(asked(one)).toBe("requests_per_session");
    expect(asked(two)).toBeUndefined();
    expect(asked(two)).toBe("requests_per_user");
    clock.ms += 1000;
    expect(asked(two)).toBeUndefined();
  });
});
