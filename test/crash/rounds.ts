// Several people's agents call, read and write, while the core is killed at random moments and
// started again; after each kill both sides are asked what happened.
import { expect } from "vitest";
import type { Child } from "../setup/child.ts";
import { seeded } from "../setup/seeded.ts";
import type { Evidence, Log } from "./evidence.ts";
import type { CrashHouse } from "./house.ts";

type Call = readonly [person: string, agent: string, tool: string, args: object];

const STAGES = ["lead", "qualified", "proposal", "won", "lost"];
/** Answers until the kill, at most; and the milliseconds after the last of them. */
const ANSWERS_MAX = 50;
const LATE_MS_MAX = 6;

function callsOf(random: () => number): (() => Call)[] {
  const stage = (): string => STAGES[Math.floor(random() * STAGES.length)] ?? "lead";

  const reply = { id: 201, body: "We are looking into it." };
  return [
    () => ["mia", "sales", "crm_update_deal_stage", { id: 42, stage: stage() }],
    () => ["mia", "sales", "crm_get_deal", { id: 42 }],
    () => ["omar", "sales", "crm_update_deal_stage", { id: 42, stage: stage() }],
    () => ["omar", "research", "crm_search_deals", { limit: 5 }],
    () => ["dana", "support", "tickets_reply", reply],
    () => ["dana", "support", "crm_search_customers", { q: "a" }],
  ];
}

/** What the clients were told in one round. */
interface Told {
  readonly ok: Set<string>;
  readonly failed: Set<string>;
}

export interface Totals {
  kills: number;
  answers: number;
  requests: number;
  orphans: number;
  torn: number;
  /** What a power loss took. */
  lost_bytes: number;
}

/** On a slow machine a kill may find nothing under way: then some more of them do. */
const TIMES_AS_MANY_MAX = 10;

/**
 * Kills `kills` times, and on until enough was met. Throws, naming the seed's round, where an
 * invariant does not hold.
 */
export async function killRounds(
  house: CrashHouse,
  seed: number,
  kills: number,
  enough: (met: Totals) => boolean = () => true,
): Promise<Totals> {
  const random = seeded(seed);
  const totals: Totals = { kills: 0, answers: 0, requests: 0, orphans: 0, torn: 0, lost_bytes: 0 };
  let core = await house.start();
  const isOver = (): boolean =>
    (totals.kills >= kills && enough(totals)) || totals.kills >= kills * TIMES_AS_MANY_MAX;
  for (let i = 1; !isOver(); i++) {
    const since = new Date().toISOString();
    const told = await oneRound(house, core, random);
    totals.lost_bytes += house.lose(random);
    const killed = house.evidence.log();
    core = await house.start();
    const recovered = house.evidence.log();
    const where = `seed ${seed}, kill ${i}`;
    judge(where, killed, recovered, told);
    const rows = await house.evidence.api_rows(since);
    const unaudited = rows.filter(({ request_id }) => !recovered.intents.has(request_id));
    expect(unaudited, `${where}: what the API saw without an intent`).toEqual([]);
    totals.kills++;
    totals.answers += told.ok.size + told.failed.size;
    totals.requests += rows.length;
    totals.orphans += killed.intents.size - killed.ends.size;
    totals.torn += killed.torn_bytes > 0 ? 1 : 0;
  }
  await core.kill();
  return totals;
}

async function oneRound(house: CrashHouse, core: Child, random: () => number): Promise<Told> {
  const told: Told = { ok: new Set(), failed: new Set() };
  const answers = 1 + Math.floor(random() * ANSWERS_MAX);
  const late_ms = random() * LATE_MS_MAX;
  const enough = Promise.withResolvers<void>();
  const clients = callsOf(random).map(async (next) => {
    for (;;) {
      const { call_id, error } = await house.call(...next());
      // An answer of HTTP alone (none here) would have no call id, and prove nothing.
      expect(call_id).not.toBe("");
      (error === undefined ? told.ok : told.failed).add(call_id);
      if (told.ok.size + told.failed.size >= answers) enough.resolve();
    }
  });
  const ended = Promise.allSettled(clients);
  await Promise.race([enough.promise, ended]);
  await new Promise((resolve) => setTimeout(resolve, late_ms));
  await core.kill();
  for (const end of await ended) {
    // The core is gone in the middle of a call: that, and nothing else, ends a client.
    const reason: unknown = end.status === "rejected" ? end.reason : undefined;
    if (!(reason instanceof TypeError)) throw reason;
  }
  return told;
}

function judge(where: string, killed: Log, recovered: Log, told: Told): void {
  expect(killed.breaks, `${where}: the chain after the kill`).toEqual([]);
  expect(recovered.breaks, `${where}: the chain after recovery`).toEqual([]);
  expect(recovered.torn_bytes, `${where}: a torn tail after recovery`).toBe(0);
  const outcomeAtKill = (call_id: string): string | undefined =>
    killed.ends.get(call_id)?.[0]?.outcome;
  const lost = [...told.ok].filter((call_id) => outcomeAtKill(call_id) !== "ok");
  expect(lost, `${where}: answered, and no such outcome`).toEqual([]);
  const unsaid = [...told.failed].filter((call_id) => outcomeAtKill(call_id) === undefined);
  expect(unsaid, `${where}: failed, and no outcome`).toEqual([]);
  for (const call_id of recovered.intents) {
    const ends = recovered.ends.get(call_id)?.map(({ outcome }) => outcome) ?? [];
    expect(ends, `${where}: ${call_id}`).toHaveLength(1);
    if (!killed.ends.has(call_id)) expect(ends, `${where}: an orphan`).toEqual(["unknown"]);
  }
  const without = [...recovered.ends.keys()].filter((id) => !recovered.intents.has(id));
  expect(without, `${where}: an outcome without its intent`).toEqual([]);
}

/** Starts and stops once more, in order; the index is then what the log says, and no more. */
export async function expectSameIndex(house: CrashHouse, evidence: Evidence): Promise<void> {
  await (await house.start()).stop();
  const { kept, rebuilt } = await evidence.indexes();
  expect(rebuilt.length).toBeGreaterThan(0);
  expect(kept).toEqual(rebuilt);
}
