// What HTTP says with a status, or not at all, stdio says with an error.
import { SdkHttpError, UnauthorizedError } from "@modelcontextprotocol/client";
import type { JSONRPCMessage } from "@modelcontextprotocol/client";
import { SignInFailed } from "../identity/native.ts";
import { refusal, refusalToError } from "../kernel/errors.ts";
import type { ErrorCode } from "../kernel/errors.ts";
import type { Request } from "./message.ts";

const REFUSED = 1001;

/** The answer to a request that failed on its way; what only the person needs is a note. */
export function failed(
  { id, method }: Request,
  error: unknown,
  onNote: (text: string) => void,
): JSONRPCMessage {
  const said = jsonRpcIn(error);
  if (said !== undefined) return { ...said, id };
  const code = codeOf(error);
  onNote(`${code}: ${error instanceof Error ? error.message : "unknown"}`);
  // What was on its way to a doorless that is gone, nobody knows.
  const isLost = code === "internal" && method === "tools/call";
  const inside = refusalToError(refusal(code, isLost ? { effect: "unknown" } : {}));
  const { message } = inside;
  return { jsonrpc: "2.0", id, error: { code: REFUSED, message, data: { error: inside } } };
}

type JsonRpcError = Extract<JSONRPCMessage, { error: unknown }>;

function jsonRpcIn(error: unknown): JsonRpcError | undefined {
  if (!(error instanceof SdkHttpError)) return undefined;
  try {
    const { text } = error.data as { text?: unknown };
    if (typeof text !== "string") return undefined;
    const body = JSON.parse(text) as Record<string, unknown>;
    return body["jsonrpc"] === "2.0" && "error" in body ? (body as JsonRpcError) : undefined;
  } catch {
    return undefined;
  }
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof UnauthorizedError) return "invalid_token";
  if (error instanceof SignInFailed) return "identity_unavailable";
  if (!(error instanceof SdkHttpError)) return "internal";
  // No such agent, or one that this token is not for: over HTTP both are no door.
  if (error.data.status === 401 || error.data.status === 404) return "invalid_token";
  return error.data.status === 503 ? "identity_unavailable" : "internal";
}
