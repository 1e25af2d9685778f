// The port behind locks, endings and the use of exclusive agents: they outlive the process, or a
// restart would lift them.
import type { Ending, Reach } from "./reach.ts";

/** An operator's immediate stop. */
export interface Lock {
  readonly reach: Reach;
  readonly reason: string;
  /** The operating-system user who set it. */
  readonly by: string;
  /** ISO 8601. */
  readonly since: string;
}

/** An ending as it is kept: by its key, and the newest second it covers. */
export interface KeptEnding {
  readonly key: string;
  readonly until_s: number;
}

/** Which agent a person uses through a client; the two are a digest. */
export interface KeptUse {
  readonly key: string;
  readonly agent: string;
  readonly seen_ms: number;
}

/** Every write is durable when it returns, and throws where it is not. */
export interface StopStore {
  locks(): readonly Lock[];
  lock(lock: Lock): void;
  /** False where there was none. */
  unlock(reach: Reach): boolean;
  endings(): readonly KeptEnding[];
  /** Covers more than before, or as much: an ending never gets smaller. */
  end(ending: Ending, now_s: number): void;
  uses(): readonly KeptUse[];
  /** In place of what was used before under this key. */
  use(use: KeptUse): void;
  close(): void;
}
