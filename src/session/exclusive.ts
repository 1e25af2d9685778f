// Exclusive agents: while a person uses one through a client, that client has no other agent of
// hers, so that one model cannot carry what it read there to here. In memory: a restart is an end.
import type { Clock } from "../kernel/clock.ts";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { digestOf } from "../kernel/ids.ts";
import type { Going } from "./reach.ts";

const USERS_MAX = 100_000;

interface Use {
  readonly agent: string;
  until_ms: number;
}

export class ExclusiveAgents {
  private readonly agents: ReadonlySet<string>;
  private readonly idle_ms: number;
  private readonly clock: Clock;
  private readonly uses = new Map<string, Use>();

  /** `idle_ms`: how long after its last request an agent still counts as used. */
  constructor(agents: ReadonlySet<string>, idle_ms: number, clock: Clock) {
    this.agents = agents;
    this.idle_ms = idle_ms;
    this.clock = clock;
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
    this.uses.set(key, { agent: session.agent, until_ms: now_ms + this.idle_ms });
    return undefined;
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
