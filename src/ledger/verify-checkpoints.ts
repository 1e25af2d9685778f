// What checkpoints and anchors prove of a log: signatures, growth, roots, and that no tail is cut.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { anchoredNotesIn } from "./anchor.ts";
import { CHECKPOINTS, framedNotesIn } from "./checkpoint-log.ts";
import { originOf, parseCheckpoint, verifyCheckpoint } from "./checkpoint.ts";
import { LOG_ID } from "./checkpointer.ts";
import type { VerifiedCheckpoint } from "./checkpoint.ts";
import type { MerkleTree } from "./merkle.ts";
import type { VerifierKey } from "./note.ts";
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
 * Reads checkpoints, keys and anchored notes; is then given every line of the log in order, and
 * judges at the end. A log without checkpoints is no problem unless some were to be expected.
 */
export class CheckpointVerifier {
  private readonly folder: string;
  private readonly evidence: Evidence;
  private readonly report: Report;
  private readonly own: readonly Found[];
  private readonly anchored: readonly Found[];
  private readonly tree: MerkleTree;
  private readonly dropped_to: number;
  /** Sizes whose roots the notes speak of, and what they are in this log. */
  private readonly wanted: ReadonlySet<number>;
  private readonly roots = new Map<number, Buffer>();

  constructor(folder: string, evidence: Evidence, report: Report, stone: Tombstone | undefined) {
    this.folder = folder;
    this.evidence = evidence;
    this.report = report;
    this.own = this.ownNotes();
    this.anchored = (evidence.anchors ?? []).flatMap((file) => this.anchoredNotes(file));
    this.wanted = new Set([...this.own, ...this.anchored].flatMap(({ note }) => sizeIn(note)));
    this.tree = treeAfter(stone);
    this.dropped_to = stone?.dropped_to ?? 0;
    this.remember();
  }

  leaf(raw: Buffer): void {
    this.tree.append(raw);
    this.remember();
  }

  private remember(): void {
    const { tree, roots, wanted } = this;
    if (wanted.has(tree.size)) roots.set(tree.size, tree.root());
  }

  /** After the last leaf. */
  judge(): CheckpointVerdict {
    this.judgeName();
    const { keys, source } = this.keys();
    const trust = new Trust(keys);
    const covered_to = this.judgeOwn(trust);
    const anchored_to = this.judgeAnchored(trust, covered_to);
    this.judgeKeysBeside();
    return { covered_to, anchored_to, keys: source };
  }

  // Of whom the log says that it is; a copy may lack it.
  private judgeName(): void {
    const file = join(this.folder, LOG_ID);
    const [first] = this.own;
    const id = existsSync(file) ? this.textOf(file)?.replace(/\n$/, "") : undefined;
    if (id === undefined || first === undefined) return;
    const origin = first.note.split("\n", 1)[0];
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
      if (checkpoint === undefined || !this.holds(found, checkpoint)) continue;
      const { size } = checkpoint;
      // Each is durable beside the log before an anchor is given it.
      if (size > covered_to) this.say(found, `is at ${size}; the log's own end at ${covered_to}`);
      anchored_to = Math.max(anchored_to, size);
    }
    return anchored_to;
  }

  private judgeOwn(trust: Trust): number {
    let covered_to = 0;
    let before = -1;
    for (const found of this.own) {
      const checkpoint = this.attempt(found, () => trust.verifyNext(found.note));
      if (checkpoint === undefined) continue;
      const { size } = checkpoint;
      if (size <= before) this.say(found, `a checkpoint at ${size} after one at ${before}`);
      before = Math.max(before, size);
      // One of records that were dropped is compared with nothing, so it proves nothing.
      const compared = this.holds(found, checkpoint) && size >= this.dropped_to;
      if (compared) covered_to = Math.max(covered_to, size);
    }
    return covered_to;
  }

  private holds(found: Found, { size, root }: VerifiedCheckpoint): boolean {
    // Of records that were dropped no root can be made any more.
    if (size < this.dropped_to) return true;
    const actual = this.roots.get(size);
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

  private ownNotes(): Found[] {
    const file = join(this.folder, CHECKPOINTS);
    const { public_keys = join(this.folder, KEYS_BESIDE) } = this.evidence;
    if (!existsSync(file)) {
      if (existsSync(public_keys)) this.say({ file, line: 0 }, "there are keys but no checkpoints");
      return [];
    }
    const text = this.textOf(file);
    if (text === undefined) return [];
    const { notes, rest } = framedNotesIn(text);
    if (notes.length === 0) this.say({ file, line: 0 }, "holds no checkpoint");
    if (rest !== "") {
      const line = (notes.at(-1)?.line ?? 0) + 1;
      this.say({ file, line }, "ends in a torn checkpoint; a start would cut it");
    }
    return notes.map(({ note, line }) => ({ file, line, note }));
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

  private keys(): { keys: VerifierKey[]; source: KeySource } {
    const { public_keys } = this.evidence;
    const file = public_keys ?? join(this.folder, KEYS_BESIDE);
    const source = public_keys === undefined ? "beside the log" : "given";
    const needed = this.own.length + this.anchored.length > 0;
    if (public_keys === undefined && !existsSync(file)) {
      if (needed) this.say({ file, line: 0 }, "there are checkpoints but no keys to verify them");
      return { keys: [], source: "none" };
    }
    const read = (): VerifierKey[] => parseVerifierKeys(readFileSync(file, "utf8"));
    return { keys: this.attempt({ file, line: 1 }, read) ?? [], source };
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
