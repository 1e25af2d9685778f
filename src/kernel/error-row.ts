// A row of the error table: what is said of each way in which a call can end badly.

export type Retry = "never" | "after" | "after_user_action";
export type Fixer = "agent" | "user" | "operator";
/** What happened to the world: nothing, nobody can say, or it is done. */
export type Effect = "none" | "unknown" | "done";

export const OUTCOMES = [
  "ok",
  "tool_error",
  "refused",
  "rate_limited",
  "auth_failed",
  "downstream_error",
  "timeout",
  "cancelled",
  "drift",
  "revoked",
  "unknown",
] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface ErrorRow {
  readonly retry: Retry;
  readonly who_can_fix: Fixer;
  readonly effects: readonly Effect[];
  readonly outcome: Outcome;
  /** How it reaches the client: a tool result, a JSON-RPC error, or an HTTP status. */
  readonly wire: "result" | "protocol" | 400 | 401 | 403 | 404 | 413 | 503;
  /** For the human and the agent alike; never holds data from the call. */
  readonly message: string;
}

export const row = (
  wire: ErrorRow["wire"],
  retry: Retry,
  who_can_fix: Fixer,
  effects: readonly Effect[],
  outcome: Outcome,
  message: string,
): ErrorRow => Object.freeze({ wire, retry, who_can_fix, effects, outcome, message });

export const NONE: readonly Effect[] = ["none"];
export const SENT: readonly Effect[] = ["none", "unknown"];
export const RAN: readonly Effect[] = ["none", "done"];
/** Of what ran before, or may have. */
export const BEGUN: readonly Effect[] = ["unknown", "done"];
export const ANY: readonly Effect[] = ["none", "unknown", "done"];
