// Pagination in a tool's file: what is no such thing stops the load; what a document makes plain is
// proposed; and a change of what leads on is drift.
import { describe, expect } from "vitest";
import type { Catalog, DeclarativeTool } from "../../../src/catalog/definition.ts";
import { lintTools } from "../../../src/catalog/lint.ts";
import { contractsOf } from "../../../src/catalog/drift.ts";
import { reliedOn } from "../../../src/catalog/pagination.ts";
import { judge } from "../../../src/contract/compare.ts";
import { moreIn, nextLinks } from "../../../src/contract/paging.ts";
import { hashesOf, sliceOf } from "../../../src/contract/slice.ts";
import { documentOf, drafted } from "../../setup/openapi.ts";
import { catalogOf, problemsOf, toolFile } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const ID = { id: { from: "/id", schema: { type: "integer" } } };
const TEXT = { type: "string", maxLength: 40 };
const LIST = {
  operation: "GET /items",
  target: "none",
  input: { q: { in: "query", optional: true, schema: TEXT } },
  output: {
    items: { from: "/data", items: ID },
    total: { from: "/total", optional: true, schema: { type: "integer" } },
  },
};
const CURSOR = { style: "cursor", items: "items", parameter: "cursor", next: { from: "/next" } };
const PAGE = { style: "page", items: "items", parameter: "page" };

const listing = (changes: Json = {}): Json => toolFile("item_list", { ...LIST, ...changes });

function declarative(catalog: Catalog): DeclarativeTool {
  const tool = catalog.tools.get("item_list");
  if (tool?.kind !== "declarative") throw new Error("no tool");
  return tool;
}

describe("a tool's pagination", () => {
  const WRONG: Readonly<Record<string, readonly [Json, string]>> = {
    "of no style": [{ pagination: { ...CURSOR, style: "scroll" } }, "/pagination"],
    "that leads to a cursor in two ways": [
      { pagination: { ...CURSOR, last: "/id", more: "/more" } },
      "/pagination",
    ],
    "that leads to no cursor": [{ pagination: { ...CURSOR, next: undefined } }, "/pagination"],
    "that never knows the end": [
      { pagination: { ...CURSOR, next: undefined, last: "/id" } },
      "/pagination",
    ],
    "with two ends": [{ pagination: { ...PAGE, total: "/a", pages: "/b" } }, "/pagination"],
    "without bounds": [{ pagination: { ...CURSOR, pages_max: 1000 } }, "/pagination/pages_max"],
    "of one page": [{ pagination: { ...CURSOR, pages_max: 1 } }, "/pagination/pages_max"],
    "of more than a result may hold": [
      { pagination: { ...CURSOR, items_max: 1001 } },
      "/pagination/items_max",
    ],
    "of no list": [{ pagination: { ...CURSOR, items: "total" } }, "/pagination/items"],
    "of an unknown list": [{ pagination: { ...CURSOR, items: "rows" } }, "/pagination/items"],
    "of a list that is shorter": [
      {
        output: { items: { from: "/d", schema: { type: "array", items: TEXT, maxItems: 9 } } },
        pagination: CURSOR,
      },
      "/pagination/items_max",
    ],
    "by an argument of the agent's": [
      { input: { cursor: { in: "query", schema: TEXT } }, pagination: CURSOR },
      "/pagination",
    ],
    "by what is fixed": [{ fixed: { query: { page: "2" } }, pagination: PAGE }, "/pagination"],
    "that is told all the same": [
      {
        output: { ...LIST.output, next: { from: "/next", schema: TEXT } },
        pagination: CURSOR,
      },
      "/output/next",
    ],
    "of a write": [
      {
        operation: "POST /items",
        effects: { readOnly: false, destructive: false, idempotent: false, openWorld: true },
        pagination: CURSOR,
      },
      "/pagination",
    ],
    "of a search that is posted": [{ operation: "POST /items", pagination: CURSOR }, "/pagination"],
  };
  for (const [what, [changes, pointer]] of Object.entries(WRONG)) {
    verifies("contract.pages", `${what} stops the load`, () => {
      const problems = problemsOf(() => catalogOf(listing(changes)));
      expect(problems.map((one) => one.pointer)).toEqual([pointer]);
    });
  }

  verifies("tools.lock", "is a part of what is approved, and only where it is said", () => {
    const hash = (changes: Json): string => declarative(catalogOf(listing(changes))).hash;
    expect(hash({ pagination: CURSOR })).not.toBe(hash({}));
    expect(hash({ pagination: CURSOR })).not.toBe(hash({ pagination: PAGE }));
    expect(hash({ pagination: "first_page" })).not.toBe(hash({}));
    expect(declarative(catalogOf(listing())).meaning["file"]).not.toHaveProperty("pagination");
  });
});

type Answer = Readonly<Record<string, unknown>>;
const object = (properties: Json, required: readonly string[] = Object.keys(properties)): Json => ({
  type: "object",
  properties,
  required,
});
const INTEGER = { type: "integer" };
const ITEMS = { type: "array", items: object({ id: INTEGER, name: { type: "string" } }) };
const asked = (...names: readonly (string | Json)[]): readonly Json[] =>
  names.map((one) =>
    typeof one === "string" ? { name: one, in: "query", schema: { type: "string" } } : one,
  );
const number = (name: string, schema: Json = {}): Json => ({
  name,
  in: "query",
  schema: { type: "integer", ...schema },
});

function api(parameters: readonly Json[], answer: Answer, headers: Json = {}): Json {
  const content = { "application/json": { schema: answer } };
  const get = { parameters, responses: { "200": { description: "", headers, content } } };
  return {
    openapi: "3.1.0",
    info: { title: "x", version: "1" },
    servers: [{ url: "https://shop.test" }],
    paths: { "/items": { get } },
  };
}

interface Plain {
  readonly what: string;
  readonly document: Json;
  readonly pagination: Json | undefined;
  readonly input?: readonly string[];
  readonly output?: readonly string[];
  readonly fixed?: Json;
}

const LINK = { Link: { schema: { type: "string" } } };
const PLAIN: readonly Plain[] = [
  {
    what: "a cursor and the next one",
    document: api(
      asked("q", "cursor", number("limit", { maximum: 200 })),
      object({
        items: ITEMS,
        next_cursor: { type: ["string", "null"] },
      }),
    ),
    pagination: { style: "cursor", parameter: "cursor", next: { from: "/next_cursor" } },
    input: ["q"],
    output: ["items"],
    fixed: { query: { limit: "200" } },
  },
  {
    what: "a page token that is left out at the end",
    document: api(
      asked("pageToken"),
      object({ items: ITEMS, nextPageToken: { type: "string" } }, []),
    ),
    pagination: {
      style: "cursor",
      parameter: "pageToken",
      next: { from: "/nextPageToken", optional: true },
    },
  },
  {
    what: "a cursor deep in a record of its own",
    document: api(
      asked("after"),
      object(
        {
          results: ITEMS,
          paging: object(
            { next: object({ after: { type: "string" }, link: { type: "string" } }) },
            [],
          ),
        },
        ["results"],
      ),
    ),
    pagination: {
      style: "cursor",
      parameter: "after",
      next: { from: "/paging/next/after", optional: true },
    },
    output: ["results"],
  },
  {
    what: "the last item, and whether there is more",
    document: api(
      asked("starting_after", "ending_before", number("limit")),
      object({
        data: ITEMS,
        has_more: { type: "boolean" },
      }),
    ),
    pagination: { style: "cursor", parameter: "starting_after", last: "/id", more: "/has_more" },
    input: [],
    output: ["data"],
  },
  {
    what: "pages, and a header that links them",
    document: api(
      [number("page"), { ...number("per_page"), description: "Results per page (max 100)." }],
      ITEMS,
      LINK,
    ),
    pagination: { style: "link", parameters: ["page"] },
    input: [],
    fixed: { query: { per_page: "100" } },
  },
  {
    what: "a link in the answer",
    document: api(
      [number("offset")],
      object({
        results: ITEMS,
        next: { type: ["string", "null"], format: "uri" },
      }),
    ),
    pagination: { style: "link", parameters: ["offset"], next: { from: "/next" } },
    output: ["results"],
  },
  {
    what: "page numbers from 0 and how many pages there are",
    document: api(
      [number("page", { minimum: 0 }), number("size", { maximum: 50 })],
      object({
        items: ITEMS,
        total_pages: INTEGER,
      }),
    ),
    pagination: { style: "page", parameter: "page", first: 0, pages: "/total_pages" },
    fixed: { query: { size: "50" } },
  },
  {
    what: "an offset and a total",
    document: api(
      [number("startAt"), number("maxResults", { maximum: 5000 })],
      object({
        issues: ITEMS,
        total: INTEGER,
      }),
    ),
    pagination: { style: "page", parameter: "startAt", counts: "items", total: "/total" },
    output: ["issues", "total"],
    fixed: { query: { maxResults: "1000" } },
  },
  {
    what: "nothing of pages",
    document: api(asked("q"), object({ items: ITEMS })),
    pagination: undefined,
    input: ["q"],
  },
  {
    what: "a date that is called after",
    document: api(asked("after", "from"), object({ items: ITEMS })),
    pagination: undefined,
    input: ["after", "from"],
  },
  {
    what: "a size without a position: the draft says at least that there is more",
    document: api([number("limit")], object({ items: ITEMS, has_more: { type: "boolean" } })),
    pagination: undefined,
    input: ["limit"],
    output: ["items", "has_more"],
  },
  {
    what: "a page that must be named",
    document: api(
      [{ ...number("page"), required: true }, number("limit")],
      object({ items: ITEMS }),
    ),
    pagination: undefined,
    input: ["page", "limit"],
  },
];

describe("a draft of a list", () => {
  for (const { what, document, pagination, input, output, fixed } of PLAIN) {
    const so = pagination === undefined ? "is left as it is" : "asks for all pages";
    verifies("contract.pages", `whose API has ${what} ${so}`, async () => {
      const file = await drafted(documentOf(document));
      const { items: _items, ...said } = (file["pagination"] ?? {}) as Json;
      expect(said).toEqual(pagination ?? {});
      if (input !== undefined) expect(Object.keys(file["input"] as Json)).toEqual(input);
      if (output !== undefined) expect(Object.keys(file["output"] as Json)).toEqual(output);
      expect(file["fixed"]).toEqual(fixed);
    });
  }
});

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

describe("an answer that is not all there is", () => {
  const SAYS: readonly (readonly [unknown, string | undefined])[] = [
    [{ has_more: true }, "/has_more"],
    [{ hasMore: true }, "/hasMore"],
    [{ has_more: false, next_cursor: null }, undefined],
    [{ next_cursor: "x" }, "/next_cursor"],
    [{ next_cursor: "" }, undefined],
    [{ nextPageToken: "x" }, "/nextPageToken"],
    [{ next: "https://x.test/?page=2" }, "/next"],
    [{ next_page: { offset: "x" } }, "/next_page"],
    [{ response_metadata: { next_cursor: "x" } }, "/response_metadata/next_cursor"],
    [{ paging: { next: { after: "1" } } }, "/paging/next"],
    [{ _links: { next: { href: "/x" } } }, "/_links/next"],
    [{ "@odata.nextLink": "https://x.test" }, "/@odata.nextLink"],
    [{ metadata: { continue: "x" } }, "/metadata/continue"],
    [{ page_info: { has_next_page: true, end_cursor: "x" } }, "/page_info/has_next_page"],
    [{ data: [{ next: "x", has_more: true }] }, undefined],
    [{ more: "yes", end_cursor: "x", total: 40 }, undefined],
    [[{ has_more: true }], undefined],
    [null, undefined],
  ];
  verifies("contract.pages", "says so in the words that APIs use", () => {
    for (const [answer, at] of SAYS) expect([answer, moreIn(answer)]).toEqual([answer, at]);
  });

  const LINKS: readonly (readonly [string, readonly string[]])[] = [
    ['<a?p=2>; rel="next"', ["a?p=2"]],
    ["<a>; rel=next", ["a"]],
    ['<a>; REL = "prev NEXT"', ["a"]],
    ['<a>; rel="prev", <b>;title="x, y"; rel="next", <c>; rel="last"', ["b"]],
    ['<a>; title="; rel=next"; rel="prev"', []],
    ['<a>; rel="prev"; rel="next"', []],
    ['<a>; rel="nextish"', []],
    ["a; rel=next", []],
    ["<a; rel=next", []],
    ['<a>; rel="next', []],
    ["", []],
  ];
  verifies("contract.pages", "or by a link, as RFC 8288 writes it", () => {
    for (const [header, targets] of LINKS)
      expect([header, nextLinks(header)]).toEqual([header, targets]);
  });
});
