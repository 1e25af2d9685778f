// Reading the segments: in order, byte for byte, with the chain checked on the way.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, truncateSync, openSync, fsyncSync, closeSync } from "node:fs";
import { join } from "node:path";
import { FIRST_PREV } from "./record.ts";
import type { Line } from "./record.ts";

/** Where the next record goes: after `seq`, chained to `hash`, at the end of `path`. */
export interface Tail {
  readonly seq: number;
  readonly hash: string;
  readonly path: string | undefined;
  readonly size: number;
  /** Bytes of a torn last line that were cut off. */
  readonly cut_bytes: number;
}

export interface ChainProblem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

export class LedgerDamaged extends Error {
  override readonly name = "LedgerDamaged";
}

export function segmentName(first_seq: number): string {
  return `${String(first_seq).padStart(12, "0")}.jsonl`;
}

export function segmentsOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^\d{12}\.jsonl$/.test(name))
    .toSorted()
    .map((name) => join(folder, name));
}

/**
 * Walks every segment; `visit` sees each whole line, `problem` each break of the chain, `leaf` the
 * bytes of everything that ends in a newline, line or not. NUL bytes after the last newline are
 * padding of a preallocated segment; other bytes there are a torn tail.
 */
export function walk(
  paths: readonly string[],
  visit: (line: Line, path: string) => void,
  problem: (problem: ChainProblem) => void,
  leaf?: (raw: Buffer) => void,
): Tail {
  let seq = 0;
  let prev = FIRST_PREV;
  let size = 0;
  let cut_bytes = 0;
  for (const [i, path] of paths.entries()) {
    const bytes = unpadded(readFileSync(path));
    let start = 0;
    for (let number = 1; start < bytes.length; number++) {
      const end = bytes.indexOf(0x0a, start);
      if (end === -1) {
        const torn = bytes.length - start;
        if (i === paths.length - 1) cut_bytes = torn;
        else problem({ file: path, line: number, message: `the last ${torn} bytes are no line` });
        break;
      }
      const raw = bytes.subarray(start, end);
      leaf?.(raw);
      const line = parseLine(raw);
      const wrong = line === undefined ? "is not JSON" : chainFault(line, seq, prev);
      if (wrong !== undefined) problem({ file: path, line: number, message: wrong });
      seq = line?.seq ?? seq + 1;
      prev = createHash("sha256").update(raw).digest("hex");
      if (line !== undefined) visit(line, path);
      start = end + 1;
    }
    size = bytes.length - cut_bytes;
  }
  return { seq, hash: prev, path: paths.at(-1), size, cut_bytes };
}

const PADDING = Buffer.alloc(65_536);

function unpadded(bytes: Buffer): Buffer {
  let end = bytes.length;
  // Whole blocks first: a preallocated segment is mostly padding.
  for (let from = end - PADDING.length; from >= 0; from = end - PADDING.length) {
    if (!bytes.subarray(from, end).equals(PADDING)) break;
    end = from;
  }
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}

function parseLine(raw: Buffer): Line | undefined {
  try {
    const value: unknown = JSON.parse(raw.toString("utf8"));
    const isLine = value !== null && typeof value === "object" && "seq" in value;
    return isLine && Number.isSafeInteger(value.seq) ? (value as Line) : undefined;
  } catch {
    return undefined;
  }
}

function chainFault(line: Line, before: number, prev: string): string | undefined {
  if (line.seq !== before + 1) return `has seq ${line.seq} after ${before}`;
  if (line.prev !== prev) return `seq ${line.seq} does not continue the hash chain`;
  return undefined;
}

/** Makes the log writable again: cuts a torn last line; a damaged middle stops the start. */
export function recover(folder: string, visit: (line: Line) => void): Tail {
  const problems: ChainProblem[] = [];
  const tail = walk(segmentsOf(folder), visit, (problem) => problems.push(problem));
  const [first] = problems;
  if (first !== undefined) {
    throw new LedgerDamaged(
      `${first.file}:${first.line} ${first.message}. The log was changed or lost; ` +
        "restore it from a copy, or move the folder aside and keep it as evidence",
    );
  }
  if (tail.cut_bytes > 0 && tail.path !== undefined) {
    truncateSync(tail.path, tail.size);
    const fd = openSync(tail.path, "r");
    fsyncSync(fd);
    closeSync(fd);
  }
  return tail;
}
