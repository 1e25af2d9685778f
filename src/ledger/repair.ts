// `audit repair --accept-loss`: a damaged log goes on from its last good record. What was there is
// kept beside it as evidence, and the loss itself is the next record.
import { closeSync, cpSync, existsSync, fsyncSync, ftruncateSync, openSync } from "node:fs";
import { readFileSync, rmSync, truncateSync } from "node:fs";
import { basename, join } from "node:path";
import { verifyCheckpoint } from "./checkpoint.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { CHECKPOINTS } from "./checkpoint-log.ts";
import { lastSigned } from "./last-signed.ts";
import type { VerifierKey } from "./note.ts";
import { notesIn, NotesAlong } from "./notes-walk.ts";
import { LedgerDamaged, segmentName, segmentsOf, walk } from "./segments.ts";
import type { ChainProblem } from "./segments.ts";
import { publicKeysIn } from "./signing-key.ts";
import { readTombstone, TOMBSTONE, treeAfter } from "./tombstone.ts";
import type { Tombstone } from "./tombstone.ts";

export interface Repaired {
  /** The last record that was kept. */
  readonly kept_to: number;
  /** Checkpoints that no longer have a log to stand for. */
  readonly dropped_checkpoints: number;
  /** What stands for the records before: the log says it anew, for it may have lost its saying. */
  readonly stone: Pick<Tombstone, "dropped_to" | "hash"> | undefined;
  /** A whole copy of what was found. */
  readonly evidence: string;
  readonly problems: readonly ChainProblem[];
}

/** Cuts the log at its first fault. The caller holds the folder's lock, and records the loss. */
export function repairLedger(folder: string, keys_folder: string, evidence: string): Repaired {
  cpSync(folder, evidence, { recursive: true, errorOnExist: true, force: false });
  // Before anything is cut: what cannot be read stops the repair.
  const problems: ChainProblem[] = [];
  const stone = stoneIn(folder, problems);
  problems.push(...cutAtFault(folder, stone));
  const signed = lastSigned(keys_folder);
  let is_there = signed === undefined;
  const tree = treeAfter(stone);
  const notes = new StandingNotes(folder, publicKeysIn(keys_folder), stone?.dropped_to ?? 0);
  const look = (): void => {
    notes.along.follow(tree);
    if (signed?.size === tree.size) is_there = tree.root().equals(signed.root);
  };
  look();
  const tail = walk(
    segmentsOf(folder),
    () => undefined,
    () => undefined,
    (leaf) => {
      tree.append(leaf);
      look();
    },
    stone,
  );
  notes.along.end();
  if (tail.path !== undefined) truncateSync(tail.path, tail.size);
  const { kept, dropped } = notes;
  if (dropped > 0) cut(join(folder, CHECKPOINTS), notes.kept_to);
  if (!is_there || (signed !== undefined && kept === 0)) {
    const what = is_there ? "is gone" : "is of another log than this";
    const message = `the checkpoint at ${signed?.size ?? 0} that was signed ${what}`;
    problems.push({ file: join(folder, CHECKPOINTS), line: 0, message });
  }
  const gone = stone && { dropped_to: stone.dropped_to, hash: stone.hash };
  return { kept_to: tail.seq, dropped_checkpoints: dropped, stone: gone, evidence, problems };
}

// One that cannot be read stands for nothing, where the log has its beginning.
function stoneIn(folder: string, problems: ChainProblem[]): Tombstone | undefined {
  const file = join(folder, TOMBSTONE);
  const [first = segmentName(1)] = segmentsOf(folder, 0).map((path) => basename(path));
  let stone: Tombstone | undefined;
  try {
    stone = readTombstone(folder);
  } catch {
    if (first === segmentName(1)) {
      rmSync(file, { recursive: true });
      problems.push({ file, line: 0, message: "is no tombstone; it stood for nothing" });
    }
  }
  if (stone !== undefined || first === segmentName(1)) return stone;
  const begins = `the log begins with ${first}, and ${file} does not say what was before`;
  throw new LedgerDamaged(`${begins}: restore it from a copy, or take the segments away, too`);
}

/** What breaks the chain; after it nothing does. */
function cutAtFault(folder: string, stone: Tombstone | undefined): readonly ChainProblem[] {
  const breaks: ChainProblem[] = [];
  walk(
    segmentsOf(folder),
    () => undefined,
    (problem) => breaks.push(problem),
    undefined,
    stone,
  );
  const [first] = breaks;
  if (first !== undefined) cutBefore(folder, first);
  return breaks;
}

function cutBefore(folder: string, { file, line }: ChainProblem): void {
  const paths = segmentsOf(folder);
  // Without a record before the fault its name may be wrong, too; the copy has whatever is there.
  if (line <= 1) rmSync(file, { recursive: true });
  else truncateSync(file, endOf(line - 1, readFileSync(file)));
  for (const later of paths.slice(paths.indexOf(file) + 1)) rmSync(later, { recursive: true });
}

function cut(file: string, size: number): void {
  const fd = openSync(file, "r+");
  try {
    ftruncateSync(fd, size);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Where the first `lines` lines end. */
function endOf(lines: number, bytes: Buffer): number {
  let end = 0;
  for (let line = 0; line < lines; line++) end = bytes.indexOf(0x0a, end) + 1;
  return end;
}

/** Which checkpoints still stand for the log before them: up to the first that does not. */
class StandingNotes {
  readonly along: NotesAlong;
  kept = 0;
  dropped = 0;
  /** In the file. */
  kept_to = 0;

  constructor(folder: string, keys: readonly VerifierKey[], dropped_to: number) {
    const file = join(folder, CHECKPOINTS);
    const notes = existsSync(file) ? notesIn(file) : [].values();
    this.along = new NotesAlong(
      notes,
      ({ note, torn }) => {
        if (torn) return undefined;
        const checkpoint = signedIn(note, keys);
        if (checkpoint === undefined) this.dropped++;
        return checkpoint;
      },
      ({ end }, { size, root }, actual) => {
        // Of what retention dropped nobody can tell any more.
        const stands = size < dropped_to || actual?.equals(root) === true;
        if (!stands || this.dropped > 0) this.dropped++;
        else [this.kept, this.kept_to] = [this.kept + 1, end];
      },
    );
  }
}

function signedIn(note: string, keys: readonly VerifierKey[]): Checkpoint | undefined {
  try {
    return verifyCheckpoint(note, keys);
  } catch {
    return undefined;
  }
}
