// What a schema or the operating system says, as whoever typed it reads it.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { issueInWords, systemErrorInWords } from "../../../src/kernel/in-words.ts";
import { testFolder } from "../../setup/minimal.ts";

const saidOf = (schema: z.ZodType, value: unknown): string[] =>
  (schema.safeParse(value).error?.issues ?? []).map(issueInWords);

test("a value that a schema refuses is told what was expected", () => {
  expect(saidOf(z.string().min(3), "ab")).toEqual(["at least 3 characters"]);
  expect(saidOf(z.string().min(1), "")).toEqual(["at least 1 character"]);
  expect(saidOf(z.string().max(2), "abc")).toEqual(["at most 2 characters"]);
  expect(saidOf(z.array(z.string()).max(1), ["a", "b"])).toEqual(["at most 1 item"]);
  expect(saidOf(z.int().min(1), 0)).toEqual(["at least 1"]);
  expect(saidOf(z.enum(["on", "off"]), "up")).toEqual(["one of: on, off"]);
  expect(saidOf(z.number(), "8")).toEqual(["expected number"]);
  expect(saidOf(z.strictObject({}), { a: 1, b: 2 })).toEqual(["unknown: a, b"]);
  // What the schema's author wrote stays.
  expect(saidOf(z.string().regex(/^a$/, "the letter a"), "b")).toEqual(["the letter a"]);
});

test("what the operating system refuses is said, with its own code behind", () => {
  const folder = testFolder();
  const failed = (path: string): unknown => {
    try {
      return readFileSync(path);
    } catch (error) {
      return error;
    }
  };
  const missing = failed(`${folder}/none`);
  expect(systemErrorInWords(missing)).toBe("there is no such file or folder (ENOENT)");
  expect(systemErrorInWords(failed(folder))).toBe("it is a folder, not a file (EISDIR)");
  const wrapped = new TypeError("fetch failed", { cause: new Error("x", { cause: missing }) });
  expect(systemErrorInWords(wrapped)).toBe("there is no such file or folder (ENOENT)");
  expect(systemErrorInWords(Object.assign(new Error("odd"), { code: "EODD" }))).toBe("odd");
  expect(systemErrorInWords("thrown")).toBe("unknown error");
});
