// How a list goes on, where a document makes it plain, and where it does not.
import { describe, expect } from "vitest";
import type { Json } from "../../../setup/minimal.ts";
import { documentOf, drafted } from "../../../setup/openapi.ts";
import { api, asked, INTEGER, ITEMS, LINK, number, object } from "../../../setup/openapi-lists.ts";
import { verifies } from "../../../verifies.ts";

interface Plain {
  readonly what: string;
  readonly document: Json;
  readonly pagination: Json | undefined;
  readonly input?: readonly string[];
  readonly output?: readonly string[];
  readonly fixed?: Json;
}

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
    what: "a cursor that may be missing, and a word that is not",
    document: api(
      asked("cursor"),
      object({ data: ITEMS, has_more: { type: "boolean" }, next_cursor: { type: "string" } }, [
        "data",
        "has_more",
      ]),
    ),
    pagination: {
      style: "cursor",
      parameter: "cursor",
      next: { from: "/next_cursor", optional: true },
      more: "/has_more",
    },
    output: ["data"],
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
    what: "page numbers from 0 of which the first is usual, and no word of how many",
    document: api(
      [number("page", { minimum: 0, default: 1 }), number("size", { maximum: 50 })],
      object({ items: ITEMS }),
    ),
    pagination: { style: "page", parameter: "page" },
    fixed: { query: { size: "50" } },
  },
  {
    what: "page numbers from 0 and the last one's number",
    document: api(
      [number("page", { minimum: 0 }), number("size", { maximum: 50 })],
      object({ items: ITEMS, lastPage: INTEGER }),
    ),
    pagination: { style: "page", parameter: "page", first: 0 },
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
