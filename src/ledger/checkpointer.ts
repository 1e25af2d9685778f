// Checkpoints of a living log: the Merkle tree follows what is durable, and about once a second
// its root is signed, kept beside the log, and handed to the anchors.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Anchoring } from "./anchor.ts";
import { signCheckpoint, verifyCheckpoint } from "./checkpoint.ts";
import type { SigningKeys } from "./checkpoint.ts";
import { CHECKPOINTS, openCheckpointLog } from "./checkpoint-log.ts";
import type { CheckpointLog, NoteFile } from "./checkpoint-log.ts";
import { lastSigned, rememberSigned } from "./last-signed.ts";
import type { Head } from "./last-signed.ts";
import type { MerkleTree, Subtree } from "./merkle.ts";
import { LedgerUnavailable } from "./room.ts";
import { damaged, LedgerDamaged } from "./segments.ts";
import { readTombstone, treeAfter } from "./tombstone.ts";
import { forgetFormerKey, openSigningKey, publicKeysIn } from "./signing-key.ts";
import { publishKeys, rotateSigningKey } from "./signing-key.ts";

const EVERY_MS = 1000;
export const LOG_ID = "log_id";

export interface CheckpointerOptions {
  readonly ledger_folder: string;
  readonly keys_folder: string;
  readonly anchoring: Anchoring;
  readonly openNotes?: (folder: string) => Promise<NoteFile>;
  /** An operator's order, which he records: what was signed need not be there. */
  readonly accept_loss?: boolean;
  /** A checkpoint could not be kept: like a failed write of the log itself. */
  readonly onFailed: (error: unknown) => void;
}

/** Names this log for ever: made with it, and part of every checkpoint's origin. */
function openLogId(folder: string): string {
  const file = join(folder, LOG_ID);
  if (!existsSync(file)) {
    const id = randomBytes(8).toString("hex");
    writeFileSync(file, `${id}\n`, { mode: 0o600, flag: "wx", flush: true });
  }
  return readFileSync(file, "utf8").trim();
}

/** Opens what is kept of the log's checkpoints, before the log itself is read. */
export async function openCheckpointer(options: CheckpointerOptions): Promise<Checkpointer> {
  const log_id = openLogId(options.ledger_folder);
  const keys = openSigningKey(options.keys_folder, log_id);
  publishKeys(options.keys_folder, options.ledger_folder);
  const log = await openCheckpointLog(options.ledger_folder, options.openNotes);
  try {
    const signed = options.accept_loss === true ? undefined : lastSigned(options.keys_folder);
    mustBeThere(options, log.last, signed);
    return new Checkpointer(options, log_id, { keys, log, signed });
  } catch (error) {
    await log.close();
    throw error;
  }
}

// A log whose checkpoints are gone, or are nobody's, could be any log: it must not be signed again.
function mustBeThere(
  { ledger_folder, keys_folder }: CheckpointerOptions,
  last: CheckpointLog["last"],
  signed: Head | undefined,
): void {
  const file = join(ledger_folder, CHECKPOINTS);
  const there = last?.checkpoint.size ?? 0;
  if (signed !== undefined && there < signed.size) {
    throw damaged(`${file} ends at ${there}, and a checkpoint at ${signed.size} was signed`);
  }
  if (last === undefined) return;
  try {
    verifyCheckpoint(last.note, publicKeysIn(keys_folder));
  } catch {
    throw damaged(`${file} ends in a checkpoint that no key of this log has signed`);
  }
}

interface Kept {
  readonly keys: SigningKeys;
  readonly log: CheckpointLog;
  /** What is remembered outside the ledger's folder. */
  readonly signed: Head | undefined;
}

export class Checkpointer {
  readonly log_id: string;
  /** Records that the newest kept checkpoint covers. */
  readonly known_size: number;
  private readonly options: CheckpointerOptions;
  private keys: SigningKeys;
  private readonly log: CheckpointLog;
  private readonly tree: MerkleTree;
  /** What was signed, and has not been found in the log yet. */
  private readonly unproven: Set<Head>;
  private signed_size: number;
  private signing: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private displaced: LedgerUnavailable | undefined;

  constructor(options: CheckpointerOptions, log_id: string, { keys, log, signed }: Kept) {
    this.options = options;
    this.log_id = log_id;
    this.keys = keys;
    this.log = log;
    this.known_size = log.last?.checkpoint.size ?? 0;
    this.signed_size = this.known_size;
    this.tree = treeAfter(readTombstone(options.ledger_folder));
    const heads: Head[] = log.last === undefined ? [] : [log.last.checkpoint];
    // Of records that were dropped no root can be made any more.
    if (signed !== undefined && signed.size >= this.tree.size) heads.push(signed);
    this.unproven = new Set(heads);
    this.compare();
    if (log.last !== undefined) options.anchoring.push(log.last.note);
  }

  /** So many records have a root that is signed and still to be compared; 0 where there is none. */
  get proof_size(): number {
    const sizes = [...this.unproven].map(({ size }) => size);
    return sizes.length === 0 ? 0 : Math.min(...sizes);
  }

  /** Lines that were on disk at the start, as the pieces of a tree over them. */
  readonly replayAll = (subtrees: readonly Subtree[]): void => {
    this.tree.join(subtrees);
    this.compare();
  };

  /** A line that was on disk at the start. */
  replay(leaf: Buffer): void {
    this.tree.append(leaf);
    this.compare();
  }

  private compare(): void {
    for (const head of this.unproven) {
      if (head.size !== this.tree.size) continue;
      if (head.root.equals(this.tree.root())) this.unproven.delete(head);
    }
  }

  /** After the last replay: throws where the log is not the one that was signed. */
  mustBeKnown(): void {
    if (this.unproven.size === 0) return this.remember();
    throw new LedgerDamaged(
      `the first ${this.known_size} records are not those that their checkpoint was signed for. ` +
        "Restore the log from a copy; `audit verify` says what differs",
    );
  }

  private remember(): void {
    const { last } = this.log;
    if (last !== undefined) rememberSigned(this.options.keys_folder, last.checkpoint);
  }

  /** Lines that became durable, in their order. */
  follow(leaves: readonly Buffer[]): void {
    for (const leaf of leaves) this.tree.append(leaf);
    this.timer ??= setTimeout(() => this.sign(), EVERY_MS).unref();
  }

  /** Records that the newest kept checkpoint covers by now. */
  get kept_size(): number {
    return this.log.last?.checkpoint.size ?? 0;
  }

  /** Replaces the signing key; returns the new verifier key. Throws where one is under way. */
  rotate(): string {
    this.keys = rotateSigningKey(this.options.keys_folder, this.log_id);
    publishKeys(this.options.keys_folder, this.options.ledger_folder);
    return this.keys.current.verifier.text;
  }

  /** Signs what is durable now; one after the other. */
  private sign(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { size } = this.tree;
    if (size <= this.signed_size) return;
    this.signed_size = size;
    const { keys } = this;
    const note = signCheckpoint(keys, { log_id: this.log_id, size, root: this.tree.root() });
    if (keys.former !== undefined) this.keys = { current: keys.current };
    this.signing = this.signing.then(() => this.keep(note, keys));
  }

  private async keep(note: string, keys: SigningKeys): Promise<void> {
    try {
      await this.log.append(note);
      this.displaced = undefined;
      this.remember();
      if (keys.former !== undefined) forgetFormerKey(this.options.keys_folder);
      this.options.anchoring.push(note);
    } catch (error) {
      if (!(error instanceof LedgerUnavailable)) return this.options.onFailed(error);
      if (error.reason === "segment_missing") this.displaced = error;
      // There is no room for it now: what it covers is signed again, and so is a change of the key.
      this.signed_size = this.kept_size;
      this.keys = keys;
      this.timer ??= setTimeout(() => this.sign(), EVERY_MS).unref();
    }
  }

  /** Why no call may begin: the checkpoints are not in their place. They are looked for again. */
  closed(): LedgerUnavailable | undefined {
    return this.displaced;
  }

  /** Signs what is durable now. Whether that is kept: there may be no room for it. */
  async signNow(): Promise<boolean> {
    const { size } = this.tree;
    this.sign();
    await this.signing;
    return this.kept_size >= size;
  }

  /** Signs what is durable, once more. */
  async close(): Promise<void> {
    this.sign();
    await this.abandon();
  }

  /** Ends without a word about the log: it did not open, and must not look signed. */
  async abandon(): Promise<void> {
    clearTimeout(this.timer);
    await this.signing;
    // One that could not be kept would be signed again.
    clearTimeout(this.timer);
    await this.options.anchoring.close();
    await this.log.close();
  }
}
