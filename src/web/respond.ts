// From web-standard responses and refusals to Node's HTTP, with the headers that every answer has.
import type { ServerResponse } from "node:http";
import { errorTable, refusalToError } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";

/**
 * Writes a Response, streams included; stops reading where the client has gone. `mayWrite` is asked
 * before each piece of a stream: where it says no, the stream ends.
 */
export async function respond(
  response: Response,
  res: ServerResponse,
  mayWrite?: () => Promise<boolean>,
): Promise<void> {
  res.statusCode = response.status;
  for (const [name, value] of response.headers) res.setHeader(name, value);
  if (response.body === null) {
    res.end();
    return;
  }
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  if (!isStream) {
    // All that is answered here is text, and Node sends a text together with its head.
    res.end(await response.text());
    return;
  }
  res.flushHeaders();
  const reader = response.body.getReader();
  res.once("close", () => void reader.cancel().catch(() => undefined));
  for (;;) {
    const { done, value } = await reader.read();
    if (done || res.writableEnded || res.destroyed) break;
    if (mayWrite !== undefined && !(await mayWrite())) break;
    if (!res.writableEnded && !res.write(value)) await drained(res);
  }
  res.end();
}

function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      res.off("drain", done);
      res.off("close", done);
      resolve();
    };
    res.once("drain", done);
    res.once("close", done);
  });
}

/** A refusal below MCP: its HTTP status, and the error object as the body. */
export function refuse(res: ServerResponse, refusal: Refusal, status?: number): void {
  const { wire } = errorTable[refusal.code];
  const error = refusalToError(refusal);
  // The rest of the body is not wanted, so neither is the connection.
  if (refusal.code === "request_too_large") res.setHeader("connection", "close");
  // What has no status of its own is no mistake of the client's.
  res.statusCode = status ?? (typeof wire === "number" ? wire : 500);
  if (error.retry_after_ms !== undefined) {
    res.setHeader("retry-after", String(Math.ceil(error.retry_after_ms / 1000)));
  }
  sendJson(res, { error });
}

/** RFC 8259 section 4.2's parse error, as JSON-RPC 2.0 wants it: without an id to answer. */
export function refuseParse(res: ServerResponse, refusal: Refusal): void {
  const error = refusalToError(refusal);
  res.statusCode = 400;
  sendJson(res, {
    jsonrpc: "2.0",
    error: { code: -32700, message: error.message, data: { error } },
    id: null,
  });
}

export function sendJson(res: ServerResponse, body: unknown): void {
  res.setHeader("content-type", "application/json");
  res.end(JSON.stringify(body));
}
