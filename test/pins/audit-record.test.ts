// An audit record: its keys and their order, as INTERFACE lists them.
import { expect } from "vitest";
import { OUTCOMES } from "../../src/kernel/error-row.ts";
import { verifies } from "../verifies.ts";
import { asked, call, intent, opened, outcome, refusalOf } from "../unit/ledger/entries.ts";

const KEYS =
  "call_id, parent, time, user, subject, issuer, tenant, roles, actor_chain, agent, client_id, " +
  "session, tool, target, args, result, effects, rule, approved_by, outcome, effect, " +
  "error_code, duration_ms, steps, downstream, trace_id, isolation, policy, tool_hash, liveness";

verifies(
  "ledger.record",
  "a record has the keys of INTERFACE in that order, and then our own, in each state",
  async () => {
    const { ledger } = await opened();
    await call(ledger, "ended");
    await ledger.intent(intent("running"));
    await ledger.refusal(refusalOf("refused"));
    const { records } = await asked(ledger, { limit: 10 });
    expect(records.map(({ call_id }) => call_id)).toEqual(["refused", "running", "ended"]);
    for (const record of records) expect(Object.keys(record).join(", ")).toBe(KEYS);
  },
);

verifies(
  "ledger.record",
  "a record is both halves of its call, and the time of the first",
  async () => {
    const { ledger, clock } = await opened();
    const began = clock.ms;
    await ledger.intent(intent("a"));
    const [running] = (await asked(ledger, { limit: 1 })).records;
    expect(running).toMatchObject({ outcome: "unknown", effect: "unknown", result: null });
    clock.ms += 60_000;
    await ledger.outcome(outcome("a"));
    const [record] = (await asked(ledger, { limit: 1 })).records;
    expect(record).toEqual({
      ...running,
      time: new Date(began).toISOString(),
      outcome: "ok",
      effect: "done",
      duration_ms: 12,
      steps: { run: 10 },
      downstream: [
        { method: "PUT", url: "https://shop.test/items/7", status: 200, request_id: "call-1" },
      ],
      result: { id: 7 },
    });
  },
);

verifies("ledger.record", "the outcomes that one can ask for are those of INTERFACE", () => {
  expect(OUTCOMES.join(", ")).toBe(
    "ok, tool_error, refused, rate_limited, auth_failed, downstream_error, timeout, " +
      "cancelled, drift, revoked, unknown",
  );
});

verifies(
  ["ledger.record", "resend.recorded"],
  "a record that got another call's answer names that call last, and is found as any other",
  async () => {
    const { ledger } = await opened();
    await call(ledger, "first");
    const { kind: _, ...facts } = intent("again");
    const { kind: _end, call_id: _id, ...end } = outcome("again", { effect: "none", result: null });
    await ledger.intent({ kind: "replay", ...facts, ...end, replay_of: "first" });
    const { records } = await asked(ledger, { limit: 10 });
    expect(records.map(({ call_id }) => call_id)).toEqual(["again", "first"]);
    expect(Object.keys(records[0] ?? {}).join(", ")).toBe(`${KEYS}, replay_of`);
    expect(records[0]).toMatchObject({ outcome: "ok", effect: "none", replay_of: "first" });
    const [found] = (await asked(ledger, { limit: 1, call_id: "again" })).records;
    expect(found).toEqual(records[0]);
  },
);
