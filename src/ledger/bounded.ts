// A map that stays small: what the ledger's rooms derive again when it was forgotten.

/** Drops what was used longest ago rather than grow past `entries_max`. */
export class Bounded<V> {
  private readonly entries = new Map<string, V>();
  private readonly entries_max: number;

  constructor(entries_max: number) {
    this.entries_max = entries_max;
  }

  get(key: string): V | undefined {
    const value = this.entries.get(key);
    if (value === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, value);
    return value;
  }

  set(key: string, value: V): void {
    this.entries.delete(key);
    this.entries.set(key, value);
    if (this.entries.size <= this.entries_max) return;
    const oldest = this.entries.keys().next();
    if (oldest.done === false) this.entries.delete(oldest.value);
  }

  delete(key: string): void {
    this.entries.delete(key);
  }

  clear(): void {
    this.entries.clear();
  }
}
