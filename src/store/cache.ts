// A cache that forgets: values by reference, in memory only, each with its own end.
import { Keyv } from "keyv";

export interface Cache<T> {
  get(key: string): Promise<T | undefined>;
  set(key: string, value: T, ttl_ms: number): Promise<void>;
  delete(key: string): Promise<void>;
  clear(): Promise<void>;
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
  const keyv = new Keyv<T>({ serialization: false, store: new BoundedMap(entries_max) });
  return {
    get: (key) => keyv.get<T>(key),
    async set(key, value, ttl_ms) {
      if (ttl_ms <= 0) return;
      await keyv.set(key, value, ttl_ms);
    },
    async delete(key) {
      await keyv.delete(key);
    },
    clear: () => keyv.clear(),
  };
}
