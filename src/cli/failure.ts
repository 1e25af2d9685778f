// What is said of a verb's failure, and with which exit code it ends.
import { ConfigError } from "../config/problem.ts";
import { BadQuestion } from "../console/people.ts";
import { systemErrorInWords } from "../kernel/in-words.ts";
import { KeyringDamaged } from "../ledger/keyring.ts";
import { LedgerUnavailable } from "../ledger/room.ts";
import { LedgerDamaged } from "../ledger/segments.ts";
import { SigningKeyLost } from "../ledger/signing-key.ts";
import { FolderInUse, LockDamaged } from "../store/lock.ts";
import { EXIT, Stop } from "./output.ts";

/** The exit code and the sentence for what a verb threw. */
export function explainFailure(error: unknown): { code: number; message: string } {
  if (error instanceof Stop) return { code: error.code, message: error.message };
  if (error instanceof ConfigError || error instanceof BadQuestion) {
    return { code: EXIT.usage, message: error.message };
  }
  const ofTheFolder = [
    FolderInUse,
    KeyringDamaged,
    LedgerDamaged,
    LedgerUnavailable,
    LockDamaged,
    SigningKeyLost,
  ];
  if (error instanceof Error && ofTheFolder.some((kind) => error instanceof kind)) {
    return { code: EXIT.usage, message: error.message };
  }
  const { code, message } = error as NodeJS.ErrnoException;
  // The operating system's no, to a file or a port that somebody named: no stack.
  if (typeof code === "string" && /^E[A-Z]+$/.test(code)) {
    return { code: EXIT.usage, message: systemRefusal(error as SystemError) };
  }
  const stack = error instanceof Error ? error.stack : undefined;
  const isDebug = process.env["DOORLESS_LOG"] === "debug";
  return { code: EXIT.no, message: (isDebug ? stack : undefined) ?? message ?? "unknown error" };
}

interface SystemError extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
}

function systemRefusal(error: SystemError): string {
  const { syscall, address = "", port, path } = error;
  const why = systemErrorInWords(error);
  if (syscall !== "listen") return path === undefined ? why : `${path}: ${why}`;
  const mend = "`demo --port N` (0 picks free ones), /listen/port in the configuration of `start`";
  return `cannot listen at ${address}:${port}: ${why}; choose another port: ${mend}`;
}
