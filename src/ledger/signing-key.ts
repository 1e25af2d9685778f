// The key that signs checkpoints: kept outside the ledger's folder, so that a copy of the log does
// not carry it; made at first use; changed without breaking what was signed before.
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { originOf } from "./checkpoint.ts";
import type { SigningKeys } from "./checkpoint.ts";
import { NoteInvalid, parseVerifierKey, verifierKeyOf } from "./note.ts";
import type { SigningKey, VerifierKey } from "./note.ts";
import { replaceFile, syncFolder } from "../store/replace-file.ts";

/** The copy of the public keys that lies beside the log. */
export const KEYS_BESIDE = "keys.pub";

export class SigningKeyLost extends Error {
  override readonly name = "SigningKeyLost";
}

interface Files {
  readonly current: string;
  /** Until a checkpoint has attested the change. */
  readonly former: string;
  /** A new key on its way to becoming the current one. */
  readonly next: string;
  /** Verifier keys, one a line, the current one last. */
  readonly published: string;
}

function filesIn(folder: string): Files {
  const file = (name: string): string => join(folder, `ledger-signing.${name}`);
  return {
    current: file("pem"),
    former: file("former.pem"),
    next: file("next.pem"),
    published: file("pub"),
  };
}

/**
 * The signing key of the log, from `folder`, the data folder's keys; made at first use. Finishes
 * a rotation that a crash interrupted. A key that was published and is gone is never replaced
 * silently: that would make a rewritten log look signed.
 */
export function openSigningKey(folder: string, log_id: string): SigningKeys {
  const files = filesIn(folder);
  if (!existsSync(files.current)) {
    const unfinished = existsSync(files.former) || !existsSync(files.published);
    if (!unfinished || (existsSync(files.former) && !existsSync(files.next))) {
      throw new SigningKeyLost(
        `${files.current} is gone: put it back, or make a new key with \`keys rotate\``,
      );
    }
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!existsSync(files.next)) makeKey(files.next);
    promote(files);
  }
  return readKeys(files, log_id);
}

/** Whether there was a key that is gone: a start refuses then. */
export function isKeyLost(folder: string): boolean {
  const { current, next, published } = filesIn(folder);
  return existsSync(published) && !existsSync(current) && !existsSync(next);
}

/**
 * Makes a new key. Until `forgetFormerKey` the former one is kept, and `signCheckpoint` signs
 * with both. A lost key is replaced too; then nothing can attest the change, and whoever verifies
 * must be handed the new verifier key.
 */
export function rotateSigningKey(folder: string, log_id: string): SigningKeys {
  const files = filesIn(folder);
  if (existsSync(files.former) && existsSync(files.current)) {
    throw new Error("the last change of the key is not attested by a checkpoint yet");
  }
  makeKey(files.next);
  if (existsSync(files.current)) {
    renameSync(files.current, files.former);
    syncFolder(folder);
  }
  promote(files);
  return readKeys(files, log_id);
}

/** After a checkpoint with both signatures is durable: the former key signs nothing any more. */
export function forgetFormerKey(folder: string): void {
  rmSync(filesIn(folder).former, { force: true });
  syncFolder(folder);
}

/**
 * Copies the verifier keys beside the log, for whoever verifies a copy offline. That copy is NOT
 * trustworthy by itself: who can rewrite the log can replace it and sign with a key of his own.
 * It shows damage, not an attacker; against one, verify with keys that were kept elsewhere.
 */
export function publishKeys(folder: string, ledger: string): void {
  const text = readFileSync(filesIn(folder).published, "utf8");
  const file = join(ledger, KEYS_BESIDE);
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) replaceFile(file, text, 0o644);
}

/** Every key that this log's checkpoints were ever signed with. */
export function publicKeysIn(folder: string): VerifierKey[] {
  const file = filesIn(folder).published;
  return existsSync(file) ? parseVerifierKeys(readFileSync(file, "utf8")) : [];
}

/** The keys in a text of one verifier key a line. Throws `NoteInvalid` on anything else. */
export function parseVerifierKeys(text: string): VerifierKey[] {
  const keys = text.replace(/\n$/, "").split("\n").map(parseVerifierKey);
  return [...new Map(keys.map((key) => [key.text, key])).values()];
}

function readKeys(files: Files, log_id: string): SigningKeys {
  const current = readKey(files.current, log_id);
  const known = existsSync(files.published) ? readFileSync(files.published, "utf8") : "";
  const keys = known === "" ? [] : parseVerifierKeys(known);
  if (keys.some(({ name }) => name !== current.verifier.name)) {
    throw new NoteInvalid(`${files.published} holds keys of another log`);
  }
  // The current key is the last line, also where a crash came between its file and this one.
  if (keys.at(-1)?.text !== current.verifier.text) {
    replaceFile(files.published, `${known}${current.verifier.text}\n`, 0o644);
  }
  if (!existsSync(files.former)) return { current };
  return { current, former: readKey(files.former, log_id) };
}

function readKey(file: string, log_id: string): SigningKey {
  const private_key = keyIn(file);
  return { private_key, verifier: verifierKeyOf(originOf(log_id), createPublicKey(private_key)) };
}

function keyIn(file: string): KeyObject {
  try {
    return createPrivateKey(readFileSync(file));
  } catch (cause) {
    const mend = "put it back, or take it away and make a new key with `keys rotate`";
    throw new SigningKeyLost(`${file} holds no key: ${mend}`, { cause });
  }
}

function makeKey(file: string): void {
  const { privateKey } = generateKeyPairSync("ed25519");
  replaceFile(file, privateKey.export({ type: "pkcs8", format: "pem" }), 0o600);
}

function promote(files: Files): void {
  renameSync(files.next, files.current);
  syncFolder(dirname(files.current));
}
