// The limits of a deployment under a clock that the test moves, with the ledger as their memory.
import { beforeEach, describe, expect } from "vitest";
import { limitsSchema } from "../../../src/config/limits.ts";
import type { LimitsConfig } from "../../../src/config/limits.ts";
import type { Catalog, ToolDefinition } from "../../../src/catalog/definition.ts";
import type { Clock } from "../../../src/kernel/clock.ts";
import type { Refusal } from "../../../src/kernel/errors.ts";
import type { Credential } from "../../../src/kernel/principal.ts";
import { Secret } from "../../../src/kernel/secret.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { spendHistory } from "../../../src/ledger/spend-history.ts";
import { Limits } from "../../../src/limits/limits.ts";
import type { Lease } from "../../../src/limits/limits.ts";
import type { Going } from "../../../src/session/reach.ts";
import { sessionOf } from "../../../src/session/session.ts";
import { catalogOf, testFolder, toolFile, WRITES } from "../../setup/minimal.ts";
import { intent, opened, outcome, testClock } from "../ledger/entries.ts";
import { verifies } from "../../verifies.ts";

const HOUR_MS = 3_600_000;
let tools: Catalog["tools"];
beforeEach(() => {
  const effects = { ...WRITES.effects, destructive: true };
  tools = catalogOf(toolFile("item_get"), toolFile("item_drop", { ...WRITES, effects })).tools;
});

function toolNamed(name: string): ToolDefinition {
  const tool = tools.get(name);
  if (tool === undefined) throw new RangeError(name);
  return tool;
}

interface Who {
  readonly subject?: string;
  readonly family?: string;
  readonly client_id?: string;
  readonly tenant?: string;
}

function going({ subject = "ada", family = "1", client_id = "ide", tenant = "acme" }: Who = {}) {
  const principal = {
    issuer: "https://login.test",
    subject,
    name: subject,
    tenant,
    roles: [],
    actor_chain: [],
  };
  const credential: Credential = {
    principal,
    issuer_name: "corp",
    agent: "desk",
    client_id,
    scopes: [],
    family,
    issued_at_s: 0,
    expires_at_ms: 0,
    token_digest: "",
    incomplete: undefined,
    proof: new Secret("x"),
  };
  return { credential, session: sessionOf(credential) };
}

interface Running {
  readonly limits: Limits;
  /** A call with arguments of its own; what became of it. */
  call(who?: Going, tool?: string, args?: unknown): Promise<Refusal | undefined>;
  readonly leases: Lease[];
}

/** A server between its start and its death: calls that run are in the ledger. */
function started(its: LimitsConfig, ledger: Ledger, folder: string, clock: Clock): Running {
  const onJump = (by_ms: number): void => void ledger.event("clock", { by_ms });
  const limits = new Limits({ limits: its, clock, onJump });
  limits.recall(spendHistory(folder), (name) => tools.get(name));
  let calls = 0;
  const leases: Lease[] = [];
  return {
    limits,
    leases,
    async call(who = going(), tool = "item_get", args = { id: ++calls }) {
      const taken = limits.take(who, { tool: toolNamed(tool), args, parent: undefined });
      if (!taken.ok) return taken.refusal;
      leases.push(taken.value);
      const { principal, client_id } = who.credential;
      const call_id = `call-${clock.now()}-${Math.random()}`;
      const session = who.session.id;
      const facts = {
        ...principal,
        client_id,
        session,
        tool,
        effects: { ...toolNamed(tool).effects },
      };
      await ledger.intent(
        intent(call_id, { ...facts, user: "x", tenant: principal.tenant ?? null }),
      );
      taken.value.end(100, undefined);
      await ledger.outcome(outcome(call_id, { bytes: 100 }));
      return undefined;
    },
  };
}

const FREE = { calls: 1_000_000, per_s: 1, burst: 1_000_000 };

function config(changes: object = {}): LimitsConfig {
  return limitsSchema.parse({
    requests_per_user: FREE,
    calls_per_user: FREE,
    calls_per_user_and_tool: FREE,
    running_calls_per_user_max: 1024,
    running_calls_max: 4096,
    ...changes,
  });
}

const ONE_PER_HOUR = { calls_per_user: { calls: 1, per_s: 3600, burst: 100 } };
const sessions = Array.from({ length: 10 }, (_, i) => going({ family: `sign-in ${i}` }));

/** So many calls at once, by turns from ten sessions of one user. */
async function flood(server: Running, calls: number) {
  const ended = await Promise.all(
    Array.from({ length: calls }, (_, i) => server.call(sessions[i % 10])),
  );
  const refused = ended.filter((refusal) => refusal !== undefined);
  return { ran: calls - refused.length, refused };
}

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
    const { limits } = started(its, ledger, folder, clock);
    let nth = 0;
    const asks = (who: Going): Refusal | undefined => {
      const wanted = { tool: toolNamed("item_get"), args: { nth: nth++ }, parent: undefined };
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
