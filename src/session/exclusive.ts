// Exclusive agents: while a person uses one through a client, that client has no other agent of
// hers, so that one model cannot carry what it read there to here. It outlives the process, to the
// minute: a restart is no way round it.
import type { Clock } from "../kernel/clock.ts";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { digestOf } from "../kernel/ids.ts";
import type { Going } from "./reach.ts";
import type { StopStore } from "./stop-store.ts";

const USERS_MAX = 100_000;
/** A use that goes on is written this often; after a restart it counts for as much longer. */
const KEEP_EVERY_MS = 60_000;

interface Use {
  readonly agent: string;
  readonly until_ms: number;
  /** When it was written last. */
  readonly kept_ms: number;
}

type UseStore = Pick<StopStore, "uses" | "use">;

export class ExclusiveAgents {
  private readonly agents: ReadonlySet<string>;
  private readonly idle_ms: number;
  private readonly clock: Clock;
  private readonly store: UseStore;
  private readonly uses = new Map<string, Use>();

  /** `idle_ms`: how long after its last request an agent still counts as used. */
  constructor(agents: ReadonlySet<string>, idle_ms: number, clock: Clock, store: UseStore) {
    this.agents = agents;
    this.idle_ms = idle_ms;
    this.clock = clock;
    this.store = store;
    if (agents.size > 0) this.remember();
  }

  private remember(): void {
    const now_ms = this.clock.monotonic();
    for (const { key, agent, seen_ms } of this.store.uses()) {
      const age_ms = this.clock.now() - seen_ms - KEEP_EVERY_MS;
      const left_ms = Math.min(this.idle_ms, this.idle_ms - age_ms);
      const until_ms = now_ms + left_ms;
      if (left_ms > 0) this.uses.set(key, { agent, until_ms, kept_ms: Number.NEGATIVE_INFINITY });
    }
  }

  /** Takes the agent for this person and client, or says which other one is in use. */
  enter({ credential, session }: Going): Refusal | undefined {
    if (this.agents.size === 0) return undefined;
    const { issuer, subject } = credential.principal;
    const key = digestOf("exclusive-v1", issuer, subject, session.client_id);
    const now_ms = this.clock.monotonic();
    const use = this.uses.get(key);
    const isUsed = use !== undefined && use.until_ms > now_ms;
    if (isUsed && use.agent !== session.agent && this.keepsOut(use.agent, session.agent)) {
      return refusal("agent_in_use", {
        reason: `The agent ${use.agent} is in use.`,
        retry_after_ms: Math.ceil(use.until_ms - now_ms),
        details: { agent: use.agent },
      });
    }
    if (!this.hasRoom(key, now_ms)) return refusal("capacity", { retry_after_ms: 1000 });
    const kept_ms = this.keep(key, session.agent, use, now_ms);
    this.uses.set(key, { agent: session.agent, until_ms: now_ms + this.idle_ms, kept_ms });
    return undefined;
  }

  // Where the disk takes nothing, it holds in memory, and is written with a later request.
  private keep(key: string, agent: string, before: Use | undefined, now_ms: number): number {
    if (before !== undefined && now_ms - before.kept_ms < KEEP_EVERY_MS) {
      // Which of two that are not exclusive, keeps the same ones out.
      const isSame = before.agent === agent || !this.keepsOut(before.agent, agent);
      if (isSame) return before.kept_ms;
    }
    try {
      this.store.use({ key, agent, seen_ms: this.clock.now() });
      return now_ms;
    } catch {
      return Number.NEGATIVE_INFINITY;
    }
  }

  private keepsOut(used: string, wanted: string): boolean {
    return this.agents.has(used) || this.agents.has(wanted);
  }

  // Forgetting a use that still counts would let the other agent in.
  private hasRoom(key: string, now_ms: number): boolean {
    if (this.uses.has(key) || this.uses.size < USERS_MAX) return true;
    for (const [other, { until_ms }] of this.uses) {
      if (until_ms <= now_ms) this.uses.delete(other);
    }
    return this.uses.size < USERS_MAX;
  }
}
