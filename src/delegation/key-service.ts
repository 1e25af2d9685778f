// The port to whatever keeps the keys that wrap the vault's data keys: a key service, or a file.

/** A data key that only the key service can open again. */
export interface WrappedKey {
  /** Which of its keys wrapped it. */
  readonly kid: string;
  readonly bytes: Buffer;
}

/**
 * `context` is associated data (AWS calls it encryption context, GCP additional authenticated
 * data): what was wrapped with one context opens with no other.
 */
export interface KeyService {
  wrap(key: Buffer, context: Buffer): Promise<WrappedKey>;
  /** Throws `KeyRefused` where the key, the context or the bytes are not those of `wrap`. */
  unwrap(wrapped: WrappedKey, context: Buffer): Promise<Buffer>;
  /** The key that wraps from now on; what others wrapped still opens. */
  current(): Promise<string>;
  /** Makes a new one current. Resolves with its id. */
  rotate(): Promise<string>;
  /** Forgets every key but the current one. Call it when nothing needs them any more. */
  forgetOthers(): Promise<void>;
}

export class KeyRefused extends Error {
  override readonly name = "KeyRefused";
}
