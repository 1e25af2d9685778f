// The port behind locks and endings: they outlive the process, or a restart would lift them.
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

/** Every write is durable when it returns, and throws where it is not. */
export interface StopStore {
  locks(): readonly Lock[];
  lock(lock: Lock): void;
  /** False where there was none. */
  unlock(reach: Reach): boolean;
  endings(): readonly KeptEnding[];
  /** Covers more than before, or as much: an ending never gets smaller. */
  end(ending: Ending, now_s: number): void;
  close(): void;
}
