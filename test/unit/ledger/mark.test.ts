// What of arguments and results enters the ledger: plain, sealed, or nothing at all.
import { describe, expect } from "vitest";
import { verifies } from "../../verifies.ts";
import { catalogOf, toolFile, WRITES } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { MIA, openRing } from "./ring.ts";

const CANARY = "canary-44ef";
const TEXT = { type: "string", maxLength: 5000 };
const body = (schema: Json, ledger?: string): Json => ({
  in: "body",
  optional: true,
  schema,
  ...(ledger === undefined ? {} : { ledger }),
});

const INPUT = {
  id: { in: "path", schema: { type: "integer", minimum: 1 } },
  note: body(TEXT),
  kind: body({ type: "string", enum: ["a", "b"] }),
  day: body({ type: "string", format: "date" }),
  mail: body({ type: "string", format: "email" }),
  flag: body({ type: "boolean" }),
  price: body({ type: ["number", "null"] }),
  list: body({ type: "array", maxItems: 100, items: TEXT }),
  shown: body(TEXT, "plain"),
  secret: body(TEXT, "drop"),
  numbers: body({ type: "array", maxItems: 5000, items: { type: "integer" } }, "plain"),
};
const OUTPUT = {
  id: { from: "/id", schema: { type: "integer" } },
  words: { from: "/words", schema: { type: "string" } },
  pin: { from: "/pin", schema: { type: "string" }, ledger: "drop" },
  rows: {
    from: "/rows",
    items: {
      n: { from: "/n", schema: { type: "integer" } },
      who: { from: "/who", schema: { type: "string" } },
    },
  },
  box: { from: "/box", fields: { label: { from: "/l", schema: { type: "string" } } } },
};

const tool = () => {
  const file = toolFile("item_put", { ...WRITES, input: INPUT, output: OUTPUT });
  const found = catalogOf(file).tools.get("item_put");
  if (found === undefined) throw new Error("no tool");
  return found;
};
const args = (given: Json) => openRing().sealer.args(tool().inputs, given, MIA);
const DIGEST = expect.stringMatching(/^hmac-sha256:[\w-]{43}$/);
const SEALED = {
  sealed: expect.stringMatching(/^key_[\w-]{16}\.[\w-]{38,}$/),
  digest: DIGEST,
  chars: 11,
};

describe("arguments", () => {
  verifies("ledger.record", "ids, enums, numbers, dates and booleans are readable", () => {
    const given = { id: 7, kind: "a", day: "2026-03-14", flag: true, price: null };
    expect(args(given)).toEqual(given);
  });

  verifies("ledger.record", "other text is sealed, and dropped text leaves no trace", () => {
    const written = args({ id: 7, note: CANARY, mail: "c@canary.io", secret: CANARY });
    expect(written).toEqual({ id: 7, note: SEALED, mail: SEALED });
    expect(args({ list: [CANARY] })).toEqual({ list: { ...SEALED, chars: 15 } });
    expect(JSON.stringify([written, args({ list: [CANARY] })])).not.toContain("canary");
  });

  verifies("ledger.record", "a tool's author can say that a text is readable", () => {
    expect(args({ shown: "order 7" })).toEqual({ shown: "order 7" });
  });

  verifies("ledger.record", "a readable field that does not fit its schema is sealed", () => {
    const written = args({ id: CANARY, kind: CANARY, day: CANARY, flag: CANARY });
    expect(written).toEqual({ id: SEALED, kind: SEALED, day: SEALED, flag: SEALED });
  });

  verifies("ledger.record", "names that the tool does not have are counted, not kept", () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`${CANARY}${i}`, i]));
    expect(args({ id: 7, [CANARY]: CANARY })).toEqual({ id: 7, "(unknown arguments)": 1 });
    expect(args(many)).toEqual({ "(unknown arguments)": 16 });
  });

  verifies("ledger.record", "a long text is its size and digest, a large list too", () => {
    const long = { truncated: true, bytes: 2049, digest: DIGEST };
    expect(args({ shown: "x".repeat(2049) })).toEqual({ shown: long });
    expect(args({ note: "x".repeat(2049) })).toEqual({ note: long });
    expect(args({ shown: "x".repeat(2048) })["shown"]).toHaveLength(2048);
    const numbers = Array.from({ length: 5000 }, (_, i) => 100_000 + i);
    expect(args({ id: 7, numbers })).toEqual({
      id: 7,
      numbers: { truncated: true, bytes: 35_001, digest: DIGEST },
    });
  });
});

describe("results", () => {
  verifies("ledger.record", "are kept field by field, in lists and objects too", () => {
    const value = {
      id: 7,
      words: CANARY,
      pin: CANARY,
      rows: [{ n: 1, who: CANARY }],
      box: { label: CANARY },
      [CANARY]: 1,
    };
    const written = openRing().sealer.result(tool().output, value, MIA);
    expect(written).toEqual({
      id: 7,
      words: SEALED,
      rows: [{ n: 1, who: SEALED }],
      box: { label: SEALED },
    });
    expect(JSON.stringify(written)).not.toContain("canary");
  });
});
