// Logs: pino, on stderr only (stdout belongs to results and to MCP over stdio), redacted.
import pino from "pino";
import type { Logger as PinoLogger } from "pino";

export type Logger = PinoLogger;

// A second net: secrets are a type that cannot print; these are the names they would have.
const REDACTED_NAMES = [
  "authorization",
  "cookie",
  "token",
  "access_token",
  "refresh_token",
  "id_token",
  "subject_token",
  "client_secret",
  "client_assertion",
  "code",
  "code_verifier",
  "password",
  "proof",
];

/** Logs at `level` ("silent" for none) as JSON lines on stderr; `destination` is for tests. */
export function createLogger(level: string, destination?: pino.DestinationStream): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: REDACTED_NAMES.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
      censor: "[redacted]",
    },
    serializers: { err: describeError },
  };
  return pino(options, destination ?? pino.destination({ fd: 2, sync: true }));
}

// A library's error may carry the request or the response body; only what names it is kept.
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    message: error.message,
    // Not `code`: that name is redacted, since an authorization code has it.
    ...(typeof code === "string" ? { error_code: code } : {}),
    stack: error.stack?.split("\n").slice(1, 6),
  };
}
