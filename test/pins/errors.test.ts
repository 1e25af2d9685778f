// The error table, written out once more: agents and dashboards are built on these words.
import { expect } from "vitest";
import { errorTable, refusal, refusalToError } from "../../src/kernel/errors.ts";
import { verifies } from "../verifies.ts";

// code: wire, retry, who can fix, effects, outcome.
const PINNED = {
  parse_error: "400 never agent none refused",
  request_too_large: "413 never agent none refused",
  forbidden_origin: "403 never operator none refused",
  invalid_token: "401 after_user_action user none auth_failed",
  identity_unavailable: "503 after operator none|unknown|done auth_failed",
  result_too_large: "result never agent none|done tool_error",
  session_not_found: "404 after_user_action agent none refused",
  locked: "result never operator none refused",
  claims_missing: "result never operator none auth_failed",
  agent_in_use: "result after user none refused",
  capacity: "result after operator none rate_limited",
  unknown_tool: "protocol never agent none refused",
  invalid_arguments: "result never agent none refused",
  argument_not_allowed: "result never agent none refused",
  idempotency_conflict: "result never agent none refused",
  answer_lost: "result never agent unknown|done unknown",
  confirmation_required: "result after_user_action user none refused",
  confirmation_declined: "result never user none refused",
  loop_detected: "result never agent none rate_limited",
  rate_limited: "result after agent none rate_limited",
  audit_unavailable: "result after operator none refused",
  login_required: "result after_user_action user none auth_failed",
  connection_required: "result after_user_action user none auth_failed",
  connection_damaged: "result after_user_action operator none auth_failed",
  reauth_required: "result after_user_action user none auth_failed",
  delegation_refused: "result never operator none auth_failed",
  delegation_unavailable: "result after operator none auth_failed",
  identity_mismatch: "result never operator none auth_failed",
  access_revoked: "result after_user_action user none|unknown|done revoked",
  timeout: "result after operator none|unknown timeout",
  cancelled: "result after agent none|unknown cancelled",
  downstream_error: "result never agent none|unknown downstream_error",
  downstream_rate_limited: "result after agent none|unknown downstream_error",
  downstream_unavailable: "result after operator none|unknown downstream_error",
  egress_refused: "result never operator none|unknown downstream_error",
  credential_exposed: "result never operator none|unknown downstream_error",
  tool_error: "result never operator none|unknown tool_error",
  code_error: "result never agent none tool_error",
  resource_limit: "result never agent none|unknown tool_error",
  isolation_unavailable: "result after operator none refused",
  contract_drift: "result never operator none|done drift",
  outcome_unrecorded: "result never operator none|unknown|done unknown",
  internal: "result after operator none|unknown|done unknown",
};

verifies("errors.table", "each code has the wire, retry, fixer, effects and outcome pinned", () => {
  const rows = Object.entries(errorTable).map(([code, row]) => {
    const { wire, retry, who_can_fix, effects, outcome } = row;
    return [code, [wire, retry, who_can_fix, effects.join("|"), outcome].join(" ")];
  });
  expect(Object.fromEntries(rows)).toEqual(PINNED);
});

verifies("errors.table", "each message is a sentence or two that holds no placeholder", () => {
  for (const [code, { message }] of Object.entries(errorTable)) {
    expect(message, code).toMatch(/^(?:[A-Z]|doorless ).*\.$/);
    expect(message, code).not.toMatch(/[${}%]|undefined/);
  }
});

verifies("errors.table", "the table cannot be changed while the server runs", () => {
  expect(Object.isFrozen(errorTable)).toBe(true);
  for (const row of Object.values(errorTable)) expect(Object.isFrozen(row)).toBe(true);
});

verifies("errors.shape", "an error object has its fields in one order, and no others", () => {
  const details = { scope: "user" };
  const full = refusal("rate_limited", { reason: "Why.", retry_after_ms: 7, details });
  expect(JSON.stringify(refusalToError(full, "call-1"))).toBe(
    '{"code":"rate_limited","message":"Too many calls. Wait for retry_after_ms, then try again. ' +
      'Why.","retry":"after","retry_after_ms":7,"who_can_fix":"agent","effect":"none",' +
      '"call_id":"call-1","details":{"scope":"user"}}',
  );
  expect(Object.keys(refusalToError(refusal("internal")))).toEqual([
    "code",
    "message",
    "retry",
    "who_can_fix",
    "effect",
  ]);
});

verifies("errors.no-leak", "what is for the operator's log never becomes part of an error", () => {
  const inside = refusal("downstream_error", { cause: "canary-77 at /src/x.ts:1:1" });
  expect(JSON.stringify(refusalToError(inside, "call-1"))).not.toContain("canary");
});

verifies("errors.effect", "an error without a word about the effect says none", () => {
  expect(refusalToError(refusal("timeout")).effect).toBe("none");
  expect(refusalToError(refusal("timeout", { effect: "unknown" })).effect).toBe("unknown");
  expect(refusalToError(refusal("contract_drift", { effect: "done" })).effect).toBe("done");
});
