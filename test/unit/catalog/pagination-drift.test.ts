// What leads to the next page is a part of the contract: its loss is drift, and a tool that does
// not follow it is told of.
import { describe, expect } from "vitest";
import { contractsOf } from "../../../src/catalog/drift.ts";
import { lintTools } from "../../../src/catalog/lint.ts";
import { reliedOn } from "../../../src/catalog/pagination.ts";
import { judge } from "../../../src/contract/compare.ts";
import { hashesOf, sliceOf } from "../../../src/contract/slice.ts";
import { catalogOf } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { api, asked, INTEGER, ITEMS, LINK, number, object } from "../../setup/openapi-lists.ts";
import { CURSOR, declarative, LIST, listing, PAGE } from "../../setup/listing-tool.ts";
import { verifies } from "../../verifies.ts";

const OPTIONS = { source: { from: "test", sha256: "0", retrieved: "2026-11-28" } };

function pinned(document: Json, changes: Json) {
  const tool = declarative(catalogOf(listing(changes)));
  const options = { ...OPTIONS, projection: reliedOn(tool) };
  const slice = sliceOf(document, "GET /items", options);
  const pin = { slice, hashes: { ...hashesOf(slice), source: "" } };
  return { tool: Object.freeze({ ...tool, pin }), slice, options };
}

function drift(before: Json, after: Json, changes: Json): readonly string[] {
  const { tool, slice, options } = pinned(before, changes);
  const catalog = { ...catalogOf(), tools: new Map([[tool.name, tool]]) };
  const lock = { file: "", exists: true, tools: {} };
  const [contract] = contractsOf(catalog, lock, { tools_dir: "/", connectors: {} }, 0);
  const { findings } = judge(slice, after, options, contract?.use);
  return findings.map(({ severity, rule, pointer }) => `${severity} ${rule} ${pointer}`);
}

describe("what leads to the next page", () => {
  const odd = { pagination: { ...CURSOR, next: { from: "/more/to/come" }, parameter: "at" } };
  const deep = object({ data: ITEMS, more: object({ to: object({ come: { type: "string" } }) }) });
  const page = { pagination: { ...PAGE, total: "/sum" } };
  const counted = object({ data: ITEMS, sum: INTEGER });
  const link = { pagination: { style: "link", items: "items", parameters: ["page"] } };
  const list = object({ data: ITEMS });
  const GONE: Readonly<Record<string, readonly [Json, Json, Json, string]>> = {
    "a cursor, whatever its name": [
      api(asked("at"), deep),
      api(asked("at"), object({ data: ITEMS, more: object({ to: object({}) }) })),
      odd,
      "break pagination-field-removed /200/body/more/to/come",
    ],
    "the record that it is in": [
      api(asked("at"), deep),
      api(asked("at"), list),
      odd,
      "break pagination-field-removed /200/body/more",
    ],
    "the parameter that it goes to": [
      api(asked("at"), deep),
      api([], deep),
      odd,
      "break request-parameter-removed /query/at",
    ],
    "the count of all": [
      api([number("page")], counted),
      api([number("page")], list),
      page,
      "break pagination-field-removed /200/body/sum",
    ],
    "the last item's own": [
      api(asked("at"), object({ data: ITEMS, more: { type: "boolean" } })),
      api(
        asked("at"),
        object({
          data: { type: "array", items: object({ name: { type: "string" } }) },
          more: { type: "boolean" },
        }),
      ),
      {
        output: {
          items: { from: "/data", items: { n: { from: "/name", schema: { type: "string" } } } },
        },
        pagination: {
          style: "cursor",
          items: "items",
          parameter: "at",
          last: "/id",
          more: "/more",
        },
      },
      "break pagination-field-removed /200/body/data/*/id",
    ],
    "the header": [
      api([number("page")], list, LINK),
      api([number("page")], list),
      link,
      "break pagination-field-removed /200/header/link",
    ],
  };
  for (const [what, [before, after, changes, finding]] of Object.entries(GONE)) {
    verifies("contract.pages-drift", `${what}: gone, it stops the tool`, () => {
      expect(drift(before, before, changes)).toEqual([]);
      expect(drift(before, after, changes)).toEqual([finding]);
    });
  }

  verifies("contract.pages-drift", "which a tool does not follow is no break", () => {
    const [before, after] = [api([number("page")], list, LINK), api([number("page")], list)];
    expect(drift(before, after, {})).toEqual([
      "warn optional-response-header-removed /200/header/link",
    ]);
    expect(drift(api([], counted), api([], list), {})).toEqual([]);
  });

  verifies("contract.pages", "and is not followed is told to who approves the tool", () => {
    const rules = (document: Json, changes: Json): string[] => {
      const { tool } = pinned(document, changes);
      return lintTools([tool], () => undefined).map(({ rule }) => rule);
    };
    const without = { output: { items: LIST.output.items } };
    const paged = api([number("page")], list);
    expect(rules(paged, without)).toEqual(["one_page"]);
    expect(rules(api([], list, LINK), without)).toEqual(["one_page"]);
    expect(rules(api([], list), without)).toEqual([]);
    expect(rules(paged, {})).toEqual([]);
    expect(rules(paged, { ...without, pagination: "first_page" })).toEqual([]);
    expect(rules(paged, { ...without, pagination: PAGE })).toEqual([]);
    const own = { page: { in: "query", optional: true, schema: INTEGER } };
    expect(rules(paged, { ...without, input: own })).toEqual([]);
  });
});
