// What was made for a key is kept while there is room: the oldest goes first, never the newest.

export interface Kept<V> {
  get(key: string, make: () => V): V;
}

/** `weight_max` bounds the sum of the weights. */
export function createKept<V>(weight_max: number, weightOf: (value: V) => number): Kept<V> {
  const byKey = new Map<string, V>();
  let weight = 0;
  return {
    get(key, make) {
      const known = byKey.get(key);
      if (known !== undefined) return known;
      const made = make();
      byKey.set(key, made);
      weight += weightOf(made);
      for (const [oldest, value] of byKey) {
        if (weight <= weight_max || oldest === key) break;
        byKey.delete(oldest);
        weight -= weightOf(value);
      }
      return made;
    },
  };
}
