// Reading the segments: in order, byte for byte, with the chain checked on the way.
import { createHash } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
} from "node:fs";
import { basename, join } from "node:path";
import { FIRST_PREV } from "./record.ts";
import type { Line } from "./record.ts";
import { readTombstone, saysOf } from "./tombstone.ts";
import type { Tombstone } from "./tombstone.ts";

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

/** The number of its first line, which names it. */
export function firstSeqOf(path: string): number {
  return Number.parseInt(basename(path), 10);
}

/** Oldest first; without those that a tombstone stands for, should a crash have left any. */
export function segmentsOf(
  folder: string,
  dropped_to = readTombstone(folder)?.dropped_to ?? 0,
): string[] {
  return segmentsIn(folder).filter((path) => firstSeqOf(path) > dropped_to);
}

export function segmentsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^\d{12}\.jsonl$/.test(name))
    .toSorted()
    .map((name) => join(folder, name));
}

/**
 * What the open segment is filled with ahead of its lines: white space to whoever reads JSON, and
 * in none of our lines.
 */
export const BLANK = 0x09;

const NOTHING_DROPPED = { dropped_to: 0, hash: FIRST_PREV };

/**
 * Walks every segment; `visit` sees each whole line, `problem` each break of the chain, `leaf` the
 * bytes of everything that ends in a newline, line or not. Blanks after the last newline are room
 * that was made ahead; other bytes there are a torn tail. `after` is where it begins when what was
 * before is gone.
 */
export function walk(
  paths: readonly string[],
  visit: (line: Line, path: string) => void,
  problem: (problem: ChainProblem) => void,
  leaf?: (raw: Buffer) => void,
  after: Pick<Tombstone, "dropped_to" | "hash"> = NOTHING_DROPPED,
): Tail {
  let { dropped_to: seq, hash: prev } = after;
  let size = 0;
  let cut_bytes = 0;
  for (const [i, path] of paths.entries()) {
    const bytes = bytesOf(path, problem);
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
      if (i === paths.length - 1 && isHoled(raw)) {
        cut_bytes = bytes.length - start;
        break;
      }
      leaf?.(raw);
      const line = parseLine(raw);
      const name = number === 1 ? basename(path) : undefined;
      const wrong = line === undefined ? "is not JSON" : faultOf(line, seq, prev, name);
      if (wrong !== undefined) problem({ file: path, line: number, message: wrong });
      seq = line?.seq ?? seq + 1;
      prev = createHash("sha256").update(raw).digest("hex");
      if (line !== undefined) visit(line, path);
      start = end + 1;
    }
    size = bytes.length - cut_bytes;
    judgeName(path, start, seq, problem);
  }
  return { seq, hash: prev, path: paths.at(-1), size, cut_bytes };
}

// Where it holds no line, the next record would go there, under a number that is not its own.
function judgeName(
  path: string,
  lines_end: number,
  seq: number,
  problem: (problem: ChainProblem) => void,
): void {
  if (lines_end > 0 || basename(path) === segmentName(seq + 1)) return;
  problem({ file: path, line: 0, message: "holds nothing, and has another record's number" });
}

/** What is in it; nothing where it cannot be read, and that is a problem. */
function bytesOf(path: string, problem: (problem: ChainProblem) => void): Buffer {
  try {
    return unpadded(readFileSync(path));
  } catch (error) {
    problem({ file: path, line: 0, message: `cannot be read: ${String(error)}` });
    return Buffer.alloc(0);
  }
}

// Of a batch that no sync finished, a later page may be there without an earlier one.
function isHoled(raw: Buffer): boolean {
  return raw.includes(BLANK) || raw.includes(0);
}

/** A segment's lines, without the room after them; also as zeros, which a crash may leave. */
export function unpadded(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === BLANK || bytes[end - 1] === 0)) end--;
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

/** `name`: of the segment, where this is its first line. */
function faultOf(
  line: Line,
  before: number,
  prev: string,
  name: string | undefined,
): string | undefined {
  if (line.seq !== before + 1) return `has seq ${line.seq} after ${before}`;
  if (line.prev !== prev) return `seq ${line.seq} does not continue the hash chain`;
  if (name !== undefined && name !== segmentName(line.seq)) return `is the first of ${name}`;
  return undefined;
}

/** Whether in `path` lines of that size end in one with that hash, and are whole to the first. */
export function isCopy(path: string, size: number, hash: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (there < size) return false;
  const [first] = readFileSync(path, "utf8").split("\n", 1);
  const { seq, prev } = parseLine(Buffer.from(first ?? "")) ?? {};
  if (seq === undefined || prev === undefined) return false;
  let sound = true;
  const before = { dropped_to: seq - 1, hash: prev };
  const tail = walk(
    [path],
    () => undefined,
    () => (sound = false),
    undefined,
    before,
  );
  return sound && tail.hash === hash && tail.size === size && tail.cut_bytes === 0;
}

/** The beginning of the log, as far as it was walked already. */
export interface Begun extends Pick<Tail, "seq" | "hash"> {
  /** The event in it that says what the tombstone stands for; where there is one. */
  readonly said_at: number | undefined;
}

export interface Recovering {
  readonly begun: Begun | undefined;
  /** Sees each line's bytes, without the newline. */
  readonly leaf: (raw: Buffer) => void;
  /** What is known to have been durable: nothing up to here may be missing or cut. */
  readonly durable_to: () => number;
  /** What a checkpoint covers: that records were dropped counts up to here. */
  readonly signed_to: () => number;
}

/** Makes the log writable again: cuts a torn end; a damaged middle stops the start. */
export function recover(folder: string, { begun, leaf, durable_to, signed_to }: Recovering): Tail {
  const problems: ChainProblem[] = [];
  const stone = readTombstone(folder);
  const before = begun && { dropped_to: begun.seq, hash: begun.hash };
  const paths = segmentsOf(folder).filter((path) => firstSeqOf(path) > (begun?.seq ?? 0));
  let said_at = stone === undefined ? 0 : (begun?.said_at ?? Number.POSITIVE_INFINITY);
  const see = (line: Line): void => {
    if (saysOf(stone, line)) said_at = Math.min(said_at, line.seq);
  };
  const tail = walk(paths, see, (p) => problems.push(p), leaf, before ?? stone);
  const [first] = problems;
  if (first !== undefined) throw damaged(`${first.file}:${first.line} ${first.message}`);
  if (tail.seq < durable_to()) {
    throw damaged(`${folder} ends at record ${tail.seq}, and ${durable_to()} were durable`);
  }
  if (said_at > signed_to()) {
    throw damaged(`${folder} has a tombstone, and no signed retention event says what went`);
  }
  if (tail.path !== undefined) cutAfter(tail.path, tail.size);
  return tail;
}

export function damaged(what: string): LedgerDamaged {
  return new LedgerDamaged(
    `${what}. The log was changed or lost; restore it from a copy, or accept the loss with ` +
      "`audit repair --accept-loss`, which keeps the damaged files as evidence",
  );
}

// A torn end, and the room of a segment that was open when the process died.
function cutAfter(path: string, size: number): void {
  if (statSync(path).size === size) return;
  truncateSync(path, size);
  const fd = openSync(path, "r");
  fsyncSync(fd);
  closeSync(fd);
}
