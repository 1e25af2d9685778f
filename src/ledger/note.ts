// Signed notes: text under Ed25519 signatures, in the form that transparency logs and their
// witnesses exchange. What the text says is checkpoint.ts's business.
import { createPublicKey, hash, sign, verify } from "node:crypto";
import type { KeyObject } from "node:crypto";

/** A public key and the name it signs under, known by both. */
export interface VerifierKey {
  readonly name: string;
  /** Eight hex digits: names the key in signature lines; it is no strong hash. */
  readonly id: string;
  readonly public_key: KeyObject;
  /** Its written form, `name+id+base64`. */
  readonly text: string;
}

export interface SigningKey {
  readonly private_key: KeyObject;
  readonly verifier: VerifierKey;
}

interface NoteSignature {
  readonly name: string;
  readonly id: string;
  readonly signature: Buffer;
}

export interface Note {
  /** What is signed, with its last newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

export class NoteInvalid extends Error {
  override readonly name = "NoteInvalid";
}

const ED25519 = 0x01;
const KEY_BYTES = 32;
const ID_BYTES = 4;
const SIGNATURES_MAX = 16;
const NOTE_CHARS_MAX = 65_536;
// No control character but the newline. (U+2014 begins each signature line.)
const TEXT = /^[^\p{Cc}]+(?:\n[^\p{Cc}]*)*\n$/u;
const NAME = /^[^\s+]+$/u;

/**
 * The verifier key of `public_key` under `name`; its id is the first four bytes of
 * SHA-256(name || 0x0A || 0x01 || public key).
 * @see [C2SP signed-note, Ed25519 signatures](https://c2sp.org/signed-note)
 */
export function verifierKeyOf(name: string, public_key: KeyObject): VerifierKey {
  const raw = Buffer.from(public_key.export({ format: "jwk" }).x ?? "", "base64url");
  if (public_key.asymmetricKeyType !== "ed25519" || raw.length !== KEY_BYTES) {
    throw new NoteInvalid("not an Ed25519 key");
  }
  if (!NAME.test(name)) throw new NoteInvalid(`${JSON.stringify(name)} is no key name`);
  const typed = Buffer.concat([Buffer.from([ED25519]), raw]);
  const digest = hash("sha256", Buffer.concat([Buffer.from(`${name}\n`), typed]), "buffer");
  const id = digest.toString("hex", 0, ID_BYTES);
  return { name, id, public_key, text: `${name}+${id}+${typed.toString("base64")}` };
}

/**
 * Reads `name+id+base64`, the form in which verifier keys are handed on.
 * @see [golang.org/x/mod/sumdb/note](https://pkg.go.dev/golang.org/x/mod/sumdb/note)
 */
export function parseVerifierKey(text: string): VerifierKey {
  const [, name = "", id, base64 = ""] = /^([^+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text) ?? [];
  const typed = canonicalBase64(base64);
  if (typed?.length !== KEY_BYTES + 1 || typed[0] !== ED25519) {
    throw new NoteInvalid(`${JSON.stringify(text)} is no Ed25519 verifier key`);
  }
  const x = typed.subarray(1).toString("base64url");
  const public_key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
  const key = verifierKeyOf(name, public_key);
  if (key.id !== id) throw new NoteInvalid(`${JSON.stringify(text)} does not match its own id`);
  return key;
}

/** Signs `text`, which ends in a newline, with each of the keys. */
export function signNote(text: string, keys: readonly SigningKey[]): string {
  if (!TEXT.test(text)) throw new NoteInvalid("a note's text is lines without control characters");
  const lines = keys.map(({ private_key, verifier: { name, id } }) => {
    const signature = sign(null, Buffer.from(text), private_key);
    const typed = Buffer.concat([Buffer.from(id, "hex"), signature]);
    return `\u2014 ${name} ${typed.toString("base64")}\n`;
  });
  return `${text}\n${lines.join("")}`;
}

/** Takes a note apart; says nothing of its signatures. */
export function parseNote(note: string): Note {
  const end = note.lastIndexOf("\n\n");
  const text = note.slice(0, end + 1);
  if (end === -1 || note.length > NOTE_CHARS_MAX || !TEXT.test(text) || !note.endsWith("\n")) {
    throw new NoteInvalid("not a signed note");
  }
  const lines = note.slice(end + 2, -1).split("\n");
  if (lines.length > SIGNATURES_MAX) throw new NoteInvalid(`has ${lines.length} signatures`);
  return { text, signatures: lines.map(signatureIn) };
}

function signatureIn(line: string): NoteSignature {
  const [, name = "", base64 = ""] = /^\u2014 (\S+) (\S+)$/u.exec(line) ?? [];
  const typed = canonicalBase64(base64);
  if (!NAME.test(name) || typed === undefined || typed.length <= ID_BYTES) {
    throw new NoteInvalid(`${JSON.stringify(line)} is no signature line`);
  }
  return { name, id: typed.toString("hex", 0, ID_BYTES), signature: typed.subarray(ID_BYTES) };
}

/**
 * The keys, of those given, that signed the note. Throws where there is none, and where one of
 * them is named but its signature is wrong; signatures of other keys are ignored.
 */
export function verifyNote(note: Note, keys: readonly VerifierKey[]): VerifierKey[] {
  const signed_by: VerifierKey[] = [];
  for (const { name, id, signature } of note.signatures) {
    const key = keys.find((known) => known.name === name && known.id === id);
    if (key === undefined) continue;
    if (!verify(null, Buffer.from(note.text), key.public_key, signature)) {
      throw new NoteInvalid(`the signature of ${name} (${id}) is wrong`);
    }
    signed_by.push(key);
  }
  if (signed_by.length === 0) throw new NoteInvalid("is not signed by a key that we trust");
  return signed_by;
}

/** Undefined where `text` is not the one way to write these bytes: no bit may be free. */
export function canonicalBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}
