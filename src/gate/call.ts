// A call on its way through the gate: what is fixed, and what each step adds.
import type { ToolDefinition } from "../catalog/definition.ts";
import type { Notices } from "../catalog/notices.ts";
import type { Suspensions } from "../catalog/suspensions.ts";
import type { Config } from "../config/load.ts";
import type { Delegation } from "../delegation/delegation.ts";
import type { DownstreamToken } from "../delegation/token.ts";
import type { Approvals, Claim } from "./approvals.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Effect, Refusal, ToolError } from "../kernel/errors.ts";
import type { Credential } from "../kernel/principal.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Sealer } from "../ledger/mark.ts";
import type { Marks } from "../ledger/record.ts";
import type { Lease, Limits } from "../limits/limits.ts";
import type { Verdict } from "../policy/grant.ts";
import type { Policy } from "../policy/policy.ts";
import type { Door, Narrowing, Surface } from "../policy/surface.ts";
import type { Attempt, Broker, BrokerAnswer } from "../sandbox/broker.ts";
import type { InnerTool } from "../sandbox/run-generated.ts";
import type { BrokerRequest } from "../sandbox/request.ts";
import type { Upstreams } from "../sandbox/upstream/upstreams.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import type { Alive } from "../session/alive.ts";
import type { Answers } from "../session/answers.ts";
import type { Session } from "../session/session.ts";
import type { Watch } from "../session/stops.ts";
import type { CallSpan } from "../telemetry/trace.ts";
import type { Again, First, Resends } from "./resends.ts";

/** The rooms that the steps go through. */
export interface Rooms {
  readonly config: Config;
  readonly clock: Clock;
  /** The policy in force; a reload puts another one in its place, whole. */
  readonly policy: () => Policy;
  /** A policy that is tried out: what it would refuse is recorded. */
  readonly shadow: () => Policy | undefined;
  readonly alive: Alive;
  readonly suspensions: Suspensions;
  readonly notices: Notices;
  readonly answers: Answers;
  readonly limits: Limits;
  readonly approvals: Approvals;
  readonly resends: Resends;
  readonly ledger: Ledger;
  readonly sealer: Sealer;
  readonly delegation: Delegation;
  readonly broker: Broker;
  readonly upstreams: Upstreams;
  /** Nothing where this deployment runs no code: then no surface has a tool that would need it. */
  readonly sandbox: Sandbox | undefined;
}

/** A request that came in: known user, known agent, and the surface that it reads and calls. */
export interface Entry {
  readonly credential: Credential;
  readonly session: Session;
  readonly surface: Surface;
  /** As the client wants to see less of it. */
  readonly narrowing: Narrowing;
  /** The policy that the surface is of. */
  readonly policy: Policy;
  /** Why nothing may run just now, although we know who asks. */
  readonly stopped: Refusal | undefined;
  readonly who_ms: number;
}

/** What a client asked for, as it came; read once. */
export interface CallRequest {
  readonly tool: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly traceparent: unknown;
  readonly idempotency_key: string | undefined;
  readonly signal: AbortSignal;
  /** Whether the answer reaches its client; absent where nobody can tell. */
  readonly delivered?: Promise<boolean>;
  /** What the client says that its user said, and to which question: an answer is to one alone. */
  readonly said?: { readonly word: "yes" | "no"; readonly approval: string } | undefined;
  /** The call whose code makes this one; its record names it. */
  readonly parent?: string;
}

/** Frozen before the first step; no step looks at anything else of the request. */
export interface CallContext extends CallRequest {
  readonly call_id: string;
  readonly entry: Entry;
  /** Ends when the session may not go on, whatever step the call is at. */
  readonly watch: Watch;
  readonly span: CallSpan;
  readonly started_ms: number;
  /** The tools that code of this call reaches, each by a full call of its own. */
  readonly inner: Inner;
}

export interface Inner {
  readonly tools: () => readonly InnerTool[];
  readonly call: (
    tool: string,
    args: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ) => Promise<CallAnswer>;
}

/** What the steps have found so far. Only the step that is named writes a field. */
export interface Progress {
  /** door */
  door?: Door;
  /** arguments: they passed their schema */
  checked?: boolean;
  /** arguments: what the rules say of them, and whether a human must, too */
  verdict?: Verdict;
  /** arguments: what the policy that is tried out would have said, where it says less */
  shadowed?: Shadowed;
  /** arguments: what a declarative tool sends */
  request?: BrokerRequest;
  /** resent: what this write is known by when it comes again */
  marks?: Marks;
  /** resent: it is the first one, and whoever sends it again waits for its end */
  claim?: First;
  /** resent: it was sent before */
  again?: Again;
  /** resent: and this is what the first one was answered; a result is in its place below */
  first?: Replayed;
  /** approval: the human's yes that this call uses */
  approved?: Claim;
  /** limits */
  lease?: Lease;
  /** intent */
  intended?: boolean;
  /** as_whom */
  token?: DownstreamToken;
  /** run: what the tool answered, of one request or of its code */
  answer?: Answered;
  readonly attempts: Attempt[];
  /** run: something that may change the world was sent */
  sent_unsafe?: boolean;
  /** run: bytes to and from the API */
  bytes: number;
  /** contract */
  result?: Record<string, unknown>;
  /** contract: the result as the model reads it */
  text?: string;
  readonly steps: Record<string, number>;
}

export interface Answered extends Pick<BrokerAnswer, "body" | "link"> {
  /** All of them, where one answer has several. */
  readonly pages?: readonly unknown[];
}

/** The call whose answer another one gets. */
interface Replayed {
  readonly call_id: string;
  readonly effect: Effect;
  readonly refusal: Refusal | undefined;
}

export interface Shadowed {
  readonly would: "hide" | "refuse" | "ask a human";
  readonly rule: string | null;
  readonly policy: string;
}

export type CallAnswer =
  | {
      readonly kind: "result";
      readonly call_id: string;
      readonly tool: ToolDefinition;
      readonly result: Record<string, unknown>;
      /** The same as JSON; absent where code reads it. */
      readonly text: string | undefined;
      readonly replay_of?: string | undefined;
    }
  | {
      readonly kind: "error";
      readonly call_id: string;
      readonly error: ToolError;
      readonly replay_of?: string | undefined;
    }
  /** Says nothing but the name that was asked for: hidden and nonexistent look alike. */
  | { readonly kind: "unknown_tool"; readonly tool: string };

/** What a dry run shows: the decision, and the request as the broker would send it. */
export interface DryRun {
  readonly allowed: boolean;
  readonly tool: string;
  readonly rule?: string;
  readonly connector?: string;
  readonly origin?: string;
  readonly request?: BrokerRequest;
  readonly scopes?: readonly string[];
  readonly error?: ToolError;
}
