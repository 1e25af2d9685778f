// One answer of a list that says that there is more: an error, unless whoever asked knows.
import { expect } from "vitest";
import { unsaidRest } from "../../../src/gate/whole.ts";
import { declarative, LIST, listing, TEXT } from "../../setup/listing-tool.ts";
import { catalogOf } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const { items } = LIST.output;
const MORE = { body: { data: [], next_cursor: "x" } };

function restOf(changes: Json, args: Json = {}): unknown {
  return unsaidRest(declarative(catalogOf(listing(changes))), args, MORE)?.details?.["limit"];
}

verifies("contract.pages", "a part is one also where the list is in a record", () => {
  expect(restOf({ output: { items } })).toBe("one_page");
  expect(restOf({ output: { all: { from: "/all", fields: { items } } } })).toBe("one_page");
  expect(
    restOf({ output: { all: { from: "/all", fields: { q: { from: "/q", schema: TEXT } } } } }),
  ).toBeUndefined();
});

verifies("contract.pages", "a day after which records are meant asks for no part", () => {
  const after = (schema: Json): Json => ({
    input: { after: { in: "query", optional: true, schema } },
    output: { items },
  });
  const day = { type: "string", format: "date" };
  expect(restOf(after(day), { after: "2026-11-28" })).toBe("one_page");
  expect(restOf(after(TEXT), { after: "cursor" })).toBeUndefined();
});
