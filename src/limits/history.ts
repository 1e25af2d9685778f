// What was spent before this start: the ledger knows, since nothing runs that it does not know.

/** A call that ran, or that may have. */
interface RanCall {
  readonly kind: "ran";
  readonly time_ms: number;
  readonly call_id: string;
  readonly tenant: string | null;
  readonly issuer: string;
  readonly subject: string;
  readonly session: string;
  readonly client_id: string;
  readonly tool: string;
  readonly destructive: boolean;
}

/** How much it moved, once that is known. */
interface EndedCall {
  readonly kind: "ended";
  readonly call_id: string;
  readonly bytes: number;
}

/** From here on records are timed by a clock that had been set, by so much. */
interface Jumped {
  readonly kind: "jumped";
  readonly by_ms: number;
}

export type Spent = RanCall | EndedCall | Jumped;

/** A port; the ledger implements it. */
export interface SpendHistory {
  /** Oldest first; all since `from_ms` on the wall clock, and some from before. */
  spent(from_ms: number): Iterable<Spent>;
}
