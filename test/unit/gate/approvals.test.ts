// Approvals by themselves: bound to one call, used once, ended in time, bounded, and on record.
import * as fc from "fast-check";
import { describe, expect } from "vitest";
import type { Asked, Bound } from "../../../src/gate/approvals.ts";
import type { Ending, Reach } from "../../../src/session/reach.ts";
import { verifies } from "../../verifies.ts";
import { ADA, idOf, isHers, opened, questionOf, REFUND, whats } from "./asked.ts";

describe("a yes", () => {
  verifies(
    "approval.bound",
    "is for one call: the next asks anew, under another name",
    async () => {
      const { ask, approve } = opened();
      const first = await approve();
      const asked = ask();
      expect(asked.kind).toBe("approved");
      if (asked.kind === "approved") asked.claim.spend();
      expect(ask()).toMatchObject({ kind: "waiting" });
      expect(ask()).not.toMatchObject({ id: first });
    },
  );

  verifies("approval.once", "is taken by one of many that ask at once", async () => {
    const { ask, approve } = opened();
    await approve();
    const kinds = Array.from({ length: 50 }, () => ask().kind);
    expect(kinds.filter((kind) => kind === "approved")).toHaveLength(1);
  });

  verifies("approval.once", "that a call took and did not run with is there again", async () => {
    const { ask, approve, approvals, said } = opened();
    const id = await approve();
    const first = ask();
    if (first.kind === "approved") first.claim.giveBack();
    expect(ask()).toMatchObject({ kind: "approved", claim: { id, by: "ada" } });
    // What is in use can be neither given again nor taken back.
    expect(await approvals.decide(id, false, "page")).toBe(false);
    expect(approvals.look(id, isHers)).toBeUndefined();
    expect(whats(said)).toEqual(["given"]);
  });

  verifies("approval.bound", "fits nothing but what it was given for", async () => {
    const others: Partial<Bound>[] = [
      { who: { ...ADA, subject: "bob" } },
      { who: { ...ADA, issuer: "https://other.test" } },
      { who: { ...ADA, tenant: null } },
      { agent: "yard" },
      { client_id: "another" },
      { tool: "refund_all" },
      { tool_hash: "sha256:9" },
      { policy: "sha256:9" },
      { args: { ...REFUND.args, amount: 80.01 } },
      { args: { ...REFUND.args, amount: "80" } },
      { args: { ...REFUND.args, more: null } },
      { args: { id: 7, amount: 80 } },
    ];
    for (const other of others) {
      const { ask, approve } = opened();
      await approve();
      expect(ask(other), JSON.stringify(other)).toMatchObject({ kind: "waiting" });
      expect(ask()).toMatchObject({ kind: "approved" });
    }
  });
});

describe("the same arguments", () => {
  const same = async (a: string, b: string): Promise<boolean> => {
    const { ask, approve } = opened();
    await approve({ args: JSON.parse(a) as Bound["args"] });
    return ask({ args: JSON.parse(b) as Bound["args"] }).kind === "approved";
  };

  verifies("approval.bound", "may be written in another order or form of number", async () => {
    expect(await same('{"a":80,"b":{"c":1,"d":2}}', '{"b":{"d":2.0,"c":1e0},"a":8e1}')).toBe(true);
    expect(await same('{"a":[1,2]}', '{"a":[2,1]}')).toBe(false);
    expect(await same('{"a":80}', '{"a":80.01}')).toBe(false);
    expect(await same('{"a":null}', "{}")).toBe(false);
  });

  verifies("approval.bound", "are not those that only look alike", async () => {
    const alike = [
      ["\u00e9", "e\u0301"],
      ["a", "\u0430"],
      ["a", "a\u200b"],
      ["x", "x "],
      ["\ud800", "\\ud800"],
      ["\ud800", "\ufffd"],
    ] as const;
    for (const [a, b] of alike) {
      expect(await same(JSON.stringify({ a }), JSON.stringify({ a: b })), a).toBe(false);
    }
  });

  verifies("approval.bound", "are those that are the same value, and no others", () => {
    const args = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }));
    const isSame = (a: Bound["args"], b: Bound["args"]): boolean => {
      const approvals = opened().approvals;
      const bound = { ...REFUND, args: a };
      approvals.ask(bound, () => questionOf(bound));
      return approvals.find({ ...REFUND, args: b }) !== undefined;
    };
    fc.assert(
      fc.property(args, args, (a, b) => {
        const again = JSON.parse(JSON.stringify(a)) as Bound["args"];
        expect(isSame(a, Object.fromEntries(Object.entries(again).toReversed()))).toBe(true);
        let equal = true;
        try {
          expect(again).toEqual(JSON.parse(JSON.stringify(b)));
        } catch {
          equal = false;
        }
        expect(isSame(a, b)).toBe(equal);
      }),
      { seed: 20_261_128, numRuns: 200 },
    );
  });
});

describe("time", () => {
  verifies(
    "approval.expires",
    "a question ends, and so does a yes, and both are on record",
    async () => {
      const { ask, approve, clock, said, approvals } = opened();
      ask();
      clock.ms += 599_999;
      approvals.expire();
      expect(said).toEqual([]);
      clock.ms += 1;
      approvals.expire();
      expect(whats(said)).toEqual(["expired"]);
      await approve();
      clock.ms += 600_000;
      expect(ask().kind).toBe("waiting");
      expect(whats(said)).toEqual(["expired", "given", "expired"]);
      expect(said[0]).toMatchObject({ subject: "ada", tool: "refund", call_id: "call-1" });
    },
  );

  verifies("approval.expires", "a question that has ended cannot be answered", async () => {
    const { ask, clock, approvals } = opened();
    const asked = ask();
    const id = asked.kind === "waiting" ? asked.id : "";
    clock.ms += 600_000;
    expect(await approvals.decide(id, true, "page")).toBe(false);
    expect(approvals.look(id, isHers)).toBeUndefined();
    expect(approvals.list(isHers)).toEqual([]);
  });

  verifies("approval.expires", "a yes holds as long from when it was said", async () => {
    const { ask, clock, approvals } = opened();
    const asked = ask();
    clock.ms += 599_000;
    await approvals.decide(asked.kind === "waiting" ? asked.id : "", true, "page");
    clock.ms += 599_000;
    expect(ask().kind).toBe("approved");
  });
});

describe("a no", () => {
  verifies("approval.declined", "holds for this call, and asks no more for a while", async () => {
    const { ask, approvals, clock, said } = opened();
    const asked = ask();
    await approvals.decide(asked.kind === "waiting" ? asked.id : "", false, "page");
    expect(ask().kind).toBe("declined");
    expect(ask({ args: { id: 8 } }).kind).toBe("waiting");
    clock.ms += 600_000;
    expect(ask().kind).toBe("waiting");
    // What was declined is over with that; it does not expire as well.
    expect(whats(said)).toEqual(["declined", "expired"]);
  });

  verifies(
    "approval.declined",
    "holds for the same tool and arguments, whoever asks and whatever has changed",
    async () => {
      const { ask, approvals, clock, said } = opened();
      await approvals.decide(idOf(ask()), false, "page");
      approvals.keepOnly(() => false);
      approvals.stop({ kind: "all" });
      const others: Partial<Bound>[] = [
        {},
        { agent: "yard" },
        { client_id: "another" },
        { tool_hash: "sha256:9" },
        { policy: "sha256:9" },
        { args: { reason: "Charged twice", amount: 8e1, id: 7.0 } },
      ];
      for (const other of others) expect(ask(other).kind, JSON.stringify(other)).toBe("declined");
      expect(ask({ who: { ...ADA, subject: "bob" } }).kind).toBe("waiting");
      expect(ask({ args: { ...REFUND.args, amount: 79 } }).kind).toBe("waiting");
      expect(whats(said)).toEqual(["declined"]);
      clock.ms += 600_000;
      expect(ask({ agent: "yard" }).kind).toBe("waiting");
    },
  );

  verifies(
    "approval.declined",
    "and a yes: of two agents' same question the last one",
    async () => {
      const { ask, approvals } = opened();
      const [desk, yard] = [idOf(ask()), idOf(ask({ agent: "yard" }))];
      await approvals.decide(desk, false, "page");
      expect(ask({ agent: "yard" }).kind).toBe("declined");
      await approvals.decide(yard, true, "page");
      expect(ask({ agent: "yard" }).kind).toBe("approved");
      expect(ask().kind).toBe("declined");
    },
  );

  verifies("approval.declined", "holds no longer for a lock while it was written", async () => {
    const written = Promise.withResolvers<void>();
    const { ask, approvals, clock } = opened(() => written.promise);
    const deciding = approvals.decide(idOf(ask()), false, "page");
    approvals.stop({ kind: "all" });
    written.resolve();
    await deciding;
    clock.ms += 599_999;
    expect(ask().kind).toBe("declined");
    clock.ms += 1;
    expect(ask().kind).toBe("waiting");
  });

  verifies("approval.declined", "takes a yes back that was not used", async () => {
    const { ask, approve, approvals, said } = opened();
    const id = await approve();
    expect(await approvals.decide(id, false, "page")).toBe(true);
    expect(ask().kind).toBe("declined");
    expect(whats(said)).toEqual(["given", "taken_back"]);
  });
});

describe("what takes it away", () => {
  const reaches: readonly (Reach | Ending)[] = [
    { kind: "user", issuer: ADA.issuer, subject: "ada" },
    { kind: "session", session: "ses_1" },
    { kind: "tool", tool: "refund" },
    { kind: "agent", agent: "desk" },
    { kind: "all" },
    { kind: "family", issuer: ADA.issuer, family: "sign-in-1" },
  ];

  verifies("approval.voided", "a lock or an ending that reaches it, for good", async () => {
    for (const reach of reaches) {
      const { ask, approve, approvals, said } = opened();
      const id = await approve();
      approvals.stop(reach);
      expect(approvals.look(id, isHers), reach.kind).toBeUndefined();
      expect(ask().kind, reach.kind).toBe("waiting");
      expect(whats(said), reach.kind).toEqual(["given", "voided"]);
    }
  });

  verifies("approval.voided", "none that reaches something else", async () => {
    const { ask, approve, approvals } = opened();
    await approve();
    approvals.stop({ kind: "user", issuer: ADA.issuer, subject: "bob" });
    approvals.stop({ kind: "tool", tool: "other" });
    approvals.stop({ kind: "session", session: "ses_2" });
    approvals.keepOnly(({ policy }) => policy === "sha256:2");
    expect(ask().kind).toBe("approved");
  });

  verifies(
    "approval.voided",
    "another policy or tool: what was shown is not what would run",
    async () => {
      const { approve, approvals, said } = opened();
      await approve();
      approvals.keepOnly(({ tool_hash }) => tool_hash === "sha256:9");
      expect(said.at(-1)).toMatchObject({ what: "voided", why: "changed" });
    },
  );

  verifies(
    "approval.voided",
    "a lock while it is in use: it is not given back to anybody",
    async () => {
      const { ask, approve, approvals } = opened();
      await approve();
      const asked = ask();
      approvals.stop({ kind: "all" });
      if (asked.kind === "approved") asked.claim.giveBack();
      expect(ask().kind).toBe("waiting");
    },
  );

  verifies(
    "approval.voided",
    "a lock while the yes is being written: it does not count",
    async () => {
      const written = Promise.withResolvers<void>();
      const { ask, approvals } = opened(() => written.promise);
      const asked = ask();
      const deciding = approvals.decide(asked.kind === "waiting" ? asked.id : "", true, "page");
      approvals.stop({ kind: "all" });
      written.resolve();
      expect(await deciding).toBe(false);
      expect(ask().kind).toBe("waiting");
    },
  );
});

verifies("approval.recorded", "a yes that cannot be recorded was not said", async () => {
  let fails = true;
  const { ask, approvals } = opened(() =>
    fails ? Promise.reject(new Error("no disk")) : Promise.resolve(),
  );
  const asked = ask();
  const id = asked.kind === "waiting" ? asked.id : "";
  await expect(approvals.decide(id, true, "page")).rejects.toThrow("no disk");
  expect(ask()).toMatchObject({ kind: "waiting", id });
  fails = false;
  expect(await approvals.decide(id, true, "page")).toBe(true);
  expect(ask().kind).toBe("approved");
});

verifies("approval.bounded", "a full table refuses, and forgets nobody's question", async () => {
  const { ask, approvals } = opened();
  const one = (subject: string, id: number, agent = `agent-${id}`): Asked =>
    ask({ who: { ...ADA, subject }, agent, args: { id } });
  for (let i = 0; i < 3; i++) expect(one("ada", i).kind).toBe("waiting");
  expect(one("ada", 3)).toEqual({ kind: "full", limit: "approvals_per_user_max", scope: "user" });
  expect(one("bob", 0).kind).toBe("waiting");
  for (let i = 1; i < 3; i++) expect(one("bob", i).kind).toBe("waiting");
  expect(one("eve", 0)).toEqual({ kind: "full", limit: "approvals_max", scope: "server" });
  expect(one("ada", 1).kind).toBe("waiting");
  expect(approvals.list(isHers)).toHaveLength(3);
});

verifies(
  "approval.bounded",
  "an agent leaves as many places as it takes, with its noes",
  async () => {
    const { ask, approvals, clock } = opened();
    const full = { kind: "full", limit: "approvals_per_user_max" };
    const desk = (id: number): Asked => ask({ args: { id } });
    await approvals.decide(idOf(desk(0)), false, "page");
    expect(desk(1).kind).toBe("waiting");
    expect(desk(2)).toEqual({ ...full, scope: "user, agent and client" });
    // What waits is still asked of it, and another agent, or another client, has room.
    expect(desk(1).kind).toBe("waiting");
    expect(ask({ client_id: "another", args: { id: 2 } }).kind).toBe("waiting");
    expect(ask({ agent: "yard", args: { id: 3 } })).toEqual({ ...full, scope: "user" });
    clock.ms += 600_000;
    expect(desk(2).kind).toBe("waiting");
  },
);

verifies("approval.yours-alone", "who it is not put to finds nothing under its name", () => {
  const { ask, approvals } = opened();
  const asked = ask();
  const id = asked.kind === "waiting" ? asked.id : "";
  expect(approvals.look(id, () => false)).toBeUndefined();
  expect(approvals.look(id, isHers)?.shown.args).toEqual(REFUND.args);
  expect(id).toMatch(/^[\w-]{43}$/);
});
