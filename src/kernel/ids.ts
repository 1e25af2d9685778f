// Ids: what names a call, a session and a hash everywhere (DESIGN section 2).
import { createHash, hash, randomFillSync } from "node:crypto";

const POOL_BYTES = 4096;
const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

/** Random bytes for ids, `size` up to 64: the kernel is asked once for many. Not for keys. */
export function idBytes(size: number): Buffer {
  if (used + size > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  used += size;
  return Buffer.from(pool.subarray(used - size, used));
}

/**
 * A UUID version 7: sortable by time, 74 random bits.
 * @see [RFC 9562 section 5.7](https://www.rfc-editor.org/rfc/rfc9562.html#section-5.7)
 */
export function uuidv7(now_ms: number, random: (size: number) => Buffer = idBytes): string {
  const bytes = random(16);
  bytes.writeUIntBE(now_ms, 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}

const NOBODY = 0xffff_ffff;

/** Length-prefixed parts, so that ("ab","c"), ("a","bc") and (null,"abc") all differ. */
export function framed(...parts: readonly (string | null)[]): Buffer {
  let size = 0;
  for (const part of parts) size += 4 + (part === null ? 0 : Buffer.byteLength(part));
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const part of parts) {
    const length = part === null ? 0 : bytes.write(part, at + 4);
    bytes.writeUInt32BE(part === null ? NOBODY : length, at);
    at += 4 + length;
  }
  return bytes;
}

/** SHA-256 over length-prefixed parts, in base64url. */
export function digestOf(...parts: string[]): string {
  return hash("sha256", framed(...parts), "base64url");
}

/**
 * For texts that live long and stand in every record: of one that a template put together, Node
 * keeps the pieces, and writes JSON with it in it at half the speed.
 */
export function inOnePiece(...parts: readonly string[]): string {
  return parts.join("");
}

/** `sha256:` and hex, over JSON with sorted keys: equal values have equal fingerprints. */
export function fingerprint(value: unknown): string {
  return inOnePiece("sha256:", createHash("sha256").update(canonicalJson(value)).digest("hex"));
}

/** JSON text with object keys in code-unit order. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (inner === null || typeof inner !== "object" || Array.isArray(inner)) return inner;
    return Object.fromEntries(
      Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
    );
  });
}
