// Checkpoints: the log's size and Merkle root, signed. Whoever keeps one can tell later whether
// the log in front of him still begins with what it stood for.
import {
  canonicalBase64,
  NoteInvalid,
  parseNote,
  parseVerifierKey,
  signNote,
  verifyNote,
} from "./note.ts";
import type { Note, SigningKey, VerifierKey } from "./note.ts";

export interface TreeHead {
  readonly log_id: string;
  /** Records that the root covers; the last one's `seq`. */
  readonly size: number;
  readonly root: Buffer;
}

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
  /** Set where the signing key changes here: from now on this one signs. */
  readonly next_key?: VerifierKey;
}

/** The current key, and the former one until a checkpoint has attested the change. */
export interface SigningKeys {
  readonly current: SigningKey;
  readonly former?: SigningKey;
}

export interface VerifiedCheckpoint extends Checkpoint {
  readonly signed_by: readonly VerifierKey[];
}

const ROOT_BYTES = 32;
const SIZE = /^(?:0|[1-9]\d{0,15})$/;
const NEXT_KEY = "next-key ";

/** The first line of a log's checkpoints, and the name that its keys sign under. */
export function originOf(log_id: string): string {
  return `doorless/ledger/${log_id}`;
}

/**
 * A checkpoint as a signed note. While there is a former key, both sign, and an extension line
 * names the new key: a second signature alone would attest nothing, since none covers another.
 * @see [C2SP tlog-checkpoint](https://c2sp.org/tlog-checkpoint)
 */
export function signCheckpoint({ current, former }: SigningKeys, head: TreeHead): string {
  const lines = [originOf(head.log_id), String(head.size), head.root.toString("base64")];
  if (former !== undefined) lines.push(`${NEXT_KEY}${current.verifier.text}`);
  const keys = former === undefined ? [current] : [current, former];
  return signNote(`${lines.join("\n")}\n`, keys);
}

/** Reads a checkpoint; says nothing of its signatures. Throws `NoteInvalid`. */
export function parseCheckpoint(text: string): Checkpoint {
  return checkpointIn(parseNote(text));
}

function checkpointIn(note: Note): Checkpoint {
  const [origin = "", digits = "", base64 = "", ...extension] = note.text.slice(0, -1).split("\n");
  const root = canonicalBase64(base64);
  const size = SIZE.test(digits) ? Number(digits) : Number.NaN;
  if (origin === "" || root?.length !== ROOT_BYTES || !Number.isSafeInteger(size)) {
    throw new NoteInvalid("not a checkpoint");
  }
  if (extension.includes("")) throw new NoteInvalid("a checkpoint with an empty line");
  const named = extension.find((line) => line.startsWith(NEXT_KEY));
  if (named === undefined) return { origin, size, root };
  return { origin, size, root, next_key: parseVerifierKey(named.slice(NEXT_KEY.length)) };
}

/**
 * Reads a checkpoint that one of the keys signed under its origin. A change of the key must be
 * signed by the key that it names, and by one that was trusted before. Throws `NoteInvalid`.
 */
export function verifyCheckpoint(
  text: string,
  publicKeys: readonly VerifierKey[],
): VerifiedCheckpoint {
  const note = parseNote(text);
  const checkpoint = checkpointIn(note);
  const { origin, next_key } = checkpoint;
  const signed_by = verifyNote(
    note,
    publicKeys.filter(({ name }) => name === origin),
  );
  if (next_key !== undefined) {
    if (next_key.name !== origin) throw new NoteInvalid("names a key of another log");
    verifyNote(note, [next_key]);
    if (!signed_by.some((key) => key.text !== next_key.text)) {
      throw new NoteInvalid("changes the key without the signature of a former one");
    }
  }
  return { ...checkpoint, signed_by };
}
