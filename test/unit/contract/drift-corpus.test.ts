// Real documents, an older and a newer one of each API: what is found in a sample of operations,
// in numbers, since the documents are not ours. Look into a change of a number before taking it.
import { existsSync, readFileSync } from "node:fs";
import { load } from "js-yaml";
import { describe, expect } from "vitest";
import { judge } from "../../../src/contract/compare.ts";
import { hashesOf, sliceOf } from "../../../src/contract/slice.ts";
import { verifies } from "../../verifies.ts";
import type { Loose } from "./drift-api.ts";

const DATA = process.env["DOORLESS_TEST_DATA"];
const skip = DATA === undefined ? "DOORLESS_TEST_DATA is not set" : undefined;
const OPTIONS = { source: { from: "", sha256: "", retrieved: "" } };
const METHODS = ["get", "post", "put", "patch", "delete"];

function read(name: string): Loose {
  const path = `${DATA}/openapi/${name}`;
  if (existsSync(`${path}.json`)) return JSON.parse(readFileSync(`${path}.json`, "utf8"));
  return load(readFileSync(`${path}.yaml`, "utf8"));
}

function operationsOf(document: Loose): string[] {
  return Object.entries<Loose>(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => `${method.toUpperCase()} ${path}`),
  );
}

/** critical/break/warn/info of each operation of the sample; `=` where nothing changed. */
function verdicts(name: string, size: number): string {
  const [old, now] = [read(`${name}-old`), read(`${name}-new`)];
  const all = operationsOf(old);
  const step = Math.max(1, Math.floor(all.length / size));
  const sample = all.filter((_, i) => i % step === 0).slice(0, size);
  return sample
    .map((operation) => {
      const before = sliceOf(old, operation, OPTIONS);
      const { slice, findings } = judge(before, now, OPTIONS);
      const isSame =
        slice !== undefined && JSON.stringify(hashesOf(slice)) === JSON.stringify(hashesOf(before));
      expect(findings.length === 0, operation).toBe(isSame);
      if (isSame) return "=";
      const count = (severity: string) => findings.filter((f) => f.severity === severity).length;
      return ["critical", "break", "warn", "info"].map(count).join("/");
    })
    .join(" ");
}

const EXPECTED: Readonly<Record<string, readonly [number, ...string[]]>> = {
  notion: [
    20,
    "0/0/0/1 0/0/0/2 0/0/0/1 0/1/0/0 0/1/0/2 0/0/0/2 0/2/0/3 0/0/0/2 0/0/0/2",
    "0/0/0/2 0/0/0/2 0/0/2/3 0/0/2/5 0/1/0/0 0/0/0/2 0/1/0/0 0/0/0/1 0/0/0/1 =",
  ],
  figma: [
    20,
    "3/6/13/294 3/0/0/0 3/0/0/0 3/0/0/0 2/1/0/1 3/0/0/0 2/0/0/0 3/0/0/2 3/0/0/2 3/0/0/2",
    "3/0/0/0 3/0/0/0 3/0/2/3 2/0/2/3 3/0/0/0 0/4/0/0 2/0/0/0 2/0/0/0 2/0/0/0 0/1/0/0",
  ],
  discord: [
    20,
    "0/0/0/54 = 0/0/0/59 0/0/2/58 = 0/1/0/38 0/0/0/26 0/90/4/260 0/10/1/199 0/0/2/58",
    "0/0/0/25 0/0/0/5 = = 0/90/4/260 0/0/0/9 0/0/0/3 0/0/0/23 0/0/0/2 =",
  ],
  github: [
    20,
    "= = = = 0/0/3/10 = 0/0/3/5 0/1/0/0 = =",
    "0/0/3/0 = 0/0/0/7 = 0/0/0/1 0/1/0/0 0/0/0/1 0/1/0/0 0/0/0/11 =",
  ],
  // Each of them reaches most of the document.
  stripe: [5, "0/9/39/90 0/9/39/95 0/9/39/90 0/9/39/90 ="],
};

describe("the drift of real APIs", () => {
  for (const [name, [size, ...expected]] of Object.entries(EXPECTED)) {
    verifies(
      "contract.rules",
      `${name}: each operation of the sample has its verdict`,
      () => {
        expect(verdicts(name, size)).toBe(expected.join(" "));
      },
      { skip, timeout_ms: 60_000 },
    );
  }
});
