// Canaries: what is sealed or dropped stands in no record, in no way of writing it, and a refusal
// that is repeated is still recognised although its sealed text never looks the same twice.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { revealRecord } from "../../../src/ledger/reveal.ts";
import type { Input, ToolDefinition } from "../../../src/catalog/definition.ts";
import type { LedgerMark } from "../../../src/contract/projection.ts";
import { catalogOf, toolFile, WRITES } from "../../setup/minimal.ts";
import { asked, linesOf, opened, refusalOf } from "./entries.ts";
import { MIA, openRing } from "./ring.ts";

const TEXT = { type: "string", maxLength: 9000 };
const LIST = { type: "array", maxItems: 99, items: TEXT };
const MARKS = ["plain", "sealed", "drop"] as const;
const inputs = Object.fromEntries(
  MARKS.flatMap((ledger) => [
    [`${ledger}_text`, { in: "body", optional: true, schema: TEXT, ledger }],
    [`${ledger}_list`, { in: "body", optional: true, schema: LIST, ledger }],
    [`${ledger}_whole`, { in: "body", optional: true, schema: { type: "integer" }, ledger }],
  ]),
);
const fields = Object.fromEntries(
  MARKS.map((ledger) => [`${ledger}_text`, { from: `/${ledger}`, schema: TEXT, ledger }]),
);
const output = { ...fields, rows: { from: "/rows", items: fields }, box: { from: "/b", fields } };

function toolOf(): ToolDefinition {
  const id = { in: "path", schema: { type: "integer", minimum: 1 } };
  const input = { id, ...inputs };
  const found = catalogOf(toolFile("item_put", { ...WRITES, input, output: { ...output } }));
  const tool = found.tools.get("item_put");
  if (tool === undefined) throw new Error("no tool");
  return tool;
}

/** Every way in which a text could show: as it is, escaped, encoded, at each base64 offset. */
function writings(text: string): string[] {
  const bytes = Buffer.from(text);
  // Three offsets: base64 writes the same bytes differently by where they begin. The first and
  // last letters depend on the neighbours, so only those between are looked for.
  const base64 = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    return encoded.slice(offset === 0 ? 0 : 4, -4);
  });
  const plain = [
    text,
    JSON.stringify(text).slice(1, -1),
    bytes.toString("hex"),
    encodeURIComponent(text),
    ...base64,
    ...base64.map((encoded) => encoded.replaceAll("+", "-").replaceAll("/", "_")),
  ];
  return plain.map((one) => one.toLowerCase());
}

// Long enough that it cannot occur by chance in what surrounds it, with what encoders escape.
const canary = fc
  .tuple(fc.stringMatching(/^[a-z0-9]{10}$/), fc.constantFrom("", '"', "\\", "é", "\n", " ", "<"))
  .map(([letters, sign]) => `CaNaRy${sign}${letters}`);
const length = fc.constantFrom(0, 100, 1900, 2100, 8000);
const filled = fc.tuple(canary, length).map(([text, more]) => text + ".".repeat(more));

const valueFor = (mark: LedgerMark) => (mark === "plain" ? fc.constant("readable") : filled);
const rowOf = fc.record({ sealed_text: filled, drop_text: filled, plain_text: fc.constant("r") });
const argsOf = fc.record(
  {
    plain_text: valueFor("plain"),
    plain_list: fc.array(valueFor("plain"), { maxLength: 3 }),
    // Readable by its mark, but it does not fit its schema.
    plain_whole: filled,
    sealed_text: filled,
    sealed_list: fc.array(filled, { maxLength: 3 }),
    sealed_whole: fc.oneof(fc.integer(), filled),
    drop_text: filled,
    drop_list: fc.array(filled, { maxLength: 3 }),
    // A secret stays one where a model put it into a field of another type.
    drop_whole: filled,
    unknown: filled,
  },
  { requiredKeys: [] },
);
const resultOf = fc.record({
  sealed_text: filled,
  drop_text: filled,
  plain_text: fc.constant("r"),
  rows: fc.array(rowOf, { maxLength: 12 }),
  box: rowOf,
});

function canariesIn(value: unknown): string[] {
  if (typeof value === "string") return value.includes("CaNaRy") ? [value.replace(/\.+$/, "")] : [];
  if (value === null || typeof value !== "object") return [];
  return Object.values(value).flatMap(canariesIn);
}

describe("canaries", () => {
  test("of sealed, dropped, unfitting and unknown fields stand nowhere in the record", () => {
    const { sealer } = openRing();
    const tool = toolOf();
    fc.assert(
      fc.property(argsOf, resultOf, canary, (args, result, name) => {
        const given = { ...args, [name]: 1 };
        const record = {
          user: sealer.sealName({ ...MIA, tenant: "acme", name }),
          args: sealer.args(tool.inputs, given, MIA),
          result: sealer.result(tool.output, result, MIA),
        };
        const written = JSON.stringify(record).toLowerCase();
        expect(written.length).toBeLessThan(34_000);
        for (const text of [name, ...canariesIn(args), ...canariesIn(result)]) {
          for (const writing of writings(text)) expect(written).not.toContain(writing);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("of sealed fields come back when the record is revealed, of dropped ones never", () => {
    const { sealer } = openRing();
    const tool = toolOf();
    fc.assert(
      fc.property(canary, canary, canary, (sealed, dropped, own) => {
        const args = { sealed_text: sealed, drop_text: dropped, drop_whole: dropped };
        const rows = [{ sealed_text: own, drop_text: dropped }];
        const record = {
          args: sealer.args(tool.inputs, args, MIA),
          result: sealer.result(tool.output, { rows }, MIA),
        };
        expect(revealRecord(record, sealer)).toEqual({
          args: { sealed_text: sealed },
          result: { rows: [{ sealed_text: own }] },
        });
      }),
    );
  });

  test("the test itself finds a canary in every way of writing", () => {
    const text = 'CaNaRy"abcdefghij';
    const hidden = [text, text.toUpperCase(), Buffer.from(text).toString("hex")];
    for (const before of ["", "x", "xy", "xyz"]) {
      hidden.push(Buffer.from(`${before}${text}${before}`).toString("base64"));
      hidden.push(Buffer.from(`${before}${text}${before}`).toString("base64url"));
    }
    hidden.push(JSON.stringify({ text }), `?q=${encodeURIComponent(text)}`);
    for (const one of hidden) {
      const seen = writings(text).some((writing) => one.toLowerCase().includes(writing));
      expect({ one, seen }).toEqual({ one, seen: true });
    }
  });
});

describe("an API's answer", () => {
  const inputOf = (schema: object): Input =>
    ({ in: "body", as: "x", optional: true, schema, ledger: "plain" }) as Input;

  test("cannot pass for something that we sealed, erased or cut", () => {
    const { sealer } = openRing();
    const real = sealer.seal(MIA, "/args/x", "secret");
    const any = new Map([["x", inputOf({ type: "object" })]]);
    for (const x of [real, { erased: true }, { deep: [{ sealed: "key_" }] }, { truncated: true }]) {
      const record = { args: sealer.args(any, { x }, MIA) };
      expect(record.args["x"]).not.toEqual(x);
      expect(revealRecord(record, sealer)).toEqual({ args: { x } });
    }
    const harmless = { a: { chars: 7 } };
    expect(sealer.args(any, { x: harmless }, MIA)).toEqual({ x: harmless });
  });

  test("cannot do so with readable fields of those names either", () => {
    const { sealer } = openRing();
    const real = { ...sealer.seal(MIA, "/args/x", "secret") };
    const names = ["sealed", "digest", "chars"];
    const schema = { type: ["string", "integer"] };
    const given = new Map(names.map((name) => [name, inputOf(schema)]));
    expect(sealer.args(given, real, MIA)).toMatchObject({ truncated: true });
    const box = Object.fromEntries(
      names.map((name) => [name, { from: `/${name}`, schema, ledger: "plain" }]),
    );
    const file = toolFile("item_put", { ...WRITES, output: { box: { from: "/b", fields: box } } });
    const tool = catalogOf(file).tools.get("item_put") ?? toolOf();
    const record = { result: sealer.result(tool.output, { box: real }, MIA) };
    expect(record.result["box"]).not.toEqual(real);
    expect(revealRecord(record, sealer)).toEqual({ result: { box: real } });
  });
});

test("identical refusals are counted although they seal their arguments anew", async () => {
  const { sealer } = openRing();
  const tool = toolOf();
  const { ledger, folder } = await opened();
  for (let i = 1; i <= 1000; i++) {
    const args = sealer.args(tool.inputs, { sealed_text: "the same note" }, MIA);
    await ledger.refusal(refusalOf(`r${i}`, { args }));
  }
  const other = sealer.args(tool.inputs, { sealed_text: "another note" }, MIA);
  await ledger.refusal(refusalOf("r1001", { args: other }));
  await asked(ledger, { limit: 1 });
  expect(linesOf(folder).map((line) => line["count"])).toEqual([1, 1, 1, 1, 1, 1, 995]);
});
