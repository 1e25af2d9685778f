// Exit codes: scripts are built on these numbers (INTERFACE, the command).
import { expect } from "vitest";
import { EXIT } from "../../src/cli/output.ts";
import { verifies } from "../verifies.ts";

verifies("cli.exit-codes", "the exit codes are 0 to 5, each with its meaning", () => {
  expect(EXIT).toEqual({ ok: 0, no: 1, usage: 2, sign_in: 3, unreachable: 4, tool_failed: 5 });
  expect(Object.isFrozen(EXIT)).toBe(true);
});
