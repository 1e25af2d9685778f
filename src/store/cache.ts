// A cache that forgets: values by reference, in memory only, each with its own end. For what may
// be lost (a token is asked for again, a link made again), and never for a lock or a vault.
import { Keyv } from "keyv";

export interface Cache<T> {
  get(key: string): Promise<T | undefined>;
  set(key: string, value: T, ttl_ms: number): Promise<void>;
  /** True for the one that took it away. */
  delete(key: string): Promise<boolean>;
  clear(): Promise<void>;
}

/** A store could not be asked. Never a miss: a miss would say "there is none". */
export class CacheUnavailable extends Error {
  override readonly name = "CacheUnavailable";
}

/** A Map that drops its oldest entry rather than grow past `entries_max`. */
class BoundedMap<V> extends Map<string, V> {
  private readonly entries_max: number;
  constructor(entries_max: number) {
    super();
    this.entries_max = entries_max;
  }
  override set(key: string, value: V): this {
    this.delete(key);
    super.set(key, value);
    const oldest = this.keys().next();
    if (this.size > this.entries_max && oldest.done === false) this.delete(oldest.value);
    return this;
  }
}

/** A miss is always safe for what uses this; nothing that must not be lost is kept here. */
export function createCache<T>(entries_max: number): Cache<T> {
  return strict(new Keyv<T>({ serialization: false, store: new BoundedMap(entries_max) }));
}

/**
 * Keyv with a listener answers a failed `get` with `undefined` and a failed `set` with `false`, and
 * without one a networked store's error ends the process. Here it is listened to, and thrown.
 */
export function strict<T>(keyv: Keyv<T>): Cache<T> {
  let failures = 0;
  let last: unknown;
  keyv.on("error", (error: unknown) => {
    failures++;
    last = error;
  });
  // Any failure during an operation is taken for its own: one refusal too many is the safe side.
  const watched = async <R>(operation: () => Promise<R>): Promise<R> => {
    const before = failures;
    const result = await operation();
    if (failures !== before) throw new CacheUnavailable("the cache failed", { cause: last });
    return result;
  };
  return {
    get: (key) => watched(() => keyv.get<T>(key)),
    async set(key, value, ttl_ms) {
      if (ttl_ms <= 0) return;
      const kept = await watched(() => keyv.set(key, value, ttl_ms));
      if (!kept) throw new CacheUnavailable("the cache did not keep a value");
    },
    delete: (key) => watched(() => keyv.delete(key)),
    clear: () => watched(() => keyv.clear()),
  };
}
