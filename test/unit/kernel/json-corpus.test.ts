// Strict JSON against the corpora of others: JSONTestSuite, and the big list of naughty strings.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { decodeUtf8, JsonError, parseJson } from "../../../src/kernel/json.ts";
import { verifies } from "../../verifies.ts";

const DATA = process.env["DOORLESS_TEST_DATA"];
const skip = DATA === undefined ? "DOORLESS_TEST_DATA is not set" : undefined;
const LIMITS = { depth_max: 32, keys_max: 10_000 };

// RFC 8259 section 4 lets a parser take these; we refuse a key that is given twice.
const STRICTER = ["y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"];

function corpus(prefix: string): { name: string; bytes: Buffer }[] {
  const folder = join(DATA ?? "", "JSONTestSuite", "test_parsing");
  return readdirSync(folder)
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({ name, bytes: readFileSync(join(folder, name)) }));
}

function verdict(bytes: Buffer): string {
  try {
    parseJson(decodeUtf8(bytes), LIMITS);
    return "accepted";
  } catch (error) {
    if (error instanceof JsonError) return "refused";
    throw error;
  }
}

function namesWith(files: readonly { name: string; bytes: Buffer }[], what: string): string[] {
  return files.filter(({ bytes }) => verdict(bytes) === what).map(({ name }) => name);
}

verifies(
  "bad-input.bodies",
  "JSONTestSuite: what RFC 8259 allows is read as JSON.parse reads it, twins of a key aside",
  () => {
    const files = corpus("y_");
    expect(files.length).toBeGreaterThan(90);
    expect(namesWith(files, "refused").toSorted()).toEqual(STRICTER);
    for (const { name, bytes } of files.filter((file) => !STRICTER.includes(file.name))) {
      const text = bytes.toString("utf8");
      expect(parseJson(text, LIMITS), name).toEqual(JSON.parse(text));
    }
  },
  { skip },
);

verifies(
  "bad-input.bodies",
  "JSONTestSuite: what RFC 8259 forbids is refused with a JsonError",
  () => {
    const files = corpus("n_");
    expect(files.length).toBeGreaterThan(180);
    expect(namesWith(files, "accepted")).toEqual([]);
  },
  { skip },
);

verifies(
  "bad-input.bodies",
  "JSONTestSuite: what RFC 8259 leaves open is read or refused, and breaks nothing",
  () => {
    const files = corpus("i_");
    expect(files.length).toBeGreaterThan(30);
    const accepted = namesWith(files, "accepted");
    const refused = namesWith(files, "refused");
    expect(accepted.length + refused.length).toBe(files.length);
    // Bytes that are no UTF-8, numbers beyond a double and deep nesting are not guessed at.
    expect(refused.filter((name) => /utf-?8|UTF-8|500_nested|huge_exp/.test(name))).toEqual(
      files.map(({ name }) => name).filter((name) => /utf-?8|UTF-8|500_nested|huge_exp/.test(name)),
    );
  },
  { skip },
);

verifies(
  "bad-input.bodies",
  "each naughty string comes back as it went in, as a value and as a key",
  () => {
    const file = join(DATA ?? "", "blns", "blns.json");
    const strings = JSON.parse(readFileSync(file, "utf8")) as string[];
    expect(strings.length).toBeGreaterThan(500);
    for (const text of strings) {
      expect(parseJson(JSON.stringify({ [`k${text}`]: text }), LIMITS)).toEqual({
        [`k${text}`]: text,
      });
    }
  },
  { skip },
);
