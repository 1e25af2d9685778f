// Downstream tokens that may be used again for a moment, and whose they are: when a user's access
// ends they are dropped, and given back to whoever issued them.
import type { Clock } from "../kernel/clock.ts";
import type { Credential } from "../kernel/principal.ts";
import type { DownstreamToken } from "./token.ts";

/** Whose token: a sign-in's, a session's or a user's can be dropped. */
export type IsTheirs = (credential: Credential) => boolean;

interface Held {
  readonly token: DownstreamToken;
  readonly credential: Credential;
  readonly until_ms: number;
}

const EXPIRY_MARGIN_MS = 10_000;

/** In memory, bounded; what is dropped or pushed out is simply obtained again. */
export class HeldTokens {
  private readonly held = new Map<string, Held>();
  private readonly clock: Clock;
  private readonly tokens_max: number;

  constructor(tokens_max: number, clock: Clock) {
    this.tokens_max = tokens_max;
    this.clock = clock;
  }

  get(key: string): DownstreamToken | undefined {
    const held = this.held.get(key);
    if (held === undefined) return undefined;
    const isFresh = held.until_ms > this.clock.monotonic();
    if (isFresh && held.token.expires_at_ms - this.clock.now() > EXPIRY_MARGIN_MS) {
      return held.token;
    }
    this.held.delete(key);
    return undefined;
  }

  /** Keeps a token for `ms`. */
  set(key: string, token: DownstreamToken, of: Credential, ms: number): void {
    if (ms <= 0) return;
    this.held.delete(key);
    this.held.set(key, { token, credential: of, until_ms: this.clock.monotonic() + ms });
    const oldest = this.held.keys().next();
    if (this.held.size > this.tokens_max && oldest.done === false) this.held.delete(oldest.value);
  }

  /** Takes out what is theirs. */
  drop(isTheirs: IsTheirs): readonly Held[] {
    const dropped: Held[] = [];
    for (const [key, held] of this.held) {
      if (!isTheirs(held.credential)) continue;
      this.held.delete(key);
      dropped.push(held);
    }
    return dropped;
  }
}
