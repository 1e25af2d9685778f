// What of one JSON value is different in another, place by place: for somebody who reads it.
import { pointerTo } from "../kernel/json.ts";

export interface Difference {
  readonly pointer: string;
  /** `undefined` where there is nothing. */
  readonly before: unknown;
  readonly after: unknown;
}

export function differences(before: unknown, after: unknown, pointer = ""): readonly Difference[] {
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
    return keys.flatMap((key) =>
      differences(valueIn(before, key), valueIn(after, key), pointerTo(pointer, key)),
    );
  }
  // An array is an order: what moved in it is shown as a whole.
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ pointer, before, after }];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function valueIn(record: Readonly<Record<string, unknown>>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
