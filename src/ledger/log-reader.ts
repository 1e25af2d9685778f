// Reads the log from where it stopped the last time: what is derived from it follows the files
// themselves, so that nothing is handed over on a call's way.
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import type { Line } from "./record.ts";
import { firstSeqOf, LedgerDamaged, segmentName, segmentsOf } from "./segments.ts";

/** A line, and where its bytes stand in the segment that holds its number. */
export interface Placed {
  readonly line: Line;
  readonly at: number;
  readonly size: number;
}

interface Position {
  /** The number that names the segment; its first line's. */
  readonly first: number;
  readonly at: number;
  /** The line before `at`. */
  readonly seq: number;
}

const CHUNK_BYTES = 262_144;

export class LogReader {
  private readonly folder: string;
  private chunk: Buffer | undefined;
  private position: Position | undefined;
  private firsts: readonly number[] = [];

  constructor(folder: string) {
    this.folder = folder;
  }

  /**
   * The lines after `after`, up to `to` or, without it, as many whole ones as there are; a chunk at
   * a time. What lies before the first segment was dropped by retention, and is passed over. Throws
   * `LedgerDamaged` where the log ends before `to`, or is no sequence.
   */
  *read(after: number, to = Number.POSITIVE_INFINITY): Generator<readonly Placed[]> {
    let here = this.position?.seq === after ? this.position : this.placeOf(after);
    while (here !== undefined && here.seq < to) {
      const { placed, next } = this.linesAt(here, after, to);
      here = next.at === here.at ? this.segmentAfter(here, to) : next;
      if (here !== undefined) this.position = here;
      if (placed.length > 0) yield placed;
    }
  }

  /** Whole lines after `after` as they stand, up to `to`; as many as fit a chunk. */
  bytesAfter(after: number, to: number): { bytes: Buffer; first: number; last: number } {
    let here = this.position?.seq === after ? this.position : this.placeOf(after);
    while (here !== undefined && here.seq < to) {
      const { ends, bytes } = this.linesIn(here, to);
      const skipped = Math.max(0, after - here.seq);
      const last = ends.at(-1);
      if (last === undefined) {
        here = this.segmentAfter(here, to);
        continue;
      }
      const first = here.seq + skipped + 1;
      const from = skipped === 0 ? 0 : (ends[skipped - 1] ?? last) + 1;
      here = { first: here.first, at: here.at + last + 1, seq: here.seq + ends.length };
      this.position = here;
      if (here.seq < first) continue;
      return { bytes: Buffer.from(bytes.subarray(from, last + 1)), first, last: here.seq };
    }
    throw new LedgerDamaged(`${this.folder} holds nothing after record ${after}`);
  }

  /** The one line that `read` placed there. */
  lineAt(seq: number, at: number, size: number): Line {
    if (this.firsts.length === 0) this.look();
    const first = this.firstOf(seq);
    if (first === undefined) throw new LedgerDamaged(`the segment of record ${seq} is gone`);
    const bytes = this.bytesAt(first, at, size);
    return lineOf(bytes, seq, join(this.folder, segmentName(first)));
  }

  /** Of the segments that were seen: all that hold a line which was read. */
  private firstOf(seq: number): number | undefined {
    return this.firsts.findLast((first) => first <= seq);
  }

  private look(): readonly number[] {
    this.firsts = segmentsOf(this.folder).map(firstSeqOf);
    return this.firsts;
  }

  private placeOf(after: number): Position | undefined {
    const [oldest] = this.look();
    const first = this.firstOf(after + 1) ?? oldest;
    return first === undefined ? undefined : { first, at: 0, seq: first - 1 };
  }

  private linesAt(here: Position, after: number, to: number) {
    const { ends, bytes } = this.linesIn(here, to);
    const path = join(this.folder, segmentName(here.first));
    const placed: Placed[] = [];
    let { seq } = here;
    let start = 0;
    for (const end of ends) {
      seq++;
      if (seq > after) {
        const line = lineOf(bytes.subarray(start, end), seq, path);
        placed.push({ line, at: here.at + start, size: end - start });
      }
      start = end + 1;
    }
    return { placed, next: { first: here.first, at: here.at + start, seq } };
  }

  /** A chunk from there on, and where in it its lines end. */
  private linesIn({ first, at, seq }: Position, to: number): { bytes: Buffer; ends: number[] } {
    const bytes = this.bytesAt(first, at, CHUNK_BYTES);
    const ends: number[] = [];
    for (let start = 0; seq + ends.length < to;) {
      const end = bytes.indexOf(0x0a, start);
      if (end === -1) break;
      ends.push(end);
      start = end + 1;
    }
    return { bytes, ends };
  }

  private segmentAfter({ seq, first }: Position, to: number): Position | undefined {
    const next = seq + 1;
    if (first !== next && this.look().includes(next)) {
      return { first: next, at: 0, seq };
    }
    if (to === Number.POSITIVE_INFINITY) return undefined;
    throw new LedgerDamaged(`${this.folder} ends at record ${seq}, and ${to} were durable`);
  }

  /** Nothing of a segment that is gone: what follows it tells whether it may be. */
  private bytesAt(first: number, at: number, size: number): Buffer {
    const path = join(this.folder, segmentName(first));
    if (!existsSync(path)) return Buffer.alloc(0);
    const fd = openSync(path, "r");
    try {
      this.chunk ??= Buffer.allocUnsafe(CHUNK_BYTES);
      const into = size <= CHUNK_BYTES ? this.chunk : Buffer.allocUnsafe(size);
      return into.subarray(0, readSync(fd, into, 0, size, at));
    } finally {
      closeSync(fd);
    }
  }
}

function lineOf(bytes: Buffer, seq: number, path: string): Line {
  let line: Partial<Line> | undefined;
  try {
    line = JSON.parse(bytes.toString("utf8")) as Partial<Line>;
  } catch {
    line = undefined;
  }
  if (line?.seq !== seq)
    throw new LedgerDamaged(`${path} does not hold record ${seq} in its place`);
  return line as Line;
}
