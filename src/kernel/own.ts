// Look-ups by names that come from outside: own properties only, so that `constructor` is nobody.

/** The record's own value under `key`; never an inherited one. */
export function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
