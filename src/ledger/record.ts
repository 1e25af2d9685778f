// The records of the ledger: what is written, and the one record a reader sees per call.
import type { Effect, ErrorCode, Outcome } from "../kernel/errors.ts";
import type { LedgerEvent } from "./events.ts";
import type { Sealed, Truncated } from "./seal.ts";

interface DownstreamRequest {
  readonly method: string;
  /** The URL as sent, without its query. */
  readonly url: string;
  /** Absent where no answer came. */
  readonly status?: number;
  /** The API's own id of the request, where it gave one; else the one we sent. */
  readonly request_id: string;
}

/** Who, what, through what: fixed before anything happens. */
export interface CallFacts {
  readonly call_id: string;
  readonly parent: string | null;
  /** The readable name, sealed under the person's key: it goes when the key goes. */
  readonly user: unknown;
  readonly subject: string;
  readonly issuer: string;
  readonly tenant: string | null;
  readonly roles: readonly string[];
  readonly actor_chain: readonly string[];
  readonly agent: string;
  readonly client_id: string;
  readonly session: string;
  /** Sealed where there is no such tool: the model chose the name, and anything may be in it. */
  readonly tool: string | Sealed | Truncated;
  readonly target: string | null;
  readonly args: Readonly<Record<string, unknown>>;
  readonly effects: Readonly<Record<string, boolean>> | null;
  readonly rule: string | null;
  readonly approved_by: string | null;
  readonly trace_id: string;
  readonly isolation: string;
  /** How, and within how many milliseconds, the end of this user's access would have shown. */
  readonly liveness: { readonly source: string; readonly bound_ms: number };
  readonly policy: string;
  readonly tool_hash: string | null;
  /** Which yes it used, where it needed one: what became of that is in events of this name. */
  readonly approval?: string;
}

/** How it ended. */
export interface CallEnd {
  readonly outcome: Outcome;
  readonly effect: Effect;
  readonly error_code: ErrorCode | null;
  readonly duration_ms: number;
  /** Milliseconds spent in each step of the gate. */
  readonly steps: Readonly<Record<string, number>>;
  readonly downstream: readonly DownstreamRequest[];
  /** To and from the API; absent where a crash cut the call off, and nobody counted. */
  readonly bytes?: number;
  readonly result: Readonly<Record<string, unknown>> | null;
}

/** What a write is known by when it is sent again: digests, keyed per tenant. */
export interface Marks {
  /** Of the key that its client gave it; null where it gave none. */
  readonly key: string | null;
  readonly args: string;
}

export interface Intent extends CallFacts {
  readonly kind: "intent";
  /** Of a write. */
  readonly marks?: Marks;
}

export interface OutcomeRecord extends CallEnd {
  readonly kind: "outcome";
  readonly call_id: string;
}

/** A call that we refused: one record, since nothing ran. `count` identical ones in all. */
export interface RefusalRecord extends CallFacts, CallEnd {
  readonly kind: "refusal";
  readonly count: number;
}

/** A call that was answered with what another was: one record, since nothing ran. */
export interface ReplayRecord extends CallFacts, CallEnd {
  readonly kind: "replay";
  /** The call that ran. */
  readonly replay_of: string;
}

export type LedgerRecord = Intent | OutcomeRecord | RefusalRecord | ReplayRecord | LedgerEvent;

/** What stands before each record on its line. */
export interface LineHead {
  readonly v: 1;
  /** Gap-free from 1. */
  readonly seq: number;
  /** Hex SHA-256 of the bytes of the line before, without its newline; zeros for the first. */
  readonly prev: string;
  readonly time: string;
}

export type Line = LineHead & LedgerRecord;

/** One call with both its halves, in the order that people read it (INTERFACE, audit record). */
export interface AuditRecord extends CallFacts, CallEnd {
  /** The readable name where one is known, else the subject. */
  readonly user: string;
  readonly time: string;
  readonly count?: number;
  /** The call whose answer it got: by itself it did nothing. */
  readonly replay_of?: string;
}

// A call that still runs, or whose server died: nobody can say yet.
const RUNNING: CallEnd = Object.freeze({
  outcome: "unknown",
  effect: "unknown",
  error_code: null,
  duration_ms: 0,
  steps: {},
  downstream: [],
  result: null,
});

/** Both halves of a call as one record, its parts in the order of INTERFACE. */
export function joined(
  call: Line & (Intent | RefusalRecord | ReplayRecord),
  end: CallEnd = RUNNING,
  name: string | undefined,
  tool = call.tool,
): AuditRecord {
  return {
    call_id: call.call_id,
    parent: call.parent,
    time: call.time,
    user: name ?? call.subject,
    subject: call.subject,
    issuer: call.issuer,
    tenant: call.tenant,
    roles: call.roles,
    actor_chain: call.actor_chain,
    agent: call.agent,
    client_id: call.client_id,
    session: call.session,
    tool,
    target: call.target,
    args: call.args,
    result: end.result,
    effects: call.effects,
    rule: call.rule,
    approved_by: call.approved_by,
    outcome: end.outcome,
    effect: end.effect,
    error_code: end.error_code,
    duration_ms: end.duration_ms,
    steps: end.steps,
    downstream: end.downstream,
    trace_id: call.trace_id,
    isolation: call.isolation,
    policy: call.policy,
    tool_hash: call.tool_hash,
    liveness: call.liveness,
    ...(call.approval === undefined ? {} : { approval: call.approval }),
    ...(end.bytes === undefined ? {} : { bytes: end.bytes }),
    ...(call.kind === "refusal" && call.count > 1 ? { count: call.count } : {}),
    ...(call.kind === "replay" ? { replay_of: call.replay_of } : {}),
  };
}

export const FIRST_PREV = "0".repeat(64);
