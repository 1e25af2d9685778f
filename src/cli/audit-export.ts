// `audit export`: the records as JSON lines, OCSF events, a CSV that no spreadsheet executes, or a
// Parquet file.
import { resolve } from "node:path";
import type { AuditFilter } from "../ledger/query.ts";
import type { AuditRecord } from "../ledger/record.ts";
import { FILTER_HELP, FILTER_OPTIONS, filterOf, query, queryAll } from "./audit.ts";
import { CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import type { Place } from "./core.ts";
import { withDuckdb } from "./duckdb.ts";
import { ocsfOf } from "./ocsf.ts";
import { EXIT, note, print, printJson } from "./output.ts";
import { callsTable, newFile, writeParquet } from "./parquet.ts";
import { usageError, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

const PAGE = 500;
const COLUMNS = [
  "time",
  "call_id",
  "user",
  "subject",
  "issuer",
  "tenant",
  "agent",
  "client_id",
  "session",
  "tool",
  "target",
  "args",
  "outcome",
  "effect",
  "error_code",
  "duration_ms",
  "trace_id",
  "count",
  "replay_of",
] as const;

const PRINTED = {
  jsonl: (record: AuditRecord) => printJson(record),
  csv: (record: AuditRecord) => print(csvRow(record)),
  ocsf: (record: AuditRecord) => printJson(ocsfOf(record)),
} as const;

export const auditExport: Verb = {
  name: "audit export",
  usage: "audit export --format jsonl|csv|ocsf|parquet [--out FILE] [the filters of audit query]",
  summary: "the records as JSON lines, CSV, OCSF events or a Parquet file, newest first",
  help: [
    "--format F      jsonl, csv, ocsf (one event of OCSF 1.9.0 a line), or parquet",
    "--out FILE      the Parquet file, a new one; it needs DuckDB: npm install @duckdb/node-api",
    ...FILTER_HELP,
    ...CORE_HELP,
  ],
  json: "the same as --format jsonl",
  options: {
    ...CORE_OPTIONS,
    ...FILTER_OPTIONS,
    format: { type: "string" },
    out: { type: "string" },
  },
  async run(given) {
    wordsOf(auditExport, given);
    const format = formatOf(given);
    const file = outOf(given, format);
    const ask = { place: placeOf(given), filter: filterOf(auditExport, given, PAGE) };
    const one = given.text("limit") !== undefined;
    const complete_to =
      format === "parquet"
        ? await toParquet(ask, one, resolve(file))
        : await printed(ask, one, format);
    note(`complete to record ${complete_to} of the log`);
    return EXIT.ok;
  },
};

interface Ask {
  readonly place: Place;
  readonly filter: AuditFilter;
}

type Take = (records: readonly AuditRecord[]) => void | Promise<void>;
type Format = keyof typeof PRINTED | "parquet";

function formatOf(given: Given): Format {
  const format = given.text("format") ?? (given.flag("json") ? "jsonl" : "");
  if (format !== "parquet" && !Object.hasOwn(PRINTED, format)) {
    throw usageError(auditExport, "--format is jsonl, csv, ocsf or parquet");
  }
  if (given.flag("json") && format === "csv") throw usageError(auditExport, "CSV is no JSON");
  if (given.flag("json") && format === "parquet") {
    throw usageError(auditExport, "Parquet is no JSON");
  }
  return format as Format;
}

function outOf(given: Given, format: Format): string {
  const file = given.text("out");
  if (format === "parquet") {
    if (file !== undefined) return file;
    throw usageError(auditExport, "--out FILE is missing: Parquet goes into a file, not to stdout");
  }
  if (file === undefined) return "";
  throw usageError(auditExport, `--out is for parquet: ${format} goes to stdout`);
}

// A limit is of one page; without one, there are as many as it takes.
async function each(ask: Ask, isOnePage: boolean, take: Take): Promise<number> {
  if (!isOnePage) return queryAll(ask.place, "audit export", ask.filter, take);
  const page = await query(ask.place, "audit export", ask.filter);
  await take(page.records);
  return page.complete_to;
}

function printed(ask: Ask, isOnePage: boolean, format: keyof typeof PRINTED): Promise<number> {
  if (format === "csv") print(COLUMNS.join(","));
  return each(ask, isOnePage, (records) => records.forEach(PRINTED[format]));
}

function toParquet(ask: Ask, isOnePage: boolean, file: string): Promise<number> {
  return withDuckdb(file, (db) =>
    newFile(file, async () => {
      const complete_to = await each(ask, isOnePage, await callsTable(db));
      const { limit, ...filter } = ask.filter;
      const asked = isOnePage ? { ...filter, limit } : filter;
      await writeParquet(db, file, { complete_to, filter: asked });
      return complete_to;
    }),
  );
}

// Each row says how many calls it stands for: a sum over them is right then.
function csvRow(record: AuditRecord): string {
  const counted = { count: 1, ...record };
  return COLUMNS.map((column) => csvCell(counted[column])).join(",");
}

/**
 * One cell, quoted (RFC 4180 section 2). Text that a spreadsheet would take for a formula gets an
 * apostrophe before it (OWASP, CSV injection).
 */
export function csvCell(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  // Full-width signs too: some spreadsheets take them for the others.
  const inert = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text;
  return `"${inert.replaceAll('"', '""')}"`;
}
