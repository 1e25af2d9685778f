// Ids and fingerprints.
import { expect, test } from "vitest";
import { canonicalJson, digestOf, fingerprint, uuidv7 } from "../../../src/kernel/ids.ts";
import { own } from "../../../src/kernel/own.ts";

test("a call id is a UUID of version 7 that holds its time", () => {
  // The example of RFC 9562 appendix A.6.
  const random = Buffer.from("017f22e279b07cc398c4dc0c0c07398f", "hex");
  const id = uuidv7(0x017f22e279b0, () => Buffer.from(random));
  expect(id).toBe("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
});

test("later call ids sort after earlier ones, and no two are equal", () => {
  const ids = Array.from({ length: 500 }, (_, i) => uuidv7(1_700_000_000_000 + i));
  expect(ids.toSorted()).toEqual(ids);
  const same = Array.from({ length: 500 }, () => uuidv7(1_700_000_000_000));
  expect(new Set(same).size).toBe(500);
  for (const id of same) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});

test("a digest tells its parts apart", () => {
  expect(digestOf("ab", "c")).not.toBe(digestOf("a", "bc"));
  expect(digestOf("a", "")).not.toBe(digestOf("a"));
  expect(digestOf("a", "b")).toBe(digestOf("a", "b"));
});

test("a fingerprint ignores the order of keys, and nothing else", () => {
  const a = { x: 1, y: { b: [1, 2], a: null } };
  expect(fingerprint(a)).toBe(fingerprint({ y: { a: null, b: [1, 2] }, x: 1 }));
  expect(fingerprint(a)).not.toBe(fingerprint({ x: 1, y: { b: [2, 1], a: null } }));
  expect(fingerprint(a)).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(canonicalJson({ b: 1, a: { d: 1, c: 2 } })).toBe('{"a":{"c":2,"d":1},"b":1}');
});

test("a look-up by a foreign name finds own properties only", () => {
  const record: Record<string, number> = { a: 1 };
  expect(own(record, "a")).toBe(1);
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty"]) {
    expect(own(record, name)).toBeUndefined();
  }
});
