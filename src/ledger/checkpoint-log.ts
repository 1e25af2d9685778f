// The file of checkpoints beside the segments: each is durable there before anyone else sees it.
import { statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { parseCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { LedgerUnavailable, passing } from "./room.ts";

export const CHECKPOINTS = "checkpoints";

/** Ends each note. None holds such a line: an origin, digits, base64 and keys cannot be one. */
export const END = "---\n";
// A note a second is many in a year: a start reads the last ones.
const TAIL_BYTES = 65_536;

export function framedNote(note: string): string {
  return `${note}${END}`;
}

export interface FramedNotes {
  /** Whole notes, each with the number of its first line. */
  readonly notes: readonly { readonly note: string; readonly line: number }[];
  /** What follows the last whole one: nothing, or the torn end of a crash. */
  readonly rest: string;
}

export function framedNotesIn(text: string): FramedNotes {
  const parts = text.split(`\n${END}`);
  const rest = parts.pop() ?? "";
  let line = 1;
  const notes = parts.map((part) => {
    const found = { note: `${part}\n`, line };
    line += part.split("\n").length + 1;
    return found;
  });
  return { notes, rest };
}

interface Tail {
  readonly bytes: Buffer;
  readonly at: number;
}

export interface NoteFile {
  /** The last bytes, at least so many where there are, and how many are before them. */
  tail(bytes: number): Promise<Tail>;
  truncate(size: number): Promise<void>;
  append(bytes: Buffer): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface CheckpointLog {
  /** The newest durable one, and its note as it was handed out. */
  readonly last: { readonly note: string; readonly checkpoint: Checkpoint } | undefined;
  /** Bytes of a torn note that opening cut off; nobody had been given it. */
  readonly cut_bytes: number;
  /**
   * Resolves when the note is durable; only then may it be handed to anchors. Rejects a note that
   * does not grow the log; one for which there is no room, as `LedgerUnavailable`; and everything
   * after a failed sync, which is never retried.
   */
  append(note: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens the checkpoints of the ledger in `folder`, and mends a torn end. */
export async function openCheckpointLog(
  folder: string,
  openFile: (folder: string) => Promise<NoteFile> = openNoteFile,
): Promise<CheckpointLog> {
  const file = await openFile(folder);
  const { note, kept, size } = await newestIn(file);
  if (kept < size) {
    await file.truncate(kept);
    await file.sync();
  }
  const last = note === undefined ? undefined : { note, checkpoint: parseCheckpoint(note) };
  const place = { folder, openFile };
  return new OpenCheckpointLog(file, place, last, kept, size - kept);
}

/** The newest whole note, where it ends, and where the file does. */
async function newestIn(file: NoteFile) {
  const frame = `\n${END}`;
  // By bytes: what was torn need not be UTF-8.
  for (let wanted = TAIL_BYTES; ; wanted *= 2) {
    const { bytes, at } = await file.tail(wanted);
    const end = bytes.lastIndexOf(frame);
    const before = end > 0 ? bytes.lastIndexOf(frame, end - 1) : -1;
    if (before === -1 && at > 0) continue;
    const size = at + bytes.length;
    if (end === -1) return { note: undefined, kept: 0, size };
    const start = before === -1 ? 0 : before + frame.length;
    const note = bytes.toString("utf8", start, end + 1);
    return { note, kept: at + end + frame.length, size };
  }
}

interface Place {
  readonly folder: string;
  readonly openFile: (folder: string) => Promise<NoteFile>;
}

function inodeIn({ folder }: Place): number | undefined {
  return statSync(join(folder, CHECKPOINTS), { throwIfNoEntry: false })?.ino;
}

class OpenCheckpointLog implements CheckpointLog {
  last: CheckpointLog["last"];
  readonly cut_bytes: number;
  private file: NoteFile;
  private readonly place: Place;
  /** Of the open file, as the folder names it. */
  private inode: number | undefined;
  private size: number;
  private failed: Error | undefined;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    file: NoteFile,
    place: Place,
    last: CheckpointLog["last"],
    size: number,
    cut_bytes: number,
  ) {
    this.file = file;
    this.place = place;
    this.inode = inodeIn(place);
    this.last = last;
    this.size = size;
    this.cut_bytes = cut_bytes;
  }

  append(note: string): Promise<void> {
    const written = this.writing.then(() => this.write(note));
    this.writing = written.catch(() => undefined);
    return written;
  }

  private async write(note: string): Promise<void> {
    if (this.failed !== undefined) throw this.failed;
    const checkpoint = parseCheckpoint(note);
    const before = this.last?.checkpoint.size ?? -1;
    if (checkpoint.size <= before) {
      throw new RangeError(`a checkpoint at ${checkpoint.size} after one at ${before}`);
    }
    const bytes = Buffer.from(framedNote(note));
    try {
      if (this.isDisplaced()) await this.takeBack();
      await this.put(bytes);
      await this.file.sync();
      if (this.isDisplaced()) {
        // Durable where nobody finds it; put back, it must not stand there twice.
        await this.file.truncate(this.size);
        throw displaced();
      }
    } catch (error) {
      if (error instanceof LedgerUnavailable) throw error;
      this.failed = new Error("the checkpoints cannot be written", { cause: error });
      throw this.failed;
    }
    this.size += bytes.length;
    this.last = { note, checkpoint };
  }

  private isDisplaced(): boolean {
    return inodeIn(this.place) !== this.inode;
  }

  // Another file in its place is taken for it where it ends alike.
  private async takeBack(): Promise<void> {
    // Opening makes a file where there is none.
    if (inodeIn(this.place) === undefined) throw displaced();
    const file = await this.place.openFile(this.place.folder);
    const { note, size } = await newestIn(file);
    if (size !== this.size || note !== this.last?.note) {
      await file.close();
      throw displaced();
    }
    await this.file.close();
    this.file = file;
    this.inode = inodeIn(this.place);
    await file.sync();
  }

  // Where there is no room for it nothing has changed, once what it left is taken back.
  private async put(bytes: Buffer): Promise<void> {
    try {
      await this.file.append(bytes);
    } catch (error) {
      const why = passing(error);
      if (why === undefined) throw error;
      await this.file.truncate(this.size);
      throw why;
    }
  }

  async close(): Promise<void> {
    await this.writing;
    this.failed ??= new Error("the checkpoints are closed");
    await this.file.close();
  }
}

function displaced(): LedgerUnavailable {
  const message = "the checkpoints were removed or replaced while they were written: put them back";
  return new LedgerUnavailable("segment_missing", message);
}

export async function openNoteFile(folder: string): Promise<NoteFile> {
  const handle = await open(join(folder, CHECKPOINTS), "a+", 0o600);
  const parent = await open(folder, "r");
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
  return {
    tail: async (wanted) => {
      const { size } = await handle.stat();
      const at = Math.max(0, size - wanted);
      const { bytesRead, buffer } = await handle.read(Buffer.alloc(size - at), 0, size - at, at);
      return { bytes: buffer.subarray(0, bytesRead), at };
    },
    truncate: (size) => handle.truncate(size),
    append: (bytes) => handle.appendFile(bytes),
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}
