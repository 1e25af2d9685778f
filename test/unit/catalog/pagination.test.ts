// Pagination in a tool's file: what is no such thing stops the load. And the words in which an
// answer says that it is not all there is.
import { describe, expect } from "vitest";
import { moreIn, nextLinks } from "../../../src/contract/paging.ts";
import { CURSOR, declarative, LIST, listing, PAGE, TEXT } from "../../setup/listing-tool.ts";
import { catalogOf, problemsOf } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

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
