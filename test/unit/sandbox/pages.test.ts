// From page to page: against an API that is honest every item comes once, whatever its style; and
// one that is not ends in an error.
import * as fc from "fast-check";
import { describe, expect } from "vitest";
import type { DeclarativeTool } from "../../../src/catalog/definition.ts";
import { projectPages } from "../../../src/contract/projection.ts";
import { Pages } from "../../../src/sandbox/pages.ts";
import { buildRequest } from "../../../src/sandbox/request.ts";
import { catalogOf, toolFile } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const ORIGIN = "https://shop.test";
const PATH = "/v1/items";
const Q = { in: "query", optional: true, schema: { type: "string", maxLength: 40 } };

function listing(pagination: Json, changes: Json = {}): DeclarativeTool {
  const list = { from: "/data", items: { id: { from: "/id", schema: { type: "integer" } } } };
  const file = toolFile("item_list", {
    operation: `GET ${PATH}`,
    input: { q: Q },
    output: { items: list },
    target: "none",
    pagination: { items: "items", ...pagination },
    ...changes,
  });
  const tool = catalogOf(file).tools.get("item_list");
  if (tool?.kind !== "declarative") throw new Error("no tool");
  return tool;
}

interface Said {
  readonly body: Json;
  readonly link?: string;
}
type Api = (query: URLSearchParams) => Said;

interface Read {
  readonly ids?: readonly unknown[];
  readonly code?: string;
  readonly details?: unknown;
  readonly asked: readonly string[];
}

/** Reads all of it, as the gate does. */
function read(tool: DeclarativeTool, api: Api, args: Json = {}): Read {
  const built = buildRequest(tool, args);
  if (!built.ok) throw new Error("no request");
  const pages = new Pages(tool, built.value, ORIGIN);
  const asked: string[] = [];
  for (let next = built.value; ;) {
    asked.push(next.path);
    const { pathname, searchParams } = new URL(next.path, ORIGIN);
    expect(pathname).toBe(PATH);
    const after = pages.take(api(searchParams));
    if (!after.ok) return { ...after.refusal, asked };
    if (after.value === undefined) break;
    next = after.value;
  }
  const { value, drift } = projectPages(tool.output, pages.bodies, "items");
  expect(drift).toEqual([]);
  return { ids: (value["items"] as Json[]).map(({ id }) => id), asked };
}

const rows = (from: number, to: number) =>
  Array.from({ length: Math.max(to - from, 0) }, (_none, i) => ({ id: from + i }));

/** The styles as APIs have them: how the tool says it, and an API of `n` items, `k` a page. */
const STYLES: Readonly<Record<string, { said: Json; api: (n: number, k: number) => Api }>> = {
  "a cursor": {
    said: { style: "cursor", parameter: "cursor", next: { from: "/next_cursor" } },
    api: (n, k) => (query) => {
      const from = Number(query.get("cursor") ?? 0);
      const next_cursor = from + k < n ? String(from + k) : null;
      return { body: { data: rows(from, Math.min(from + k, n)), next_cursor } };
    },
  },
  "a cursor that is left out at the end": {
    said: { style: "cursor", parameter: "after", next: { from: "/p/next/after", optional: true } },
    api: (n, k) => (query) => {
      const from = Number(query.get("after") ?? 0);
      const p = from + k < n ? { next: { after: from + k } } : {};
      return { body: { data: rows(from, Math.min(from + k, n)), p } };
    },
  },
  "the last item's id": {
    said: { style: "cursor", parameter: "starting_after", last: "/id", more: "/has_more" },
    api: (n, k) => (query) => {
      const from = Number(query.get("starting_after") ?? -1) + 1;
      return { body: { data: rows(from, Math.min(from + k, n)), has_more: from + k < n } };
    },
  },
  "a header": {
    said: { style: "link", parameters: ["page"] },
    api: (n, k) => (query) => {
      const page = Number(query.get("page") ?? 1);
      const first = `<${ORIGIN}${PATH}?page=1>; title="a, <b>; rel=next"; rel="first"`;
      const next = `<${ORIGIN}/repositories/7/items?q=x&page=${page + 1}>; rel="last next"`;
      const link = page * k < n ? `${first}, ${next}` : first;
      return { body: { data: rows(page * k - k, Math.min(page * k, n)) }, link };
    },
  },
  "a link in the answer": {
    said: { style: "link", parameters: ["offset"], next: { from: "/links/next" } },
    api: (n, k) => (query) => {
      const from = Number(query.get("offset") ?? 0);
      const next = from + k < n ? `?offset=${from + k}` : null;
      return { body: { data: rows(from, Math.min(from + k, n)), links: { next } } };
    },
  },
  "page numbers": {
    said: { style: "page", parameter: "page" },
    api: (n, k) => (query) => {
      const page = Number(query.get("page") ?? 1);
      return { body: { data: rows(page * k - k, Math.min(page * k, n)) } };
    },
  },
  "page numbers from 0, and how many": {
    said: { style: "page", parameter: "page", first: 0, pages: "/pages" },
    api: (n, k) => (query) => {
      const page = Number(query.get("page") ?? 0);
      const data = rows(page * k, Math.min(page * k + k, n));
      return { body: { data, pages: Math.ceil(n / k) } };
    },
  },
  "an offset and a total": {
    said: { style: "page", parameter: "offset", counts: "items", total: "/total" },
    api: (n, k) => (query) => {
      const from = Number(query.get("offset") ?? 0);
      return { body: { data: rows(from, Math.min(from + k, n)), total: n } };
    },
  },
  "an offset and whether there is more": {
    said: { style: "page", parameter: "offset", counts: "items", more: "/more" },
    api: (n, k) => (query) => {
      const from = Number(query.get("offset") ?? 0);
      return { body: { data: rows(from, Math.min(from + k, n)), more: from + k < n } };
    },
  },
};

describe("an honest API's pages", () => {
  for (const [style, { said, api }] of Object.entries(STYLES)) {
    verifies("contract.pages", `by ${style} are one list, whatever their size`, () => {
      const tool = listing({ ...said, pages_max: 100 });
      fc.assert(
        fc.property(fc.nat(80), fc.integer({ min: 1, max: 30 }), (n, k) => {
          const { ids, asked } = read(tool, api(n, k), { q: "x" });
          expect(ids).toEqual(rows(0, n).map(({ id }) => id));
          expect(asked.length).toBeLessThanOrEqual(Math.ceil(n / k) + 1);
          // The argument that was checked is the one that is sent, each time.
          for (const path of asked) expect(new URL(path, ORIGIN).searchParams.get("q")).toBe("x");
        }),
        { numRuns: 60 },
      );
    });

    verifies("contract.pages", `by ${style} that are too many are an error, not a part`, () => {
      const more = read(listing({ ...said, items_max: 25, pages_max: 100 }), api(26, 10));
      expect(more).toMatchObject({
        code: "result_too_large",
        details: { limit: "items_max", max: 25 },
      });
      const all = read(listing({ ...said, items_max: 26, pages_max: 100 }), api(26, 10));
      expect(all.ids).toHaveLength(26);
      const endless = read(listing({ ...said, pages_max: 3 }), api(1_000_000_000, 10));
      expect(endless).toMatchObject({ code: "result_too_large", details: { limit: "pages_max" } });
      expect(endless.asked).toHaveLength(3);
    });
  }
});

describe("an API that answers with its last page beyond the last", () => {
  const clamped: Api = (query) => {
    const page = Math.min(Number(query.get("page") ?? 1), 3);
    return { body: { data: rows(page * 10 - 10, page * 10) } };
  };
  const numbers = { style: "page", parameter: "page" };
  const size = { fixed: { query: { per_page: "10" } } };

  verifies("contract.pages", "has ended, where it gave others before or a short one", () => {
    expect(read(listing(numbers), clamped).ids).toHaveLength(30);
    const short: Api = () => ({ body: { data: rows(0, 4) } });
    expect(read(listing(numbers, size), short).ids).toHaveLength(4);
  });

  verifies("contract.pages-hostile", "has not, where all that it gave may be a part", () => {
    const full: Api = () => ({ body: { data: rows(0, 10) } });
    expect(read(listing(numbers, size), full).code).toBe("contract_drift");
    expect(
      read(listing({ ...numbers, more: "/more" }), (query) => ({
        body: { ...clamped(query).body, more: true },
      })).code,
    ).toBe("contract_drift");
    const round: Api = (query) => {
      const page = Number(query.get("page") ?? 1) % 3;
      return { body: { data: rows(page * 10, page * 10 + 10) } };
    };
    expect(read(listing(numbers), round).code).toBe("contract_drift");
  });
});

const ONE = rows(0, 1);
const cursor = (more: Json = {}) => ({
  style: "cursor",
  parameter: "cursor",
  next: { from: "/next" },
  ...more,
});
const byHeader = { style: "link", parameters: ["page"] };
const linked =
  (link: string): Api =>
  () => ({ body: { data: ONE }, link });
const said =
  (body: Json): Api =>
  () => ({ body });

const HOSTILE: Readonly<Record<string, readonly [Json, Api, string]>> = {
  "a cursor that comes again": [cursor(), said({ data: ONE, next: "a" }), "contract_drift"],
  "cursors that go round": [
    cursor(),
    (query) => ({ body: { data: ONE, next: query.get("cursor") === "a" ? "b" : "a" } }),
    "contract_drift",
  ],
  "no cursor where one was agreed": [cursor(), said({ data: ONE }), "contract_drift"],
  "a cursor that is a record": [cursor(), said({ data: ONE, next: {} }), "contract_drift"],
  "a cursor without an end": [
    cursor(),
    said({ data: ONE, next: "x".repeat(5000) }),
    "contract_drift",
  ],
  "half a character": [cursor(), said({ data: ONE, next: "\ud800" }), "contract_drift"],
  "a list that is none": [cursor(), said({ data: { 0: 1 }, next: null }), "contract_drift"],
  "no list": [cursor(), said({ next: null }), "contract_drift"],
  "more, and nothing that leads there": [
    { style: "cursor", parameter: "c", last: "/id", more: "/more" },
    said({ data: [], more: true }),
    "contract_drift",
  ],
  "an end, and a word of more": [
    cursor({ next: { from: "/next", optional: true } }),
    said({ data: ONE, has_more: true }),
    "contract_drift",
  ],
  "an end, and a link to more": [
    cursor(),
    () => ({ body: { data: ONE, next: null }, link: "<?page=2>; rel=next" }),
    "contract_drift",
  ],
  "no header, and a word of more": [
    byHeader,
    said({ data: ONE, paging: { next: { after: "x" } } }),
    "contract_drift",
  ],
  "more in words": [cursor({ more: "/more" }), said({ data: ONE, more: "yes" }), "contract_drift"],
  "a link elsewhere": [byHeader, linked(`<https://evil.test/?page=2>; rel=next`), "egress_refused"],
  "a link to another port": [
    byHeader,
    linked(`<${ORIGIN}:8443${PATH}?page=2>; rel=next`),
    "egress_refused",
  ],
  "a link to a file": [
    byHeader,
    linked(`<file:///etc/passwd?page=2>; rel="next"`),
    "egress_refused",
  ],
  "a link that is none": [byHeader, linked(`<http://[>; rel="next"`), "contract_drift"],
  "two links to go on": [
    byHeader,
    linked(`<?page=2>; rel=next, <?page=3>; rel=next`),
    "contract_drift",
  ],
  "a link that sets only another argument": [
    byHeader,
    linked(`<?q=other>; rel=next`),
    "contract_drift",
  ],
  "a link that leads in a circle": [byHeader, linked(`<?page=2>; rel=next`), "contract_drift"],
  "a page that comes again": [
    { style: "page", parameter: "page" },
    said({ data: ONE }),
    "contract_drift",
  ],
  "the same page until the total": [
    { style: "page", parameter: "page", total: "/total" },
    said({ data: ONE, total: 3 }),
    "contract_drift",
  ],
  "fewer than it says": [
    { style: "page", parameter: "offset", counts: "items", total: "/total" },
    (query) => ({ body: { data: query.has("offset") ? [] : ONE, total: 3 } }),
    "contract_drift",
  ],
  "an empty page before the last": [
    { style: "page", parameter: "page", pages: "/pages" },
    (query) => ({ body: { data: query.has("page") ? [] : ONE, pages: 3 } }),
    "contract_drift",
  ],
  "a total in words": [
    { style: "page", parameter: "page", total: "/total" },
    said({ data: ONE, total: "3" }),
    "contract_drift",
  ],
  "10,000 items in one page": [
    cursor(),
    said({ data: rows(0, 10_000), next: null }),
    "result_too_large",
  ],
};

describe("an API's pages that cannot be followed", () => {
  for (const [what, [pagination, api, code]] of Object.entries(HOSTILE)) {
    verifies("contract.pages-hostile", `${what} is ${code}`, () => {
      const { code: found, ids, asked } = read(listing(pagination), api);
      expect([found, ids]).toEqual([code, undefined]);
      expect(asked.length).toBeLessThanOrEqual(3);
    });
  }

  verifies(
    "contract.pages-hostile",
    "a link changes no argument but those that the tool names",
    () => {
      const tool = listing(byHeader);
      const where = fc.constantFrom("", "/x", `${ORIGIN}/y`, "//shop.test/z", "//evil.test", "x:");
      const field = fc.tuple(
        fc.constantFrom("page", "q", "a", "q[]", "Q"),
        fc.string({ maxLength: 12, unit: "grapheme" }),
      );
      const links = fc
        .tuple(where, fc.array(field, { maxLength: 5 }))
        .map(([at, fields]) => `${at}?${new URLSearchParams(fields).toString()}`);
      fc.assert(
        fc.property(links, (target) => {
          for (const path of read(tool, linked(`<${target}>; rel=next`), { q: "mine" }).asked) {
            const sent = new URL(path, ORIGIN).searchParams;
            expect(sent.getAll("q")).toEqual(["mine"]);
            expect([...sent.keys()].every((name) => name === "q" || name === "page")).toBe(true);
          }
        }),
        { numRuns: 200 },
      );
    },
  );
});
