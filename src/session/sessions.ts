// The sessions that showed themselves lately, for operators; nothing is decided by this list.
import type { Clock } from "../kernel/clock.ts";
import type { Going } from "./reach.ts";

const SESSIONS_MAX = 10_000;

/** What a client says of itself (MCP clientInfo); nobody has verified it. */
export interface ClientClaim {
  readonly name: string;
  readonly version: string;
}

/** One session as an operator sees it. */
export interface SeenSession {
  readonly id: string;
  readonly issuer: string;
  readonly subject: string;
  /** Readable; held in memory alone. */
  readonly name: string;
  readonly tenant: string | undefined;
  readonly agent: string;
  readonly client_id: string;
  readonly client_claims: ClientClaim | undefined;
  /** False where the provider names no sign-in: the session is then all of them at this client. */
  readonly has_family: boolean;
  /** ISO 8601. */
  readonly since: string;
  readonly seen: string;
}

interface Kept extends Omit<SeenSession, "seen"> {
  seen_ms: number;
}

/** Bounded: what was not seen for longest is forgotten first. */
export class Sessions {
  private readonly clock: Clock;
  private readonly kept = new Map<string, Kept>();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** True when it shows itself for the first time. */
  see({ credential, session }: Going, client_claims: ClientClaim | undefined): boolean {
    const known = this.kept.get(session.id);
    const seen_ms = this.clock.now();
    if (known !== undefined) {
      known.seen_ms = seen_ms;
      return false;
    }
    const { issuer, subject, name, tenant } = credential.principal;
    const since = new Date(seen_ms).toISOString();
    const who = { issuer, subject, name, tenant };
    const { id, agent, client_id, has_family } = session;
    const what = { id, agent, client_id, has_family, client_claims };
    this.kept.set(id, { ...who, ...what, since, seen_ms });
    if (this.kept.size > SESSIONS_MAX) this.forgetOldest();
    return true;
  }

  private forgetOldest(): void {
    let oldest: Kept | undefined;
    for (const one of this.kept.values()) {
      if (oldest === undefined || one.seen_ms < oldest.seen_ms) oldest = one;
    }
    if (oldest !== undefined) this.kept.delete(oldest.id);
  }

  has(id: string): boolean {
    return this.kept.has(id);
  }

  /** Newest first. */
  list(): readonly SeenSession[] {
    return [...this.kept.values()]
      .toSorted((a, b) => b.seen_ms - a.seen_ms)
      .map(({ seen_ms, ...rest }) => ({ ...rest, seen: new Date(seen_ms).toISOString() }));
  }
}
