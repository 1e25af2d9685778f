// Exit codes: scripts are built on these numbers (INTERFACE, the command).
import { expect } from "vitest";
import { exitOf } from "../../src/cli/call.ts";
import { EXIT } from "../../src/cli/output.ts";
import { errorTable } from "../../src/kernel/errors.ts";
import { verifies } from "../verifies.ts";

verifies("cli.exit-codes", "the exit codes are 0 to 5, each with its meaning", () => {
  expect(EXIT).toEqual({ ok: 0, no: 1, usage: 2, sign_in: 3, unreachable: 4, tool_failed: 5 });
  expect(Object.isFrozen(EXIT)).toBe(true);
});

verifies("cli.exit-codes", "an error ends a call with the exit code of its outcome", () => {
  const codes = Object.entries(errorTable).map(([code, { outcome }]) => [outcome, exitOf(code)]);
  const found = [...new Set(codes.map((pair) => pair.join(" ")))].toSorted();
  expect(found).toEqual([
    "auth_failed 1",
    "auth_failed 3",
    "auth_failed 4",
    "cancelled 5",
    "downstream_error 5",
    "drift 5",
    "rate_limited 1",
    "refused 1",
    "revoked 1",
    "timeout 5",
    "tool_error 5",
    "unknown 5",
  ]);
  // Whoever may sign in is told so; whom the provider cannot answer for now, may come back.
  expect(["reauth_required", "identity_unavailable", "claims_missing"].map(exitOf)).toEqual([
    EXIT.sign_in,
    EXIT.unreachable,
    EXIT.no,
  ]);
  // Of an error that this version does not know, all that is known is that it is one.
  for (const code of ["no_such_code", "constructor", undefined]) {
    expect(exitOf(code)).toBe(EXIT.tool_failed);
  }
});
