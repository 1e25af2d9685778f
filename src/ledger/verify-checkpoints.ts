// What checkpoints and anchors prove of a log: signatures, growth, roots, and that no tail is cut.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { anchoredNotesIn } from "./anchor.ts";
import { CHECKPOINTS } from "./checkpoint-log.ts";
import { originOf, parseCheckpoint, verifyCheckpoint } from "./checkpoint.ts";
import { LOG_ID } from "./checkpointer.ts";
import type { Checkpoint, VerifiedCheckpoint } from "./checkpoint.ts";
import type { MerkleTree } from "./merkle.ts";
import type { VerifierKey } from "./note.ts";
import { notesIn, NotesAlong } from "./notes-walk.ts";
import type { NoteAt } from "./notes-walk.ts";
import type { ChainProblem } from "./segments.ts";
import { treeAfter } from "./tombstone.ts";
import type { Tombstone } from "./tombstone.ts";
import { KEYS_BESIDE, parseVerifierKeys } from "./signing-key.ts";

export interface Evidence {
  /** A file of verifier keys that was kept elsewhere. Without it: the copy beside the log. */
  readonly public_keys?: string;
  /** Files with what anchors kept: notes, or lines with the one-line form in them. */
  readonly anchors?: readonly string[];
}

/** `beside the log`: whoever could rewrite the log could replace those keys as well. */
export type KeySource = "given" | "beside the log" | "none";

export interface CheckpointVerdict {
  /** Size of the newest checkpoint that is signed and whose root is the log's; 0 for none. */
  readonly covered_to: number;
  /** Size of the newest anchored checkpoint that holds for this log; 0 for none. */
  readonly anchored_to: number;
  readonly keys: KeySource;
}

type Report = (problem: ChainProblem) => void;

interface Found {
  readonly file: string;
  readonly line: number;
  readonly note: string;
}

/**
 * Reads keys and anchored notes; is then given every line of the log in order, beside which it
 * reads the checkpoints, and judges at the end. A log without checkpoints is no problem unless
 * some were to be expected.
 */
export class CheckpointVerifier {
  private readonly folder: string;
  private readonly evidence: Evidence;
  private readonly report: Report;
  private readonly file: string;
  private readonly own: NotesAlong;
  /** What the first of its own says that it is of. */
  private readonly origin: string | undefined;
  private readonly anchored: readonly Found[];
  private readonly tree: MerkleTree;
  private readonly dropped_to: number;
  private readonly keys: { readonly trust: Trust; readonly source: KeySource };
  /** Sizes whose roots the anchored notes speak of, and what they are in this log. */
  private readonly wanted: ReadonlySet<number>;
  private readonly roots = new Map<number, Buffer>();
  private covered_to = 0;
  private before = -1;

  constructor(folder: string, evidence: Evidence, report: Report, stone: Tombstone | undefined) {
    this.folder = folder;
    this.evidence = evidence;
    this.report = report;
    this.file = join(folder, CHECKPOINTS);
    this.tree = treeAfter(stone);
    this.dropped_to = stone?.dropped_to ?? 0;
    this.origin = originIn(this.file);
    this.anchored = (evidence.anchors ?? []).flatMap((file) => this.anchoredNotes(file));
    this.wanted = new Set(this.anchored.flatMap(({ note }) => sizeIn(note)));
    this.keys = this.readKeys();
    this.own = new NotesAlong(
      this.ownNotes(),
      (found) => this.readOwn(found),
      (found, checkpoint, actual) => this.judgeOwn(found, checkpoint, actual),
    );
    this.remember();
  }

  leaf(raw: Buffer): void {
    this.tree.append(raw);
    this.remember();
  }

  private remember(): void {
    const { tree, roots, wanted } = this;
    if (wanted.has(tree.size)) roots.set(tree.size, tree.root());
    this.own.follow(tree);
  }

  /** After the last leaf. */
  judge(): CheckpointVerdict {
    this.own.end();
    this.judgeName();
    const { covered_to } = this;
    const { trust, source } = this.keys;
    const anchored_to = this.judgeAnchored(trust, covered_to);
    this.judgeKeysBeside();
    return { covered_to, anchored_to, keys: source };
  }

  // Of whom the log says that it is; a copy may lack it.
  private judgeName(): void {
    const file = join(this.folder, LOG_ID);
    const { origin } = this;
    const id = existsSync(file) ? this.textOf(file)?.replace(/\n$/, "") : undefined;
    if (id === undefined || origin === undefined) return;
    if (origin !== originOf(id)) this.say({ file, line: 1 }, `the checkpoints are of ${origin}`);
  }

  // They only ever grow, so the older of two copies is how the newer begins.
  private judgeKeysBeside(): void {
    const { public_keys } = this.evidence;
    const file = join(this.folder, KEYS_BESIDE);
    if (public_keys === undefined || !existsSync(file) || !existsSync(public_keys)) return;
    const [beside, given] = [this.textOf(file), this.textOf(public_keys)];
    if (beside === undefined || given === undefined) return;
    if (beside.startsWith(given) || given.startsWith(beside)) return;
    this.say({ file, line: 0 }, "holds other keys than those that were given");
  }

  private judgeAnchored(trust: Trust, covered_to: number): number {
    let anchored_to = 0;
    for (const found of this.anchored) {
      const checkpoint = this.attempt(found, () => trust.verifyAny(found.note));
      const root = checkpoint && this.roots.get(checkpoint.size);
      if (checkpoint === undefined || !this.holds(found, checkpoint, root)) continue;
      const { size } = checkpoint;
      // Each is durable beside the log before an anchor is given it.
      if (size > covered_to) this.say(found, `is at ${size}; the log's own end at ${covered_to}`);
      anchored_to = Math.max(anchored_to, size);
    }
    return anchored_to;
  }

  private readOwn({ note, line, torn }: NoteAt): Checkpoint | undefined {
    const found = { file: this.file, line };
    if (!torn) return this.attempt(found, () => this.keys.trust.verifyNext(note));
    this.say(found, "ends in a torn checkpoint; a start would cut it");
    return undefined;
  }

  private judgeOwn({ line }: NoteAt, checkpoint: Checkpoint, actual: Buffer | undefined): void {
    const found = { file: this.file, line };
    const { size } = checkpoint;
    if (size <= this.before) {
      return this.say(found, `a checkpoint at ${size} after one at ${this.before}`);
    }
    this.before = size;
    // One of records that were dropped is compared with nothing, so it proves nothing.
    const compared = this.holds(found, checkpoint, actual) && size >= this.dropped_to;
    if (compared) this.covered_to = size;
  }

  private holds(
    found: Omit<Found, "note">,
    { size, root }: Checkpoint,
    actual: Buffer | undefined,
  ): boolean {
    // Of records that were dropped no root can be made any more.
    if (size < this.dropped_to) return true;
    if (actual === undefined) {
      this.say(found, `covers ${size} records, and the log has ${this.tree.size}: its end is cut`);
    } else if (!actual.equals(root)) {
      this.say(found, `is of another log: the first ${size} records have another root`);
    } else return true;
    return false;
  }

  private attempt<T>(found: Omit<Found, "note">, work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.say(found, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  private say({ file, line }: { file: string; line: number }, message: string): void {
    this.report({ file, line, message });
  }

  private *ownNotes(): Generator<NoteAt, void> {
    const { file } = this;
    const { public_keys = join(this.folder, KEYS_BESIDE) } = this.evidence;
    if (!existsSync(file)) {
      if (existsSync(public_keys)) this.say({ file, line: 0 }, "there are keys but no checkpoints");
      return;
    }
    let whole = 0;
    try {
      for (const found of notesIn(file)) {
        if (!found.torn) whole++;
        yield found;
      }
    } catch (error) {
      return this.say({ file, line: 0 }, error instanceof Error ? error.message : String(error));
    }
    if (whole === 0) this.say({ file, line: 0 }, "holds no checkpoint");
  }

  private anchoredNotes(file: string): Found[] {
    const text = this.textOf(file);
    if (text === undefined) return [];
    const notes = anchoredNotesIn(text);
    if (notes.length === 0) this.say({ file, line: 0 }, "holds no anchored checkpoint");
    return notes.map((note, i) => ({ file, line: i + 1, note }));
  }

  private textOf(file: string): string | undefined {
    return this.attempt({ file, line: 0 }, () => readFileSync(file, "utf8"));
  }

  private readKeys(): { trust: Trust; source: KeySource } {
    const { public_keys } = this.evidence;
    const file = public_keys ?? join(this.folder, KEYS_BESIDE);
    const source = public_keys === undefined ? "beside the log" : "given";
    const needed = this.origin !== undefined || this.anchored.length > 0;
    if (public_keys === undefined && !existsSync(file)) {
      if (needed) this.say({ file, line: 0 }, "there are checkpoints but no keys to verify them");
      return { trust: new Trust([]), source: "none" };
    }
    const read = (): VerifierKey[] => parseVerifierKeys(readFileSync(file, "utf8"));
    return { trust: new Trust(this.attempt({ file, line: 1 }, read) ?? []), source };
  }
}

/** Nothing where there is no whole note; why, is said where all are read. */
function originIn(file: string): string | undefined {
  try {
    const notes = notesIn(file);
    const { value: first } = notes.next();
    notes.return();
    return first === undefined || first.torn ? undefined : first.note.split("\n", 1)[0];
  } catch {
    return undefined;
  }
}

function sizeIn(note: string): number[] {
  try {
    return [parseCheckpoint(note).size];
  } catch {
    return [];
  }
}

/** Whose signatures count, note by note: a change of the key hands the trust on. */
class Trust {
  private readonly signers: Map<string, VerifierKey>;
  /** Those too whose time is over: they signed what lies at the anchors. */
  private readonly ever: Map<string, VerifierKey>;

  constructor(keys: readonly VerifierKey[]) {
    this.signers = new Map(keys.map((key) => [key.text, key]));
    this.ever = new Map(this.signers);
  }

  verifyNext(note: string): VerifiedCheckpoint {
    const checkpoint = verifyCheckpoint(note, [...this.signers.values()]);
    const { next_key } = checkpoint;
    if (next_key === undefined) return checkpoint;
    // From here on a former key, which may have been stolen, signs nothing.
    for (const { text } of checkpoint.signed_by) this.signers.delete(text);
    this.signers.set(next_key.text, next_key);
    this.ever.set(next_key.text, next_key);
    return checkpoint;
  }

  verifyAny(note: string): VerifiedCheckpoint {
    return verifyCheckpoint(note, [...this.ever.values()]);
  }
}
