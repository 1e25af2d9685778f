// `audit export`: the records as JSON lines, OCSF events, or a CSV that no spreadsheet executes.
import type { AuditRecord } from "../ledger/record.ts";
import { FILTER_HELP, FILTER_OPTIONS, filterOf, query } from "./audit.ts";
import { CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { ocsfOf } from "./ocsf.ts";
import { EXIT, note, print, printJson } from "./output.ts";
import { usageError, wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

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
  usage: "audit export --format jsonl|csv|ocsf [the filters of audit query]",
  summary: "the records as JSON lines, CSV or OCSF events, newest first",
  help: [
    "--format F      jsonl, csv, or ocsf: one event of OCSF 1.9.0 a line",
    ...FILTER_HELP,
    ...CORE_HELP,
  ],
  json: "the same as --format jsonl",
  options: { ...CORE_OPTIONS, ...FILTER_OPTIONS, format: { type: "string" } },
  async run(given) {
    wordsOf(auditExport, given);
    const format = given.text("format") ?? (given.flag("json") ? "jsonl" : "");
    if (!Object.hasOwn(PRINTED, format)) {
      throw usageError(auditExport, "--format is jsonl, csv or ocsf");
    }
    if (format === "csv" && given.flag("json")) throw usageError(auditExport, "CSV is no JSON");
    const printOne = PRINTED[format as keyof typeof PRINTED];
    const place = placeOf(given);
    let filter = filterOf(auditExport, given, PAGE);
    if (format === "csv") print(COLUMNS.join(","));
    let complete_to = Number.POSITIVE_INFINITY;
    for (;;) {
      const page = await query(place, "audit export", filter);
      page.records.forEach(printOne);
      complete_to = Math.min(complete_to, page.complete_to);
      if (page.cursor === undefined || given.text("limit") !== undefined) {
        note(`complete to record ${complete_to} of the log`);
        return EXIT.ok;
      }
      filter = { ...filter, cursor: page.cursor };
    }
  },
};

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
