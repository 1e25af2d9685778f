// Everything that the ledger keeps besides calls, by name and with what each says. A room that has
// something to record adds its line here; what is not listed cannot be written.

/** Whom it is about, as every record names him. */
export interface Person {
  readonly tenant: string | null;
  readonly issuer: string;
  readonly subject: string;
}

/** The operating-system user behind a verb; no identity provider has vouched for him. */
interface Operator {
  readonly verb: string;
  readonly os_user: string;
  readonly verified_by_issuer: false;
}

type Details = Readonly<Record<string, unknown>>;

export interface LedgerEvents {
  // The house.
  /** Of which version, with which policy and tools. */
  started: Details;
  stopped: Details;
  /** What is served from here on: the hash of each tool, and of its contract where it has one. */
  catalogue: {
    readonly tools: Readonly<Record<string, string>>;
    readonly contracts: Readonly<Record<string, string>>;
    readonly unapproved: readonly string[];
  };
  /** A question or an order on the local socket, reading the log among them. */
  operator: Operator & Details;

  /** The wall clock was set, by so much: the times of records before and after do not compare. */
  clock: { readonly by_ms: number };
  /** Somebody reached a limit; told again a minute later at the earliest. */
  limit: Person & {
    readonly session: string;
    readonly limit: string;
    readonly scope: string;
    readonly retry_after_ms: number;
  };

  // People.
  /** A session showed itself for the first time. */
  session: Person & Details;
  /** Signed in on a page of ours; `refused`: the provider vouched, and a lock did not let in. */
  sign_in: Person & { readonly what: "done" | "refused" };
  /** A provider pushed that somebody's access ended: all of it, or one sign-in. */
  revoked: {
    readonly issuer: string;
    readonly subject: string | null;
    readonly sign_in: string | null;
    readonly event: string;
  };
  /** A stored link to a downstream API. */
  link: { readonly id: string; readonly version: number } & Details;
  connect_refused: Person & { readonly connector: string; readonly what: string };

  approve_refused: Person & { readonly approval: string; readonly what: string };

  // Tools.
  /** A tool's contract was checked, and it is not what it was at the last check. */
  contract: {
    readonly tool: string;
    readonly connector: string;
    readonly state: string;
    readonly severity: string | null;
    readonly rules: readonly object[];
  };
  /** What a human said of one call, or why that question, or an unused yes, is over. */
  approval: Person & {
    readonly what: "given" | "declined" | "taken_back" | "expired" | "voided";
    /** In the record of the call that used it. */
    readonly approval: string;
    /** The call that asked; there may be others that asked the same. */
    readonly call_id: string;
    readonly agent: string;
    readonly client_id: string;
    readonly session: string;
    readonly tool: string;
    readonly tool_hash: string;
    readonly policy: string;
    /** Marked and sealed as in the calls' own records. */
    readonly args: Details;
    /** On our page, or to a client that is trusted to ask. */
    readonly where?: "page" | "client";
    readonly why?: string;
  };
  tool_log: { readonly call_id: string; readonly tool: string; readonly lines: readonly unknown[] };

  // The policy.
  /** Another one is in force from here on; named by the hashes of the two configurations. */
  policy: { readonly from: string; readonly to: string };
  /** What a policy that is tried out would have done with a call that was allowed. */
  shadow: Person & {
    readonly call_id: string;
    readonly agent: string;
    readonly tool: string;
    readonly would: string;
    readonly rule: string | null;
    readonly policy: string;
  };

  // The log itself.
  /** Somebody who is no operator read it: his own records, or his tenant's. */
  audit_read: { readonly reader: Details; readonly filter: Details };
  recovered: { readonly cut_bytes: number; readonly orphans: number };
  repaired: Operator & {
    readonly kept_to: number;
    readonly dropped_checkpoints: number;
    readonly evidence: string;
    readonly found: readonly string[];
  };
  key_rotated: { readonly verifier: string };
  /** An anchor began to fail, or took a checkpoint again. */
  anchor: Details;
  /** A second sink began to lag or fail, or caught up. */
  sink: Details;
  /** The log could not be written since then, and can be again. */
  audit_unavailable: { readonly cause: string; readonly since: string };
  /** Whole segments were dropped; what stood in them is named by its last record and its hash. */
  retention: {
    readonly dropped_to: number;
    readonly hash: string;
    readonly segments: readonly string[];
  };
  hold: Person & { readonly what: "placed" | "released"; readonly reason: string };
  erased: Person & { readonly key: string; readonly reason: string };
}

export type EventName = keyof LedgerEvents;

export type LedgerEvent = {
  [Name in EventName]: {
    readonly kind: "event";
    readonly event: Name;
    readonly detail: LedgerEvents[Name];
  };
}[EventName];
