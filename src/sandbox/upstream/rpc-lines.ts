// JSON-RPC 2.0 over a pipe, one message a line (MCP, basic/transports, stdio), as somebody sends it
// whom nobody trusts: each line is bounded before it is kept, and judged before it means anything.
import { decodeUtf8, parseJson } from "../../kernel/json.ts";

/** 64 levels: a schema of a schema, and no more than what a frame may hold. */
export const MESSAGE_LIMITS = { depth_max: 64, keys_max: 200_000 };
const METHOD_CHARS_MAX = 128;
const ID_CHARS_MAX = 128;
const CHUNKS_MAX = 1024;

export type JsonObject = Readonly<Record<string, unknown>>;

/** What came is no message: nothing more of it is read. Its words are ours, never the sender's. */
class LineError extends Error {
  override readonly name = "LineError";
}

/** It is more than one line may hold. */
export class LineTooLong extends LineError {}

/** Cuts a stream of bytes into lines. One that does not end is none. */
export class LineReader {
  private readonly bytes_max: number;
  private chunks: Buffer[] = [];
  private held = 0;

  constructor(bytes_max: number) {
    this.bytes_max = bytes_max;
  }

  /** The lines that are whole now; throws `LineError`, after which the reader is of no use. */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      this.keep(chunk.subarray(from, at));
      lines.push(Buffer.concat(this.chunks));
      [this.chunks, this.held] = [[], 0];
      from = at + 1;
    }
    this.keep(chunk.subarray(from));
    return lines;
  }

  private keep(bytes: Buffer): void {
    this.held += bytes.length;
    if (this.held > this.bytes_max) {
      throw new LineTooLong(`a line of more than ${this.bytes_max} bytes`);
    }
    if (bytes.length > 0) this.chunks.push(bytes);
    // Each has a cost of its own, a hundred times a byte's.
    if (this.chunks.length > CHUNKS_MAX) this.chunks = [Buffer.concat(this.chunks)];
  }
}

/** A message of a server's, by what it is to us. Ids of answers are numbers, since ours are. */
export type ServerMessage =
  | { readonly kind: "result"; readonly id: number; readonly result: JsonObject }
  | { readonly kind: "error"; readonly id: number; readonly code: number }
  | { readonly kind: "request"; readonly id: number | string; readonly method: string }
  | { readonly kind: "notification"; readonly method: string };

/** Throws `LineError` where it is none. Batches are none: no revision that we speak has them. */
export function readMessage(line: Buffer): ServerMessage {
  let said: unknown;
  try {
    said = parseJson(decodeUtf8(line), MESSAGE_LIMITS);
  } catch {
    throw new LineError("a line that is not JSON, or not within its bounds");
  }
  if (!isObject(said) || said["jsonrpc"] !== "2.0")
    throw new LineError("a line that is no message");
  return "method" in said ? asked(said) : answered(said);
}

function asked({ method, id }: JsonObject): ServerMessage {
  if (typeof method !== "string" || method.length > METHOD_CHARS_MAX) {
    throw new LineError("a method that has no name");
  }
  if (id === undefined) return { kind: "notification", method };
  const isId = typeof id === "string" ? id.length <= ID_CHARS_MAX : Number.isSafeInteger(id);
  if (!isId) throw new LineError("a request whose id is none");
  return { kind: "request", id: id as number | string, method };
}

function answered({ id, result, error }: JsonObject): ServerMessage {
  if (typeof id !== "number" || !Number.isSafeInteger(id)) {
    throw new LineError("an answer to something that was not asked");
  }
  if (isObject(result) && error === undefined) return { kind: "result", id, result };
  const code = isObject(error) && result === undefined ? error["code"] : undefined;
  if (typeof code !== "number") throw new LineError("an answer that is neither result nor error");
  return { kind: "error", id, code };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
