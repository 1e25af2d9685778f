// Strict JSON: its bounds, its positions, and what it refuses beyond RFC 8259.
import { describe, expect, test } from "vitest";
import {
  decodeUtf8,
  JsonError,
  parseJson,
  parseJsonDocument,
  pointerTo,
  valueAt,
} from "../../../src/kernel/json.ts";
import { verifies } from "../../verifies.ts";

const LIMITS = { depth_max: 4, keys_max: 6 };

function refusedFor(text: string): string {
  try {
    parseJson(text, LIMITS);
    return "(accepted)";
  } catch (error) {
    if (error instanceof JsonError) return error.message;
    throw error;
  }
}

describe("limits", () => {
  verifies("bad-input.bodies", "as many levels as allowed are read, one more is refused", () => {
    expect(parseJson('[[{"a":[]}]]', LIMITS)).toEqual([[{ a: [] }]]);
    expect(refusedFor('[[{"a":[[]]}]]')).toMatch(/nested deeper than 4 levels/);
  });

  verifies("bad-input.bodies", "depth is refused before the stack is, however deep", () => {
    const deep = "[".repeat(1_000_000);
    expect(refusedFor(deep)).toMatch(/nested deeper than 4 levels at line 1, column 5/);
    expect(refusedFor('{"a":'.repeat(200_000))).toMatch(/nested deeper/);
  });

  verifies("bad-input.bodies", "keys and items are counted together over the whole body", () => {
    expect(parseJson('{"a":[1,2],"b":[3,4]}', LIMITS)).toEqual({ a: [1, 2], b: [3, 4] });
    expect(refusedFor('{"a":[1,2],"b":[3,4,5]}')).toMatch(/more than 6 items/);
    expect(refusedFor('{"a":[1,2],"b":[3,4],"c":5}')).toMatch(/more than 6 keys/);
  });
});

describe("one meaning only", () => {
  for (const [what, text, why] of [
    ["a key given twice", '{"a":1,"a":2}', /the key "a" is given twice/],
    ["a key given twice, once escaped", String.raw`{"a":1,"\u0061":2}`, /given twice/],
    ["a twin in an inner object", '{"x":{"a":1,"b":2,"a":1}}', /given twice/],
    ["__proto__ as a key", '{"__proto__":{"a":1}}', /"__proto__" is not allowed/],
    ["__proto__ escaped", String.raw`{"\u005f_proto__":1}`, /"__proto__" is not allowed/],
    ["a number that no double holds", "1e400", /the number is too large/],
    ["a byte order mark", "\u{feff}{}", /not a JSON value/],
    ["two values", "{} {}", /unexpected text after the value/],
    ["nothing", "", /unexpected end/],
  ] as const) {
    verifies("bad-input.bodies", `${what} is refused`, () => {
      expect(refusedFor(text)).toMatch(why);
    });
  }

  test("names of Object.prototype are keys like any other", () => {
    const value = parseJson('{"constructor":1,"toString":2,"hasOwnProperty":3}', LIMITS);
    expect(Object.entries(value as object)).toEqual([
      ["constructor", 1],
      ["toString", 2],
      ["hasOwnProperty", 3],
    ]);
  });

  test("bytes that are not UTF-8 are refused, not replaced", () => {
    expect(() => decodeUtf8(Buffer.from([0x22, 0xff, 0x22]))).toThrow(JsonError);
    expect(() => decodeUtf8(Buffer.from([0xed, 0xa0, 0x80]))).toThrow(JsonError);
    expect(decodeUtf8(Buffer.from("grün"))).toBe("grün");
  });
});

describe("positions", () => {
  const text = ["{", '  "a": [', "    1,", '    {"b/c": true}', "  ]", "}"].join("\n");

  test("the place of each value is known by its JSON pointer", () => {
    const document = parseJsonDocument(text, LIMITS);
    expect(document.at("")).toEqual({ line: 1, column: 1 });
    expect(document.at("/a")).toEqual({ line: 2, column: 8 });
    expect(document.at("/a/0")).toEqual({ line: 3, column: 5 });
    expect(document.at("/a/1/b~1c")).toEqual({ line: 4, column: 13 });
  });

  test("what is not there has the place of its nearest parent", () => {
    const document = parseJsonDocument(text, LIMITS);
    expect(document.at("/a/1/missing/deeper")).toEqual(document.at("/a/1"));
    expect(document.at("/z")).toEqual({ line: 1, column: 1 });
  });

  test("a mistake says its line and column", () => {
    expect(refusedFor('{\n  "a": 1,\n}')).toMatch(/expected a key .* at line 3, column 1$/);
  });
});

describe("pointers", () => {
  test("~ and / in a key are escaped, and read back", () => {
    const pointer = pointerTo("/x", "a~/b");
    expect(pointer).toBe("/x/a~0~1b");
    expect(valueAt({ x: { "a~/b": 1 } }, pointer)).toBe(1);
  });

  test("inherited properties are not values", () => {
    expect(valueAt({}, "/constructor")).toBeUndefined();
    expect(valueAt([], "/map")).toBeUndefined();
    expect(valueAt({ a: "text" }, "/a/0")).toBeUndefined();
    expect(valueAt({ a: "text" }, "/a/length")).toBeUndefined();
  });
});
