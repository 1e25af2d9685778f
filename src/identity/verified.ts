// What was verified a moment ago need not be verified again: a client sends one token many times a
// second, and each time costs a signature check. A hit says what the check said less than two
// seconds ago, and no more: a signature never knew of revocation.
import type { Clock } from "../kernel/clock.ts";
import type { Credential } from "../kernel/principal.ts";

const ENTRIES_MAX = 10_000;
/** No longer than the bound on revocation: a key that the provider withdraws counts as that. */
const AGE_MS_MAX = 2000;

interface Verified {
  readonly credential: Credential;
  readonly verified_ms: number;
}

/** Bounded in number and age. Only successes are in it: a refusal is worked out each time. */
export class VerifiedTokens {
  private readonly entries = new Map<string, Verified>();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** `digest` names the token, and `agent` is half of what was decided about it. */
  get(digest: string, agent: string): Credential | undefined {
    const key = `${agent} ${digest}`;
    const known = this.entries.get(key);
    if (known === undefined) return undefined;
    const isFresh = this.clock.monotonic() - known.verified_ms < AGE_MS_MAX;
    if (isFresh && this.clock.now() < known.credential.expires_at_ms) return known.credential;
    this.entries.delete(key);
    return undefined;
  }

  set(digest: string, agent: string, credential: Credential): void {
    const key = `${agent} ${digest}`;
    this.entries.delete(key);
    this.entries.set(key, { credential, verified_ms: this.clock.monotonic() });
    const oldest = this.entries.keys().next();
    if (this.entries.size > ENTRIES_MAX && oldest.done === false) this.entries.delete(oldest.value);
  }
}
