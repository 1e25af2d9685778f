// Documents that were written to be slow, or to hide a change behind another.
import { expect, test } from "vitest";
import { judge } from "../../../src/contract/compare.ts";
import { mismatches } from "../../../src/contract/schema.ts";
import { SchemaView } from "../../../src/contract/schema-view.ts";
import { sliceOf } from "../../../src/contract/slice.ts";
import type { SliceOptions } from "../../../src/contract/slice.ts";
import { verifies } from "../../verifies.ts";
import { lines } from "./drift-api.ts";
import type { Loose } from "./drift-api.ts";

const OPTIONS = { source: { from: "x", sha256: "y", retrieved: "z" } };

/** One operation that answers, and takes as `a` and as `b`, the component `Top`. */
function api(schemas: Loose): Loose {
  const schema = { $ref: "#/components/schemas/Top" };
  return {
    openapi: "3.1.0",
    paths: {
      "/x": {
        get: {
          parameters: ["a", "b"].map((name) => ({ name, in: "query", schema })),
          responses: { 200: { content: { "application/json": { schema } } } },
        },
      },
    },
    components: { schemas },
  };
}

/** Layers of choices, each among the next layer so many times. */
function layers(levels: number, wide: number, leaf: Loose): Loose {
  const names = Array.from({ length: levels }, (_, i) => (i === 0 ? "Top" : `L${i}`));
  const last = `L${levels}`;
  const entries = names.map((name, i) => {
    const next = { $ref: `#/components/schemas/${names[i + 1] ?? last}` };
    return [name, { anyOf: Array.from({ length: wide }, () => next) }];
  });
  return Object.fromEntries([...entries, [last, leaf]]);
}

const field = (from: string) =>
  ({ from, optional: false, kind: "value", schema: {}, ledger: "plain" }) as const;
const requestLines = (...given: Parameters<typeof judge>) =>
  lines(judge(...given)).filter((line) => line.includes(" request-"));
const cut = (document: Loose, more: Partial<SliceOptions> = {}) =>
  sliceOf(document, "GET /x", { ...OPTIONS, ...more });

verifies("contract.rules", "layers of many alternatives are compared, and the change told", () => {
  const [old, now] = [5, 4].map((maxLength) => api(layers(9, 40, { type: "string", maxLength })));
  const { findings } = judge(cut(old), now, OPTIONS);
  expect(findings.map(({ rule }) => rule)).toContain("request-parameter-max-length-decreased");
});

verifies("contract.slice", "layers of alternatives that multiply are too large to cut down", () => {
  const document = api(layers(30, 2, { type: "object", properties: { id: { type: "string" } } }));
  const projection = new Map([["id", field("/id")]]);
  expect(() => cut(document, { projection })).toThrow(
    expect.objectContaining({ name: "SliceError", code: "too_large" }),
  );
});

verifies("contract.use", "what one place spares the tool is told where another does not", () => {
  const [old, now] = [100, 50].map((maxLength) => api({ Top: { type: "string", maxLength } }));
  const own = { type: "string", maxLength: 10 } as const;
  const sends = new Map([
    ["/query/a", { always: true, schema: own }],
    ["/query/b", { always: true, schema: { type: "string" } as const }],
  ]);
  expect(requestLines(cut(old), now, OPTIONS, { sends })).toEqual([
    "break request-parameter-max-length-decreased /query/b",
    "info request-parameter-max-length-decreased /query/a",
  ]);
});

verifies("contract.use", "the same holds where only a part of each place is sent", () => {
  const [old, now] = [100, 50].map((maxLength) =>
    api({ Top: { type: "object", properties: { t: { type: "string", maxLength } } } }),
  );
  const sends = new Map([
    ["/query/a/t", { always: true, schema: { type: "string", maxLength: 10 } as const }],
    ["/query/b/t", { always: true, schema: { type: "string" } as const }],
  ]);
  expect(requestLines(cut(old), now, OPTIONS, { sends })[0]).toBe(
    "break request-property-max-length-decreased /query/b/t",
  );
});

verifies(
  "contract.use",
  "items that are taken by their numbers keep what each is taken for",
  () => {
    const text = { type: "string" };
    const properties = { a: text, b: text, c: text };
    const l = { type: "array", items: { type: "object", properties } };
    const projection = new Map([
      ["a", field("/l/0/a")],
      ["b", field("/l/1/b")],
    ]);
    const { statuses } = cut(api({ Top: { type: "object", properties: { l } } }), {
      projection,
    }).response;
    expect(statuses["200"]?.content["application/json"]).toMatchObject({
      properties: { l: { items: { properties: { a: text, b: text } } } },
    });
    expect(JSON.stringify(statuses)).not.toContain('"c"');
  },
);

test("a version that YAML reads as a number is that version", () => {
  const document = api({ Top: { type: "string" } });
  expect(cut({ ...document, openapi: 3.1 }).operation).toBe("GET /x");
  expect(cut({ ...document, openapi: undefined, swagger: 2 }).operation).toBe("GET /x");
  expect(() => cut({ ...document, openapi: 4 })).toThrow("not an OpenAPI document");
});

test("a constant and a listed value are equal in whichever order their keys stand", () => {
  const value = { b: 2, a: [{ d: 1, c: 2 }] };
  const other = { a: [{ c: 2, d: 1 }], b: 2 };
  expect(mismatches({ const: other }, value)).toEqual([]);
  expect(mismatches({ enum: [1, other] }, value)).toEqual([]);
  expect(mismatches({ const: { ...other, b: 3 } }, value)).toHaveLength(1);
});

test("a property called __proto__ is one", () => {
  const odd = JSON.parse('{"properties":{"__proto__":{"type":"string"}}}') as object;
  const view = new SchemaView({ allOf: [{ properties: {} }, odd] });
  expect([...(view.property("__proto__")?.types ?? [])]).toEqual(["string"]);
});
