// MCP over stdio: one JSON-RPC message a line (MCP 2026-07-28, basic/transports). What is none is
// answered as JSON-RPC 2.0 section 5.1 says, and read over.
import type { Readable, Writable } from "node:stream";
import { parseJSONRPCMessage } from "@modelcontextprotocol/client";
import type { JSONRPCMessage } from "@modelcontextprotocol/client";

const PARSE_ERROR = -32_700;
const INVALID_REQUEST = -32_600;
/** More than any body that a doorless takes. */
const LINE_CHARS_MAX = 16 * 1_048_576;

export interface Lines {
  write(message: JSONRPCMessage): void;
  /** The client writes no more. */
  readonly ended: Promise<void>;
  /** The client reads no more. */
  readonly gone: Promise<void>;
  close(): void;
}

export function openLines(
  stdin: Readable,
  stdout: Writable,
  hear: (message: JSONRPCMessage) => void,
  onNote: (text: string) => void,
): Lines {
  const ended = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const write = (message: object): void => void stdout.write(`${JSON.stringify(message)}\n`);
  const refuse = (code: number, message: string): void => {
    onNote(`a line was not understood: ${message}`);
    write({ jsonrpc: "2.0", id: null, error: { code, message } });
  };
  const take = (line: string): void => {
    if (line.trim() === "") return;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return refuse(PARSE_ERROR, "it is not JSON");
    }
    let message: JSONRPCMessage;
    try {
      message = parseJSONRPCMessage(value);
    } catch {
      return refuse(INVALID_REQUEST, "it is no JSON-RPC message of MCP");
    }
    hear(message);
  };
  let rest = "";
  const onData = (text: string): void => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
    if (rest.length <= LINE_CHARS_MAX) return;
    refuse(PARSE_ERROR, "it does not end");
    ended.resolve();
    close();
  };
  const onEnd = (): void => {
    // A last line needs no end.
    take(rest);
    rest = "";
    ended.resolve();
  };
  const onGone = (): void => gone.resolve();
  const close = (): void => {
    stdin.off("data", onData).off("end", onEnd);
    stdin.pause();
  };
  stdin.setEncoding("utf8").on("data", onData).on("end", onEnd);
  for (const event of ["close", "error"]) stdin.once(event, () => ended.resolve());
  stdout.on("error", onGone).on("close", onGone);
  return { write, ended: ended.promise, gone: gone.promise, close };
}
