// A tool that reads a list, as a file of the minimal catalogue.
import type { Catalog, DeclarativeTool } from "../../src/catalog/definition.ts";
import { toolFile } from "./minimal.ts";
import type { Json } from "./minimal.ts";

const ID = { id: { from: "/id", schema: { type: "integer" } } };
export const TEXT = { type: "string", maxLength: 40 };
export const LIST = {
  operation: "GET /items",
  target: "none",
  input: { q: { in: "query", optional: true, schema: TEXT } },
  output: {
    items: { from: "/data", items: ID },
    total: { from: "/total", optional: true, schema: { type: "integer" } },
  },
};
export const CURSOR = {
  style: "cursor",
  items: "items",
  parameter: "cursor",
  next: { from: "/next" },
};
export const PAGE = { style: "page", items: "items", parameter: "page" };

export const listing = (changes: Json = {}): Json => toolFile("item_list", { ...LIST, ...changes });

export function declarative(catalog: Catalog): DeclarativeTool {
  const tool = catalog.tools.get("item_list");
  if (tool?.kind !== "declarative") throw new Error("no tool");
  return tool;
}
