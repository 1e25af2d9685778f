// Every way in which an API can change under a tool, one mutation each: the rule that names it and
// its severity; and the ways in which it can be written differently, which are no change.
import { describe, expect, test } from "vitest";
import { compare } from "../../../src/contract/compare.ts";
import { verifies } from "../../verifies.ts";
import { cut, drift, isUnchanged, library, lines } from "./drift-api.ts";
import { EQUIVALENT } from "./drift-equivalents.ts";
import { MUTATIONS } from "./drift-mutations.ts";

describe("drift", () => {
  for (const [what, change, ...expected] of MUTATIONS) {
    verifies("contract.rules", `where ${what}, the rule says so`, () => {
      expect(lines(drift(change))).toEqual(expected);
    });
  }

  for (const [what, change] of EQUIVALENT) {
    verifies("contract.equivalent", `where ${what}, nothing is found, and no hash changes`, () => {
      expect(lines(drift(change))).toEqual([]);
      expect(isUnchanged(change)).toBe(true);
    });
  }

  test("a slice compared with itself has no finding", () => {
    const slice = cut(library().document);
    expect(compare(slice, JSON.parse(JSON.stringify(slice)))).toEqual([]);
  });
});
