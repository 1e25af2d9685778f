/** Lists: filtered rows in the order of their ids, a page at a time. */

import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { ApiError } from "./api-error.ts";
import { type Input, object, type Parameter, query } from "./operation.ts";
import type { RowFilter } from "./permissions.ts";

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;

export const PAGE_PARAMETERS: Readonly<Record<string, Parameter>> = {
  limit: query("How many items to answer with.", {
    type: "integer",
    minimum: 1,
    maximum: LIMIT_MAX,
    default: LIMIT_DEFAULT,
  }),
  cursor: query("Where to go on: next_cursor of the page before.", {
    type: "string",
    maxLength: 64,
  }),
};

export const SEARCH_PARAMETER = query("Text to look for.", { type: "string", maxLength: 200 });

export function pageSchema(item: string) {
  return object({
    items: { type: "array", items: { $ref: `#/components/schemas/${item}` } },
    next_cursor: { type: ["string", "null"] },
  });
}

export interface PageQuery {
  readonly select: string;
  readonly filters: readonly (RowFilter | undefined)[];
  readonly input: Input;
}

export function readPage(db: DatabaseSync, { select, filters, input }: PageQuery) {
  const limit = Number(input["limit"] ?? LIMIT_DEFAULT);
  const after = { where: "id > ?", values: [decodeCursor(input["cursor"])] };
  const all = [...filters, after].filter((filter) => filter !== undefined);
  const where = all.map((filter) => `(${filter.where})`).join(" AND ");
  const values: SQLInputValue[] = all.flatMap((filter) => filter.values);
  const rows = db.prepare(`${select} WHERE ${where} ORDER BY id LIMIT ?`).all(...values, limit + 1);
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return { items, next_cursor: last === undefined ? null : encodeCursor(Number(last["id"])) };
}

export function readOne(db: DatabaseSync, select: string, id: unknown, filter: RowFilter) {
  return db
    .prepare(`${select} WHERE id = ? AND (${filter.where})`)
    .get(Number(id), ...filter.values);
}

/** Text that occurs, whatever its case, in one of these columns. */
export function textFilter(text: unknown, columns: readonly string[]): RowFilter | undefined {
  if (typeof text !== "string" || text === "") return undefined;
  const where = columns.map((column) => `instr(lower(${column}), ?) > 0`).join(" OR ");
  return { where, values: columns.map(() => text.toLowerCase()) };
}

export function equalFilter(column: string, value: unknown): RowFilter | undefined {
  return typeof value === "string" ? { where: `${column} = ?`, values: [value] } : undefined;
}

function encodeCursor(id: number): string {
  return Buffer.from(`after:${id}`).toString("base64url");
}

function decodeCursor(cursor: string | number | undefined): number {
  if (cursor === undefined) return 0;
  const match = /^after:(\d{1,12})$/.exec(Buffer.from(String(cursor), "base64url").toString());
  if (match === null)
    throw new ApiError(422, "invalid", "This cursor is not one of ours.", "cursor");
  return Number(match[1]);
}
