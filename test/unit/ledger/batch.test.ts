// A batch of lines: the very bytes that JSON.stringify would make of head and record in one.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Batch } from "../../../src/ledger/batch.ts";
import type { LedgerRecord } from "../../../src/ledger/record.ts";
import { verifies } from "../../verifies.ts";

const HEAD = { v: 1, prev: "a".repeat(64), time: "2026-03-14T09:26:53.000Z" } as const;

verifies("ledger.chain", "a line is head and record as one JSON object, byte for byte", () => {
  const unit = fc.constantFrom(
    "a",
    '"',
    "\\",
    "\n",
    "\0",
    "\u2028",
    "\u00e9",
    "\u6f22",
    "\u{1f600}",
    "\ud800",
  );
  const detail = fc.array(fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.string({ unit })));
  fc.assert(
    fc.property(fc.array(detail, { minLength: 1, maxLength: 3 }), (details) => {
      // Of another batch before it, that was larger.
      const batch = new Batch(Buffer.alloc(64, "x"));
      const records = details.map((inner) => {
        return { kind: "event", event: "started", detail: inner } as unknown as LedgerRecord;
      });
      for (const [i, record] of records.entries()) batch.add({ ...HEAD, seq: i + 1 }, record);
      const expected = records.map((record, i) => {
        const { v, prev, time } = HEAD;
        return JSON.stringify({ v, seq: i + 1, prev, time, ...record });
      });
      expect(batch.lines.map(String)).toEqual(expected);
      expect(batch.bytes.toString()).toBe(expected.map((line) => `${line}\n`).join(""));
      expect([batch.length, batch.first_seq]).toEqual([details.length, 1]);
      expect(batch.end.seq).toBe(details.length);
    }),
    { seed: 20_261_128 },
  );
});

test("nobody's promise is broken by a batch that holds nothing", async () => {
  const batch = new Batch();
  batch.reject(new Error("no room"));
  let told = false;
  void batch.durable.finally(() => (told = true));
  await new Promise(setImmediate);
  expect(told).toBe(false);
});
