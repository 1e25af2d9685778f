// Caps: what is too long is named by its size and digest, and everything else stays.
import { describe, expect, test } from "vitest";
import { fitLine, LINE_BYTES_MAX } from "../../../src/ledger/fit.ts";
import { isSealed, isTruncated } from "../../../src/ledger/seal.ts";
import { catalogOf, toolFile, WRITES } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { refusalOf } from "./entries.ts";
import { MIA, openRing } from "./ring.ts";

const TEXT = { type: "string", maxLength: 100_000 };
const text = (ledger?: string): Json => ({
  in: "body",
  optional: true,
  schema: TEXT,
  ...(ledger === undefined ? {} : { ledger }),
});
const names = Array.from({ length: 12 }, (_, i) => `t${i}`);
const INPUT = {
  id: { in: "path", schema: { type: "integer", minimum: 1 } },
  shown: text("plain"),
  list: {
    in: "body",
    optional: true,
    schema: { type: "array", maxItems: 9999, items: { type: "integer" } },
    ledger: "plain",
  },
  ...Object.fromEntries(names.map((name) => [name, text()])),
};
const OUTPUT = {
  total: { from: "/total", schema: { type: "integer" } },
  rows: {
    from: "/rows",
    items: {
      n: { from: "/n", schema: { type: "integer" } },
      who: { from: "/who", schema: { type: "string" } },
    },
  },
};

function tool() {
  const file = toolFile("item_put", { ...WRITES, input: INPUT, output: OUTPUT });
  const found = catalogOf(file).tools.get("item_put");
  if (found === undefined) throw new Error("no tool");
  return found;
}
const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

describe("a field over 2 KiB", () => {
  test("becomes its size and digest, readable or sealed, text or not", () => {
    const { sealer } = openRing();
    const long = "é".repeat(1025);
    const list = Array.from({ length: 700 }, (_, i) => i);
    const kept = sealer.args(tool().inputs, { id: 7, shown: long, t0: long, list }, MIA);
    const digest = sealer.digestOf("acme", long);
    expect(kept).toEqual({
      id: 7,
      shown: { truncated: true, bytes: 2050, digest },
      t0: { truncated: true, bytes: 2050, digest },
      list: { truncated: true, bytes: bytesOf(list), digest: sealer.digestOf("acme", list) },
    });
  });

  test("stays whole up to the last byte", () => {
    const { sealer } = openRing();
    const full = "é".repeat(1024);
    const kept = sealer.args(tool().inputs, { id: 7, shown: full, t0: full }, MIA);
    expect(kept["shown"]).toBe(full);
    expect(isSealed(kept["t0"])).toBe(true);
  });
});

describe("arguments over 16 KiB", () => {
  test("lose their largest fields to size and digest, and keep the small ones", () => {
    const { sealer } = openRing();
    const big = Object.fromEntries(names.map((name) => [name, name.padEnd(2000, "x")]));
    const kept = sealer.args(tool().inputs, { ...big, id: 7, shown: "order 7" }, MIA);
    expect(bytesOf(kept)).toBeLessThanOrEqual(16_384);
    expect(kept).toMatchObject({ id: 7, shown: "order 7" });
    expect(Object.keys(kept)).toEqual([...names, "id", "shown"]);
    const cut = names.filter((name) => isTruncated(kept[name]));
    const whole = names.filter((name) => isSealed(kept[name]));
    expect([cut.length, whole.length]).toEqual([7, 5]);
    for (const name of cut) {
      const digest = sealer.digestOf("acme", big[name]);
      expect(kept[name]).toEqual({ truncated: true, bytes: 2000, digest });
    }
  });

  test("seal no more than they keep", () => {
    const ring = openRing();
    const rows = Array.from({ length: 1000 }, (_, n) => ({ n, who: `person ${n}` }));
    let asked = 0;
    const { keyring } = ring;
    const keyFor = keyring.keyFor.bind(keyring);
    Object.assign(keyring, { keyFor: (who: typeof MIA) => (asked++, keyFor(who)) });
    const kept = ring.sealer.result(tool().output, { total: 1000, rows }, MIA);
    expect(kept).toMatchObject({ total: 1000, rows: { truncated: true, bytes: bytesOf(rows) } });
    expect(asked).toBe(0);
    ring.sealer.result(tool().output, { total: 2, rows: rows.slice(0, 2) }, MIA);
    expect(asked).toBe(2);
  });

  test("have one size and digest, where even the sizes and digests are too many", () => {
    const { sealer } = openRing();
    const many = Array.from({ length: 400 }, (_, i) => `field_with_a_long_name_${i}`);
    const input = { ...INPUT, ...Object.fromEntries(many.map((name) => [name, text()])) };
    const file = toolFile("item_put", { ...WRITES, input });
    const inputs = catalogOf(file).tools.get("item_put")?.inputs ?? new Map();
    const args = Object.fromEntries(many.map((name) => [name, "x".repeat(300)]));
    const kept = sealer.args(inputs, args, MIA);
    expect(kept).toEqual({
      truncated: true,
      bytes: bytesOf(args),
      digest: sealer.digestOf("acme", JSON.stringify(args)),
    });
  });
});

describe("a line over 64 KiB", () => {
  const digest = (value: unknown): string => openRing().sealer.digestOf("acme", value);

  test("keeps who, what and how it ended, and names what it had to leave out", () => {
    const base = refusalOf("r1");
    const roles = Array.from({ length: 3000 }, (_, i) => `a-role-with-a-long-name-${i}`);
    const target = `item:${"x".repeat(9000)}`;
    const cut = fitLine({ ...base, roles, target }, digest);
    expect(bytesOf(cut)).toBeLessThanOrEqual(LINE_BYTES_MAX - 256);
    expect(cut).toMatchObject({ subject: base.subject, tool: base.tool, outcome: base.outcome });
    expect(cut.roles).toEqual([{ truncated: true, bytes: bytesOf(roles), digest: digest(roles) }]);
    expect(cut.target).toBe(target);
    const larger = fitLine({ ...base, roles, target: `item:${"x".repeat(90_000)}` }, digest);
    expect(larger.target).toMatch(/^\(truncated: 90005 bytes, hmac-sha256:[\w-]{43}\)$/);
  });

  test("of an event keeps the event", () => {
    const tools = Object.fromEntries(
      Array.from({ length: 2000 }, (_, i) => [`tool_${i}`, "x".repeat(64)]),
    );
    const detail = { tools, contracts: {}, unapproved: [] };
    const cut = fitLine({ kind: "event", event: "catalogue", detail }, digest);
    expect(cut).toMatchObject({ kind: "event", event: "catalogue", detail: { truncated: true } });
  });

  test("that fits is the very same record", () => {
    const record = refusalOf("r1");
    expect(fitLine(record, digest)).toBe(record);
  });
});
