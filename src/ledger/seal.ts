// The sealed value: text that only its subject's key opens, and only in the field that it was
// sealed in (DESIGN section 5, inputs and results).
import { createCipheriv, createDecipheriv } from "node:crypto";
import { framed, idBytes } from "../kernel/ids.ts";
import type { Keyring, SubjectKey } from "./keyring.ts";

export interface Sealed {
  /** `<key id>.<base64url(iv | ciphertext | tag)>` over the value as JSON. */
  readonly sealed: string;
  readonly digest: string;
  /** UTF-16 code units of the text; of a value that is no text, of its JSON. */
  readonly chars: number;
}

/** What stands for a value that is over its cap: its size and digest, and nothing of its text. */
export interface Truncated {
  readonly truncated: true;
  readonly bytes: number;
  readonly digest: string;
}

/** The key was destroyed on purpose: what it sealed is gone, and stays gone. */
export class KeyErased extends Error {
  override readonly name = "KeyErased";
  readonly key_id: string;
  readonly erased_at: string;
  constructor(key_id: string, erased_at: string) {
    super(`${key_id} was erased at ${erased_at}`);
    this.key_id = key_id;
    this.erased_at = erased_at;
  }
}

/** No such key here, neither living nor erased: another deployment's ledger, or a lost keyring. */
export class KeyUnknown extends Error {
  override readonly name = "KeyUnknown";
  readonly key_id: string;
  constructor(key_id: string) {
    super(`${key_id} is not in the keyring`);
    this.key_id = key_id;
  }
}

/** The key is there and does not open this: the value was changed, or moved to another field. */
export class SealBroken extends Error {
  override readonly name = "SealBroken";
}

const IV_BYTES = 12;
const TAG_BYTES = 16;
const SEALED = /^(key_[\w-]{16})\.([\w-]{38,})$/;
const DIGEST = /^hmac-sha256:[\w-]{43}$/;

const contextOf = (path: string, key_id: string): Buffer => framed("ledger-field-v1", path, key_id);

/** Seals JSON text of the field at `path`, a pointer into the record such as `/args/note`. */
export function sealJson({ key_id, key }: SubjectKey, path: string, json: string): string {
  const iv = idBytes(IV_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key, iv).setAAD(contextOf(path, key_id));
  const text = cipher.update(json, "utf8");
  // In counter mode `final` has nothing left to give.
  cipher.final();
  const bytes = Buffer.concat([iv, text, cipher.getAuthTag()]);
  return `${key_id}.${bytes.toString("base64url")}`;
}

/** The value, or `KeyErased`, `KeyUnknown` or `SealBroken`. */
export function openSealed(keyring: Keyring, sealed: string, path: string): unknown {
  const [, key_id, text] = SEALED.exec(sealed) ?? [];
  if (key_id === undefined || text === undefined) throw new SealBroken("not a sealed value");
  const found = keyring.find(key_id);
  if (found === undefined) {
    const erased_at = keyring.erasedAt(key_id);
    throw erased_at === undefined ? new KeyUnknown(key_id) : new KeyErased(key_id, erased_at);
  }
  const bytes = Buffer.from(text, "base64url");
  const iv = bytes.subarray(0, IV_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", found.key, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(contextOf(path, key_id)).setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const json = decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES));
    return JSON.parse(Buffer.concat([json, decipher.final()]).toString("utf8")) as unknown;
  } catch {
    throw new SealBroken(`the sealed value of ${path} does not open under ${key_id}`);
  }
}

/** Exactly what sealing makes, and nothing that looks a little like it. */
export function isSealed(value: unknown): value is Sealed {
  if (!isObject(value) || typeof value["sealed"] !== "string") return false;
  return (
    Object.keys(value).length === 3 &&
    Number.isSafeInteger(value["chars"]) &&
    isDigest(value["digest"]) &&
    SEALED.test(value["sealed"])
  );
}

export function isTruncated(value: unknown): value is Truncated {
  if (!isObject(value) || value["truncated"] !== true) return false;
  return (
    Object.keys(value).length === 3 &&
    Number.isSafeInteger(value["bytes"]) &&
    isDigest(value["digest"])
  );
}

/** JSON in which equal sealed values are equal: digest and length, without the ciphertext. */
export function comparable(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    isSealed(inner) ? { digest: inner.digest, chars: inner.chars } : inner,
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function isDigest(value: unknown): boolean {
  return typeof value === "string" && DIGEST.test(value);
}
