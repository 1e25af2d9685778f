// The port of the keyring: one key per person, under which the ledger seals, and whose end is the
// erasure of everything sealed under it (DESIGN section 5, inputs and results).
import type { KeyObject } from "node:crypto";

/** One human, as the ledger names him everywhere. */
export interface Who {
  readonly tenant: string | null;
  readonly issuer: string;
  readonly subject: string;
}

export interface SubjectKey {
  /** `key_` and 16 letters of base64url; stands in every value sealed under this key. */
  readonly key_id: string;
  /** 32 bytes for AES-256-GCM. A KeyObject, so that nothing prints them. */
  readonly key: KeyObject;
}

/** What remains of a key, for people who ask what was erased and when. */
export interface KeyHistory {
  readonly key_id: string;
  readonly created_at: string;
  /** Absent while the key lives. */
  readonly erased_at?: string;
}

export interface Hold {
  readonly reason: string;
  readonly since: string;
}

export type Erased = "erased" | "unknown" | "held";

/** One owner at a time: it remembers keys, and would not see another process erase one. */
export interface Keyring {
  /** This person's living key; made at first use, and durable before it is returned. */
  keyFor(who: Who): SubjectKey;
  /** `undefined` where the key was erased, or never existed: `erasedAt` tells which. */
  find(key_id: string): SubjectKey | undefined;
  erasedAt(key_id: string): string | undefined;
  /** Every key this person ever had, oldest first. */
  history(who: Who): readonly KeyHistory[];
  /**
   * Destroys the living key, durably, and leaves its tombstone; what is sealed later gets a new
   * one. `unknown` where no key lives; `held` where a legal hold forbids it.
   */
  erase(who: Who): Erased;
  /** A legal hold, also before there is a key. A second one changes nothing of the first. */
  hold(who: Who, reason: string): "held" | "already_held";
  release(who: Who): "released" | "unknown";
  holdOn(who: Who): Hold | undefined;
  holds(): readonly (Who & Hold)[];
  close(): void;
}

/** A key that does not open, or that cannot belong here: somebody or something changed the file. */
export class KeyringDamaged extends Error {
  override readonly name = "KeyringDamaged";
}
