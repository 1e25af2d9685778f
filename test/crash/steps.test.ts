// Killed at every named moment between a call's intent and its answer: what is known afterwards.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect } from "vitest";
import { Visitor } from "../../src/cli/prove-visitor.ts";
import type { Line } from "../../src/ledger/record.ts";
import type { Child } from "../setup/child.ts";
import { verifies } from "../verifies.ts";
import { openCrashHouse } from "./house.ts";
import type { CrashHouse } from "./house.ts";

let house: CrashHouse;
beforeAll(async () => {
  // Each call obtains its own downstream token, so that one can be killed while it does.
  house = await openCrashHouse({ reuse_ms_max: 0 });
});
afterAll(() => house.close());

/** What is left of the one call that was killed. */
interface Left {
  /** Before the restart. */
  readonly intents: number;
  readonly outcomes: readonly string[];
  /** After it. */
  readonly recovered: readonly string[];
  /** How many requests the SaaS saw. */
  readonly effects: number;
  readonly answered: boolean;
  /** What the same call with the same key got then; and how many requests the SaaS saw of it. */
  readonly again: string;
  readonly effects_again: number;
}

/** Where the call stops: set up when the promise resolves, reached when `reached` does. */
interface Trap {
  readonly reached: Promise<unknown>;
  /** Takes it away, after the kill. */
  readonly free?: () => Promise<void>;
}

/** The disk of a core that was started for it; see stuck-disk.ts. */
async function killOnDisk(stuck: string): Promise<Left> {
  const core = await house.start(stuck);
  return killAt(core, { reached: core.met("stuck").then(letItRun) });
}

// A core that does not wait for its disk would go on now: it gets the time to do so, counted in
// requests that it answers meanwhile, of which a whole call takes fewer than ten.
async function letItRun(): Promise<void> {
  for (let i = 0; i < 40; i++) await house.list("omar", "sales");
}

/** A peer; keys are known and connections stand, so that it is the write that meets it. */
async function killAtPeer(set: () => Promise<Trap>): Promise<Left> {
  const core = await house.start();
  const read = await house.call("mia", "sales", "crm_get_deal", { id: 42 });
  expect(read.result, read.text).toBeDefined();
  return killAt(core, await set());
}

/** Sends one write, kills the core where it stops, and starts it again. */
async function killAt(core: Child, trap: Trap): Promise<Left> {
  const lines_before = house.evidence.log().lines.length;
  const rows_before = (await house.evidence.api_rows()).length;
  const key = randomUUID();
  const send = () =>
    house.call("mia", "sales", "crm_update_deal_stage", { id: 42, stage: "won" }, key);
  const write = send()
    .then(() => true)
    .catch(() => false);
  await trap.reached;
  await core.kill();
  house.proxy.free();
  await trap.free?.();
  const answered = await write;
  const killed = house.evidence.log().lines.slice(lines_before);
  const next = await house.start();
  const recovered = house.evidence.log().lines.slice(lines_before);
  const rows = (await house.evidence.api_rows()).slice(rows_before);
  const { error, result, text: said } = await send();
  await next.stop();
  const whole = house.evidence.log();
  const all_rows = (await house.evidence.api_rows()).slice(rows_before);
  const ran = result === undefined ? said : "ran";
  expect(whole.breaks).toEqual([]);
  expect(rows.filter(({ request_id }) => !whole.intents.has(request_id))).toEqual([]);
  return {
    intents: killed.filter(({ kind }) => kind === "intent").length,
    outcomes: outcomesIn(killed),
    recovered: outcomesIn(recovered),
    effects: rows.length,
    answered,
    again: error === undefined ? ran : `${error.code}, ${error.effect}`,
    effects_again: all_rows.length - rows.length,
  };
}

function outcomesIn(lines: readonly Line[]): string[] {
  return lines.flatMap((line) => (line.kind === "outcome" ? [line.outcome] : []));
}

const UNSENT: Left = {
  intents: 1,
  outcomes: [],
  recovered: ["unknown"],
  effects: 0,
  answered: false,
  again: "answer_lost, unknown",
  effects_again: 0,
};

verifies(
  ["ledger.kill", "ledger.intent-first"],
  "killed before its intent is written, a call has left nothing and done nothing",
  async () => {
    const left = await killOnDisk("write:intent");
    const ran = { again: "ran", effects_again: 1 };
    expect(left).toEqual({ ...UNSENT, intents: 0, recovered: [], ...ran });
  },
);

verifies(
  ["ledger.kill", "ledger.intent-first"],
  "killed before its intent is durable, a call has done nothing and is unknown",
  async () => {
    expect(await killOnDisk("sync:intent")).toEqual(UNSENT);
  },
);

verifies(
  ["ledger.kill", "ledger.intent-first"],
  "killed while the user's token is obtained, a call has done nothing and is unknown",
  async () => {
    const asked = Promise.withResolvers<string>();
    const hung = createServer((req) => void text(req).then(asked.resolve));
    const left = await killAtPeer(async () => {
      await house.world.set("idp:down");
      hung.listen(Number(new URL(house.world.issuer).port), "127.0.0.1");
      await once(hung, "listening");
      const free = async (): Promise<void> => {
        const closed = once(hung, "close");
        hung.close();
        hung.closeAllConnections();
        await closed;
        await house.world.set("idp:up");
      };
      return { reached: asked.promise, free };
    });
    expect(await asked.promise).toContain("token-exchange");
    expect(left).toEqual(UNSENT);
  },
);

verifies(
  ["ledger.kill", "resend.restart"],
  "killed before the API has its request, a call is unknown",
  async () => {
    const left = await killAtPeer(async () => ({ reached: house.proxy.hold("request") }));
    expect(left).toEqual(UNSENT);
  },
);

verifies(
  ["ledger.kill", "resend.restart"],
  "killed before the API's answer comes, a call is unknown, and stays so with its key",
  async () => {
    const left = await killAtPeer(async () => ({ reached: house.proxy.hold("answer") }));
    expect(left).toEqual({ ...UNSENT, effects: 1 });
  },
);

verifies(
  ["ledger.kill", "ledger.outcome-first"],
  "killed before its outcome is written, a call is unknown and was not answered",
  async () => {
    expect(await killOnDisk("write:outcome")).toEqual({ ...UNSENT, effects: 1 });
  },
);

verifies(
  ["ledger.kill", "ledger.outcome-first"],
  "killed before its outcome is durable, a call was not answered",
  async () => {
    const left = await killOnDisk("sync:outcome");
    const known = { outcomes: ["ok"], recovered: ["ok"], again: "answer_lost, done" };
    expect(left).toEqual({ ...UNSENT, ...known, effects: 1 });
  },
);

const REFUND = { id: 1003, amount: 80, reason: "Charged twice" };
// Each with a key of its own: none is one that was killed.
const refund = () => house.call("dana", "support", "billing_refund", REFUND, randomUUID());

/** What she has read lately, she may refund. */
async function readFirst(): Promise<void> {
  await house.call("dana", "support", "tickets_search", {});
  await house.call("dana", "support", "billing_get_invoice", { id: REFUND.id });
}

async function refunds(): Promise<number> {
  const rows = await house.evidence.api_rows();
  return rows.filter(({ path }) => path.endsWith("/refunds")).length;
}

/** Dana says yes to a refund, which is killed where the trap is; then it is asked for again. */
async function killRefund(core: Child, set: () => Promise<Trap>): Promise<number> {
  const before = await refunds();
  await readFirst();
  const { error } = await refund();
  const dana = new Visitor();
  await dana.signIn(String(error?.details?.["url"]), "dana");
  expect((await dana.act("yes")).html).toContain("You said yes");
  const trap = await set();
  const answer = refund().catch(() => undefined);
  await trap.reached;
  await core.kill();
  house.proxy.free();
  expect(await answer).toBeUndefined();
  const next = await house.start();
  await readFirst();
  expect((await refund()).error).toMatchObject({ code: "confirmation_required" });
  await next.stop();
  return (await refunds()) - before;
}

verifies(
  "approval.once",
  "killed before its intent is durable, a yes is lost and unused",
  async () => {
    const core = await house.start("sync:intent:billing_refund");
    const set = () => Promise.resolve({ reached: core.met("stuck").then(letItRun) });
    expect(await killRefund(core, set)).toBe(0);
  },
);

verifies("approval.once", "killed while the API has the request, a yes is used", async () => {
  const core = await house.start();
  expect(await killRefund(core, async () => ({ reached: house.proxy.hold("answer") }))).toBe(1);
});
