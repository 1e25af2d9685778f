// The error table: every way a call can end badly, once (DESIGN section 6).
// It drives the types, docs/errors.md, the ledger's `outcome` and test/pins.

import { ANY, BEGUN, NONE, RAN, row, SENT } from "./error-row.ts";
import type { Effect, ErrorRow, Fixer, Retry } from "./error-row.ts";

export type { Effect, Fixer, Outcome, Retry } from "./error-row.ts";

export const errorTable = Object.freeze({
  // before the gate
  parse_error: row(
    400,
    "never",
    "agent",
    NONE,
    "refused",
    "The request is not strict JSON: malformed, too deep, too many keys, or a key given twice.",
  ),
  request_too_large: row(
    413,
    "never",
    "agent",
    NONE,
    "refused",
    "The request body is larger than this server accepts.",
  ),
  forbidden_origin: row(
    403,
    "never",
    "operator",
    NONE,
    "refused",
    "The Host or Origin header names a site that this server does not serve.",
  ),
  // 1 who
  invalid_token: row(
    401,
    "after_user_action",
    "user",
    NONE,
    "auth_failed",
    "The access token is missing, expired, revoked, or not meant for this agent. Sign in again.",
  ),
  identity_unavailable: row(
    503,
    "after",
    "operator",
    ANY,
    "auth_failed",
    "The identity provider cannot be asked who this is, or whether this user may still act. Try " +
      "again shortly.",
  ),
  login_required: row(
    "result",
    "after_user_action",
    "user",
    NONE,
    "auth_failed",
    "Nobody is signed in on this machine for this agent.",
  ),
  // 2 alive
  session_not_found: row(
    404,
    "after_user_action",
    "agent",
    NONE,
    "refused",
    "There is no such transport session for this user. Initialize a new one.",
  ),
  locked: row(
    "result",
    "never",
    "operator",
    NONE,
    "refused",
    "An operator has locked this. Nothing runs until the lock is lifted.",
  ),
  claims_missing: row(
    "result",
    "never",
    "operator",
    NONE,
    "auth_failed",
    "The identity provider's token does not say what decides what this user may do.",
  ),
  agent_in_use: row(
    "result",
    "after",
    "user",
    NONE,
    "refused",
    "This user is using another agent through this client, and the two exclude each other.",
  ),
  capacity: row(
    "result",
    "after",
    "operator",
    NONE,
    "rate_limited",
    "The server holds as many sessions or calls as it is allowed to. Try again shortly.",
  ),
  // 3 door
  unknown_tool: row("protocol", "never", "agent", NONE, "refused", "Unknown tool."),
  // 4 arguments
  invalid_arguments: row(
    "result",
    "never",
    "agent",
    NONE,
    "refused",
    "The arguments do not fit the tool's input schema. Correct the named fields.",
  ),
  argument_not_allowed: row(
    "result",
    "never",
    "agent",
    NONE,
    "refused",
    "The arguments fit the tool, and are not ones that this agent and this user may send.",
  ),
  // between 4 and 5: sent again
  idempotency_conflict: row(
    "result",
    "never",
    "agent",
    NONE,
    "refused",
    "This idempotency key came with other arguments before. Another call needs another key.",
  ),
  answer_lost: row(
    "result",
    "never",
    "agent",
    BEGUN,
    "unknown",
    "This call was sent before and was not run again, and what it was answered is not kept.",
  ),
  // 5 approval
  confirmation_required: row(
    "result",
    "after_user_action",
    "user",
    NONE,
    "refused",
    "A human must approve this call before it can run.",
  ),
  confirmation_declined: row("result", "never", "user", NONE, "refused", "The user said no to it."),
  // 6 limits
  rate_limited: row(
    "result",
    "after",
    "agent",
    NONE,
    "rate_limited",
    "Too many calls. Wait for retry_after_ms, then try again.",
  ),
  loop_detected: row(
    "result",
    "never",
    "agent",
    NONE,
    "rate_limited",
    "This repeats itself, so it was not run again. Do something else, or ask the user.",
  ),
  // 7 intent
  audit_unavailable: row(
    "result",
    "after",
    "operator",
    NONE,
    "refused",
    "The audit log cannot be written, so nothing ran.",
  ),
  // 8 as whom
  connection_required: row(
    "result",
    "after_user_action",
    "user",
    NONE,
    "auth_failed",
    "The user has not connected an account at this API yet.",
  ),
  connection_damaged: row(
    "result",
    "after_user_action",
    "operator",
    NONE,
    "auth_failed",
    "The user's stored link does not verify: it was changed, swapped or put back. It is not used.",
  ),
  reauth_required: row(
    "result",
    "after_user_action",
    "user",
    NONE,
    "auth_failed",
    "The identity provider no longer vouches for this user's session. The user must sign in again.",
  ),
  delegation_refused: row(
    "result",
    "never",
    "operator",
    NONE,
    "auth_failed",
    "The identity provider refused a token for this user at this API.",
  ),
  delegation_unavailable: row(
    "result",
    "after",
    "operator",
    NONE,
    "auth_failed",
    "The identity provider could not be reached for this user's downstream token. Nothing ran.",
  ),
  identity_mismatch: row(
    "result",
    "never",
    "operator",
    NONE,
    "auth_failed",
    "The identity provider issued a token for another user, API or scope than asked. Not used.",
  ),
  // 8 to 11, whenever it ends
  access_revoked: row(
    "result",
    "after_user_action",
    "user",
    ANY,
    "revoked",
    "The user's access ended while the call was under way. The answer, if any, is withheld.",
  ),
  // 9 run
  timeout: row("result", "after", "operator", SENT, "timeout", "There was no answer in time."),
  cancelled: row("result", "after", "agent", SENT, "cancelled", "The client cancelled the call."),
  downstream_error: row(
    "result",
    "never",
    "agent",
    SENT,
    "downstream_error",
    "The API refused or failed the request.",
  ),
  downstream_rate_limited: row(
    "result",
    "after",
    "agent",
    SENT,
    "downstream_error",
    "The API limits this user's rate. Wait for retry_after_ms, then try again.",
  ),
  downstream_unavailable: row(
    "result",
    "after",
    "operator",
    SENT,
    "downstream_error",
    "The API cannot be reached, or broke off.",
  ),
  egress_refused: row(
    "result",
    "never",
    "operator",
    SENT,
    "downstream_error",
    "The address or the request is not one that this connector may use.",
  ),
  credential_exposed: row(
    "result",
    "never",
    "operator",
    SENT,
    "downstream_error",
    "The API's answer contained the user's token. The answer is withheld.",
  ),
  tool_error: row(
    "result",
    "never",
    "operator",
    SENT,
    "tool_error",
    "The tool's own code failed. Its author finds why in the server's log, under this call id.",
  ),
  code_error: row(
    "result",
    "never",
    "agent",
    NONE,
    "tool_error",
    "The code that was given failed.",
  ),
  resource_limit: row(
    "result",
    "never",
    "agent",
    SENT,
    "tool_error",
    "The code used more than it may, and was ended.",
  ),
  isolation_unavailable: row(
    "result",
    "after",
    "operator",
    NONE,
    "refused",
    "The isolation that this tool runs in cannot be had, so nothing ran.",
  ),
  // 10 contract
  contract_drift: row(
    "result",
    "never",
    "operator",
    RAN,
    "drift",
    "The API's answer does not have the agreed shape. The answer is withheld.",
  ),
  result_too_large: row(
    "result",
    "never",
    "agent",
    RAN,
    "tool_error",
    "The answer is larger than a model may be given, so it is withheld. Ask for less at a time.",
  ),
  // 11 outcome
  outcome_unrecorded: row(
    "result",
    "never",
    "operator",
    ANY,
    "unknown",
    "The call ran but its outcome could not be recorded. The answer is withheld.",
  ),
  internal: row(
    "result",
    "after",
    "operator",
    ANY,
    "unknown",
    "doorless failed. The details are in its log, under this call id.",
  ),
} as const);

export type ErrorCode = keyof typeof errorTable;

/** Why a step said no. Rich inside; `refusalToError` decides what leaves. */
export interface Refusal {
  readonly code: ErrorCode;
  /** Said to the agent after the table's message; never data from the API, never a secret. */
  readonly reason?: string;
  readonly effect?: Effect;
  readonly retry_after_ms?: number;
  /** Where its own row does not say how it is mended: a lock's, which no user lifts. */
  readonly mended?: Pick<ErrorRow, "retry" | "who_can_fix">;
  /** Structured and safe to show: field paths, limits, a status code. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** For the operator's log only. */
  readonly cause?: string;
}

export function refusal(code: ErrorCode, rest: Omit<Refusal, "code"> = {}): Refusal {
  return Object.freeze({ code, ...rest });
}

/** The error object that an agent receives (`structuredContent.error`). */
export interface ToolError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retry: Retry;
  readonly retry_after_ms?: number;
  readonly who_can_fix: Fixer;
  readonly effect: Effect;
  readonly call_id?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

const LOOK = "Whether it was carried out, nobody knows: look, before you send it again.";

/** The one place where an inside reason becomes an outside error. */
export function refusalToError(inside: Refusal, call_id?: string): ToolError {
  const { retry, who_can_fix, message } = { ...errorTable[inside.code], ...inside.mended };
  const { effect = "none", reason, retry_after_ms } = inside;
  // Of what happened, or may have, waiting makes no first try.
  const isOver = retry === "after" && effect !== "none";
  const said = [message, reason, isOver && effect === "unknown" ? LOOK : undefined];
  return Object.freeze({
    code: inside.code,
    message: said.filter((one) => one !== undefined).join(" "),
    retry: isOver ? "never" : retry,
    ...(isOver || retry_after_ms === undefined ? {} : { retry_after_ms }),
    who_can_fix,
    effect,
    ...(call_id === undefined ? {} : { call_id }),
    ...(inside.details === undefined ? {} : { details: inside.details }),
  });
}
