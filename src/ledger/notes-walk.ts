// The checkpoints of a log, read beside it note by note: in a month they can be more than fits a
// text.
import { closeSync, openSync, readSync } from "node:fs";
import type { Checkpoint } from "./checkpoint.ts";
import { END } from "./checkpoint-log.ts";
import type { MerkleTree } from "./merkle.ts";

export interface NoteAt {
  readonly note: string;
  /** The number of its first line. */
  readonly line: number;
  /** Where the next one begins. */
  readonly end: number;
  /** Nothing says that it is whole: the torn end of a crash. */
  readonly torn: boolean;
}

const CHUNK_BYTES = 262_144;
// What is longer is no note; its end is still looked for.
const KEPT_BYTES_MAX = 131_072;
const FRAME = Buffer.from(`\n${END}`);
const NEWLINE = 0x0a;

/** The notes in `path`, in their order; at last what follows them, where anything does. */
export function* notesIn(path: string): Generator<NoteAt, void> {
  const fd = openSync(path, "r");
  try {
    const bytes = Buffer.allocUnsafe(KEPT_BYTES_MAX + CHUNK_BYTES);
    // Of the note that has not ended yet: bytes at the front, and newlines in those that are gone.
    let [kept, lines, line, at] = [0, 0, 1, 0];
    for (let read = 1; read > 0;) {
      read = readSync(fd, bytes, kept, CHUNK_BYTES, at);
      at += read;
      const filled = bytes.subarray(0, kept + read);
      let start = 0;
      let end = filled.indexOf(FRAME, Math.max(0, kept - FRAME.length));
      for (; end !== -1; end = filled.indexOf(FRAME, start)) {
        const note = filled.toString("utf8", start, end + 1);
        const next = end + FRAME.length;
        yield { note, line, end: at - filled.length + next, torn: false };
        line += lines + newlinesIn(filled.subarray(start, end)) + 2;
        [start, lines] = [next, 0];
      }
      // So long that it is none, whatever of it is gone.
      const from = Math.max(start, filled.length - KEPT_BYTES_MAX);
      lines += newlinesIn(filled.subarray(start, from));
      filled.copyWithin(0, from);
      kept = filled.length - from;
    }
    if (kept > 0) yield { note: bytes.toString("utf8", 0, kept), line, end: at, torn: true };
  } finally {
    closeSync(fd);
  }
}

function newlinesIn(bytes: Buffer): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}

/** What a note says; nothing where it says nothing that counts. It is asked in their order. */
type Read = (found: NoteAt) => Checkpoint | undefined;
/** `actual`: the root of as many records; nothing where the log has none of that size. */
type Judge = (found: NoteAt, checkpoint: Checkpoint, actual: Buffer | undefined) => void;

/** Goes on as the log does: each note is judged where the tree has the size that it speaks of. */
export class NotesAlong {
  private readonly notes: Iterator<NoteAt, void>;
  private readonly read: Read;
  private readonly judge: Judge;
  private next: { readonly found: NoteAt; readonly checkpoint: Checkpoint } | undefined;

  constructor(notes: Iterator<NoteAt, void>, read: Read, judge: Judge) {
    this.notes = notes;
    this.read = read;
    this.judge = judge;
    this.step();
  }

  /** Once before the first record, and after each. */
  follow(tree: MerkleTree): void {
    for (; this.next !== undefined && this.next.checkpoint.size <= tree.size; this.step()) {
      const { found, checkpoint } = this.next;
      // Of one that does not grow, the root was that of an earlier record.
      this.judge(found, checkpoint, checkpoint.size === tree.size ? tree.root() : undefined);
    }
  }

  /** After the last record: what is left speaks of more than there is. */
  end(): void {
    for (; this.next !== undefined; this.step()) {
      this.judge(this.next.found, this.next.checkpoint, undefined);
    }
  }

  private step(): void {
    this.next = undefined;
    for (let one = this.notes.next(); one.done !== true; one = this.notes.next()) {
      const checkpoint = this.read(one.value);
      if (checkpoint === undefined) continue;
      this.next = { found: one.value, checkpoint };
      return;
    }
  }
}
