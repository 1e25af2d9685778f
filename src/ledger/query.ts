// What a reader may ask of the ledger, and the index port that answers (DESIGN section 3, ports).
import type { Outcome } from "../kernel/errors.ts";
import type { AuditRecord, Line } from "./record.ts";

export interface AuditFilter {
  /** A subject, a readable name, or `ISSUER#SUBJECT`. */
  readonly user?: string | undefined;
  readonly tool?: string | undefined;
  readonly outcome?: Outcome | undefined;
  /** A target such as `deal:42`. */
  readonly record?: string | undefined;
  /** Milliseconds since the epoch, inclusive. */
  readonly from_ms?: number | undefined;
  /** Exclusive. */
  readonly to_ms?: number | undefined;
  readonly session?: string | undefined;
  readonly call_id?: string | undefined;
  readonly agent?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface AuditPage {
  readonly records: readonly AuditRecord[];
  /** Asks for the next page; absent on the last. */
  readonly cursor?: string;
  /** The answer holds everything up to this sequence number. */
  readonly complete_to: number;
}

export interface Identity {
  readonly tenant: string | null;
  readonly issuer: string;
  readonly subject: string;
}

/** A name that fits two people: the question is refused, and says who they are. */
export class AmbiguousUser extends Error {
  override readonly name = "AmbiguousUser";
  readonly people: readonly string[];
  constructor(user: string, people: readonly string[]) {
    super(`${JSON.stringify(user)} fits ${people.length} people: ${people.join(", ")}`);
    this.people = people;
  }
}

export class BadCursor extends Error {
  override readonly name = "BadCursor";
}

/** Derived from the log, and rebuilt from it; never the truth. */
export interface LedgerIndex {
  /** Lines in order; those at or below `last` are ignored. */
  ingest(lines: readonly Line[]): void;
  readonly last: number;
  /** Newest first. Throws `AmbiguousUser` or `BadCursor`. */
  query(filter: AuditFilter): AuditPage;
  /** Whom a name means, once per tenant; empty where nobody. Throws `AmbiguousUser`. */
  identities(user: string): readonly Identity[];
  /** Takes a person's readable name out of the index. */
  forget(identity: Identity): void;
  /** Calls whose intent has no outcome. */
  orphans(): readonly string[];
  /** Forgets everything, to be filled again. */
  clear(): void;
  close(): void;
}
