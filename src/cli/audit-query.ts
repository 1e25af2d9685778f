// `audit query`: who did what, when, with what input and what result; newest first.
import type { AuditRecord } from "../ledger/record.ts";
import { FILTER_HELP, FILTER_OPTIONS, filterOf, query } from "./audit.ts";
import { CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, note, paint, print, printJson, table } from "./output.ts";
import { JSON_LINES, wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

export const auditQuery: Verb = {
  name: "audit query",
  usage: "audit query [--user U] [--tool T] [--outcome O] [--record R] [--from T] [--to T] …",
  summary: "who did what, when, with what input and result; newest first",
  help: [
    ...FILTER_HELP,
    "--limit N       at most so many (default 50, at most 1000); --cursor C for the next page",
    ...CORE_HELP,
  ],
  json: JSON_LINES,
  options: { ...CORE_OPTIONS, ...FILTER_OPTIONS },
  async run(given) {
    wordsOf(auditQuery, given);
    const page = await query(placeOf(given), "audit query", filterOf(auditQuery, given, 50));
    if (given.flag("json")) for (const record of page.records) printJson(record);
    else if (page.records.length > 0) printRecords(page.records);
    if (page.records.length === 0) note("no records");
    note(`complete to record ${page.complete_to} of the log`);
    if (page.cursor !== undefined) note(`more: --cursor ${page.cursor}`);
    return EXIT.ok;
  },
};

function printRecords(records: readonly AuditRecord[]): void {
  const rows = records.map((r) => [
    r.time,
    r.user,
    r.agent,
    typeof r.tool === "string" ? r.tool : "(unknown)",
    r.target ?? "-",
    paint(r.outcome === "ok" ? "green" : "yellow", r.outcome),
    r.error_code ?? "-",
    r.count === undefined ? r.call_id : `${r.call_id} ×${r.count}`,
  ]);
  print(table(["TIME", "USER", "AGENT", "TOOL", "RECORD", "OUTCOME", "ERROR", "CALL"], rows));
}
