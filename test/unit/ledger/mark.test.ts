// What of arguments and results enters the ledger: plain, sealed, or nothing at all.
import { describe, expect, test } from "vitest";
import { Sealer } from "../../../src/ledger/mark.ts";
import { verifies } from "../../verifies.ts";
import { catalogOf, toolFile, WRITES } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";

const CANARY = "canary-44ef";
const TEXT = { type: "string", maxLength: 5000 };
const body = (schema: Json, ledger?: string): Json => ({
  in: "body",
  optional: true,
  schema,
  ...(ledger === undefined ? {} : { ledger }),
});
const sealer = new Sealer(Buffer.alloc(32, 7));

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
const args = (given: Json, tenant: string | null = "acme") =>
  sealer.args(tool().inputs, given, tenant);
const SEALED = { sealed: expect.stringMatching(/^hmac-sha256:[\w-]{43}$/), chars: 11 };

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

  verifies(
    "ledger.record",
    "a long readable text is sealed, a large record is cut to a digest",
    () => {
      const long = args({ shown: "x".repeat(2049) });
      expect(long).toEqual({ shown: { ...SEALED, chars: 2049 } });
      expect(args({ shown: "x".repeat(2048) })["shown"]).toHaveLength(2048);
      const large = args({ numbers: Array.from({ length: 5000 }, (_, i) => 100_000 + i) });
      expect(large).toEqual({
        truncated: true,
        bytes: 35_013,
        digest: expect.stringMatching(/^hmac-sha256:/),
      });
    },
  );
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
    const written = sealer.result(tool().output, value, "acme");
    expect(written).toEqual({
      id: 7,
      words: SEALED,
      rows: [{ n: 1, who: SEALED }],
      box: { label: SEALED },
    });
    expect(JSON.stringify(written)).not.toContain("canary");
  });
});

describe("digests", () => {
  test("are equal for equal text in one tenant, and only there", () => {
    expect(args({ note: CANARY })).toEqual(args({ note: CANARY }));
    expect(args({ note: CANARY })).not.toEqual(args({ note: CANARY }, "globex"));
    expect(args({ note: CANARY })).not.toEqual(args({ note: CANARY }, null));
    expect(args({ note: CANARY })).not.toEqual(args({ note: "canary-44ee" }));
  });

  test("need the key", () => {
    const other = new Sealer(Buffer.alloc(32, 8));
    expect(other.digest("acme", CANARY)).not.toBe(sealer.digest("acme", CANARY));
  });
});
