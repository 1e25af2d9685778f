// `audit repair --accept-loss`: a damaged log goes on from its last good record. What was there is
// kept beside it as evidence, and the loss itself is the next record.
import { cpSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseCheckpoint, verifyCheckpoint } from "./checkpoint.ts";
import { CHECKPOINTS, framedNote, framedNotesIn } from "./checkpoint-log.ts";
import { lastSigned } from "./last-signed.ts";
import type { VerifierKey } from "./note.ts";
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

// A note that is none stands for nothing, and goes.
function sizesIn(note: string): number[] {
  try {
    return [parseCheckpoint(note).size];
  } catch {
    return [];
  }
}

/** Cuts the log at its first fault. The caller holds the folder's lock, and records the loss. */
export function repairLedger(folder: string, keys_folder: string, evidence: string): Repaired {
  cpSync(folder, evidence, { recursive: true, errorOnExist: true, force: false });
  // First: what cannot be read stops the repair before it has cut anything.
  const notes = notesIn(folder);
  const problems: ChainProblem[] = [];
  const stone = stoneIn(folder, problems);
  problems.push(...cutAtFault(folder, stone));
  const roots = new Map<number, Buffer>();
  const signed = lastSigned(keys_folder);
  const sizes = new Set(notes.flatMap(sizesIn));
  if (signed !== undefined) sizes.add(signed.size);
  const tree = treeAfter(stone);
  const tail = walk(
    segmentsOf(folder),
    () => undefined,
    () => undefined,
    (leaf) => {
      tree.append(leaf);
      if (sizes.has(tree.size)) roots.set(tree.size, tree.root());
    },
    stone,
  );
  if (tail.path !== undefined) truncateSync(tail.path, tail.size);
  const dropped_to = stone?.dropped_to ?? 0;
  const kept = standing(notes, publicKeysIn(keys_folder), roots, dropped_to);
  const dropped_checkpoints = notes.length - kept.length;
  if (dropped_checkpoints > 0) writeNotes(folder, kept);
  const is_there = signed === undefined || roots.get(signed.size)?.equals(signed.root) === true;
  if (!is_there || (signed !== undefined && kept.length === 0)) {
    const what = is_there ? "is gone" : "is of another log than this";
    const message = `the checkpoint at ${signed?.size ?? 0} that was signed ${what}`;
    problems.push({ file: join(folder, CHECKPOINTS), line: 0, message });
  }
  const gone = stone && { dropped_to: stone.dropped_to, hash: stone.hash };
  return { kept_to: tail.seq, dropped_checkpoints, stone: gone, evidence, problems };
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
  // One that cannot be read holds no record; the copy has whatever is there.
  if (line === 0) rmSync(file, { recursive: true });
  else truncateSync(file, endOf(line - 1, readFileSync(file)));
  for (const later of paths.slice(paths.indexOf(file) + 1)) rmSync(later);
}

/** Where the first `lines` lines end. */
function endOf(lines: number, bytes: Buffer): number {
  let end = 0;
  for (let line = 0; line < lines; line++) end = bytes.indexOf(0x0a, end) + 1;
  return end;
}

function notesIn(folder: string): string[] {
  const file = join(folder, CHECKPOINTS);
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  return framedNotesIn(text).notes.map(({ note }) => note);
}

// Those that still stand for the log in front of them, up to the first that does not.
function standing(
  notes: readonly string[],
  keys: readonly VerifierKey[],
  roots: ReadonlyMap<number, Buffer>,
  dropped_to: number,
): readonly string[] {
  const broken = notes.findIndex((note) => {
    if (!isSigned(note, keys)) return true;
    const { size, root } = parseCheckpoint(note);
    // Of what retention dropped nobody can tell any more.
    return size >= dropped_to && roots.get(size)?.equals(root) !== true;
  });
  return broken === -1 ? notes : notes.slice(0, broken);
}

function writeNotes(folder: string, notes: readonly string[]): void {
  const text = notes.map(framedNote).join("");
  writeFileSync(join(folder, CHECKPOINTS), text, { mode: 0o600, flush: true });
}

function isSigned(note: string, keys: readonly VerifierKey[]): boolean {
  try {
    verifyCheckpoint(note, keys);
    return true;
  } catch {
    return false;
  }
}
