// `audit query|show|verify`: the ledger's questions, from a running doorless or from the files.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { z } from "zod";
import { auditFilterSchema, OUTCOMES } from "../console/admin.ts";
import { readLedger } from "../ledger/ledger.ts";
import { AmbiguousUser, BadCursor } from "../ledger/query.ts";
import type { AuditFilter, AuditPage } from "../ledger/query.ts";
import type { AuditRecord } from "../ledger/record.ts";
import { verifyLedger } from "../ledger/verify.ts";
import { askCore, CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import type { Place } from "./core.ts";
import { EXIT, note, paint, print, printJson, Stop, table } from "./output.ts";
import { usageError, wholeOf, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

const text = { type: "string" } as const;

export const auditQuery: Verb = {
  name: "audit query",
  usage: "audit query [--user U] [--tool T] [--outcome O] [--record R] [--from T] [--to T] …",
  summary: "who did what, when, with what input and result; newest first",
  help: [
    "--user U        a subject or a readable name (ISSUER#SUBJECT where two have it)",
    "--tool T        --agent A   --session S   --call ID",
    "--outcome O     one of: ok refused rate_limited auth_failed downstream_error timeout …",
    "--record R      what was touched, such as deal:42",
    "--from T --to T a date or a time (RFC 3339); --to is exclusive, a date includes its day",
    "--limit N       at most so many (default 50, at most 1000); --cursor C for the next page",
    "--json          one object a line",
    ...CORE_HELP,
  ],
  options: {
    ...CORE_OPTIONS,
    user: text,
    tool: text,
    outcome: text,
    record: text,
    from: text,
    to: text,
    session: text,
    call: text,
    agent: text,
    limit: text,
    cursor: text,
  },
  async run(given) {
    wordsOf(auditQuery, given);
    const page = await query(placeOf(given), filterOf(given));
    if (given.flag("json")) for (const record of page.records) printJson(record);
    else if (page.records.length > 0) printRecords(page.records);
    if (page.records.length === 0) note("no records");
    if (page.cursor !== undefined) note(`more: --cursor ${page.cursor}`);
    return EXIT.ok;
  },
};

function filterOf(given: Given): AuditFilter {
  const from = given.text("from");
  const to = given.text("to");
  const limit = given.text("limit");
  const filter: Record<string, unknown> = {
    ...(from === undefined ? {} : { from_ms: timeOf("--from", from, false) }),
    ...(to === undefined ? {} : { to_ms: timeOf("--to", to, true) }),
    limit: limit === undefined ? 50 : wholeOf(auditQuery, "--limit", limit, 1, 1000),
  };
  const named = { user: "user", tool: "tool", outcome: "outcome", record: "record" };
  const rest = { session: "session", call: "call_id", agent: "agent", cursor: "cursor" };
  for (const [option, field] of Object.entries({ ...named, ...rest })) {
    const value = given.text(option);
    if (value !== undefined) filter[field] = value;
  }
  const parsed = auditFilterSchema.safeParse(filter);
  if (parsed.success) return parsed.data satisfies z.infer<typeof auditFilterSchema>;
  const issue = parsed.error.issues[0];
  const hint = issue?.path[0] === "outcome" ? `; one of: ${OUTCOMES.join(", ")}` : "";
  throw usageError(auditQuery, `--${String(issue?.path[0])}: ${issue?.message ?? ""}${hint}`);
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DAY_MS = 86_400_000;

// A date alone is that day in UTC, whole: up to its end where it is the end.
function timeOf(option: string, value: string, isEnd: boolean): number {
  const ms = Date.parse(DATE.test(value) ? `${value}T00:00:00Z` : value);
  if (Number.isNaN(ms) || !/^\d{4}-/.test(value)) {
    throw usageError(auditQuery, `${option} is a date (2026-03-14) or an RFC 3339 time`);
  }
  return DATE.test(value) && isEnd ? ms + DAY_MS : ms;
}

async function query(place: Place, filter: AuditFilter): Promise<AuditPage> {
  try {
    return (await askCore(place, "/audit", { filter })) as AuditPage;
  } catch (error) {
    const folder = join(place.data, "ledger");
    const stopped = error instanceof Stop && error.code === EXIT.unreachable;
    if (!stopped || !existsSync(folder)) throw error;
    return queryFiles(folder, filter);
  }
}

function queryFiles(folder: string, filter: AuditFilter): AuditPage {
  const index = readLedger(folder);
  try {
    return index.query(filter);
  } catch (error) {
    if (error instanceof AmbiguousUser || error instanceof BadCursor) {
      throw new Stop(EXIT.usage, error.message);
    }
    throw error;
  } finally {
    index.close();
  }
}

function printRecords(records: readonly AuditRecord[]): void {
  const rows = records.map((r) => [
    r.time,
    r.user,
    r.agent,
    r.tool,
    r.target ?? "-",
    r.outcome === "ok" ? paint("green", "ok") : paint("yellow", r.error_code ?? r.outcome),
    r.count === undefined ? r.call_id : `${r.call_id} ×${r.count}`,
  ]);
  print(table(["TIME", "USER", "AGENT", "TOOL", "RECORD", "OUTCOME", "CALL"], rows));
}

export const auditShow: Verb = {
  name: "audit show",
  usage: "audit show ID",
  summary: "one call, everything that is known of it",
  help: CORE_HELP,
  options: CORE_OPTIONS,
  async run(given) {
    const [call_id = ""] = wordsOf(auditShow, given, "ID");
    const { records } = await query(placeOf(given), { call_id, limit: 1 });
    const [record] = records;
    if (record === undefined) throw new Stop(EXIT.no, `there is no call ${call_id}`);
    print(given.flag("json") ? JSON.stringify(record) : JSON.stringify(record, null, 2));
    return EXIT.ok;
  },
};

export const auditVerify: Verb = {
  name: "audit verify",
  usage: "audit verify [PATH]",
  summary: "is the log whole? Offline; on copied files too",
  help: ["PATH            a ledger's folder (default: the data folder's ledger)", ...CORE_HELP],
  options: CORE_OPTIONS,
  async run(given) {
    const [path] = wordsOf(auditVerify, given, "PATH?");
    const named = path === undefined ? join(placeOf(given).data, "ledger") : resolve(path);
    // A copy may be of the ledger's folder or of the whole data folder.
    const folder = existsSync(join(named, "ledger")) ? join(named, "ledger") : named;
    if (!existsSync(folder)) throw new Stop(EXIT.usage, `${folder} does not exist`);
    const verified = verifyLedger(folder);
    if (given.flag("json")) printJson(verified);
    else {
      print(verified.intact ? paint("green", "intact") : paint("red", "NOT intact"));
      print(`${verified.records} records, covered to ${verified.covered_to} (${verified.head})`);
      for (const p of verified.problems) print(`${p.file}:${p.line} ${p.message}`);
    }
    return verified.intact ? EXIT.ok : EXIT.no;
  },
};
