// `audit report`: who did how much of what, in a few tables, out of the log or out of a Parquet
// file that `audit export` wrote.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { AuditFilter } from "../ledger/query.ts";
import { filterOf, queryAll } from "./audit.ts";
import { CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { withDuckdb } from "./duckdb.ts";
import type { Duckdb, Row } from "./duckdb.ts";
import { EXIT, note, paint, print, printJson, table } from "./output.ts";
import { aboutParquet, callsTable } from "./parquet.ts";
import type { About } from "./parquet.ts";
import { usageError, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

const PAGE = 500;

// A row of the log stands for `count` calls. A replay did nothing by itself.
const WROTE = "read_only = false AND replay_of IS NULL AND effect";
const PERSON = "tenant, issuer, subject";
const SUM = "sum(count)::DOUBLE";

// The name of a tool that there is none of is sealed: what stands there is an object.
const TOOL = "CASE WHEN tool LIKE '{%' THEN '(unknown)' ELSE tool END";

/** What is asked of the table `asked`; each a title, its SQL and the columns that people see. */
const PARTS = {
  calls: {
    title: "Calls",
    sql: `SELECT max("user") AS "user", ${PERSON}, tool, outcome, ${SUM} AS calls
      FROM asked GROUP BY ${PERSON}, tool, outcome
      ORDER BY "user", ${PERSON}, tool, outcome`,
    shown: ["calls", "user", "subject", "tenant", "outcome", "tool"],
  },
  writes: {
    title: "Writes, by the kind of record",
    sql: `SELECT coalesce(split_part(target, ':', 1), '') AS kind,
        max("user") AS "user", ${PERSON}, tool,
        coalesce(sum(count) FILTER (effect = 'done'), 0)::DOUBLE AS done,
        coalesce(sum(count) FILTER (effect = 'unknown'), 0)::DOUBLE AS unknown
      FROM asked WHERE ${WROTE} IN ('done', 'unknown')
      GROUP BY kind, ${PERSON}, tool ORDER BY kind, "user", ${PERSON}, tool`,
    shown: ["done", "unknown", "kind", "user", "subject", "tenant", "tool"],
  },
  refusals: {
    title: "Refused or failed",
    sql: `SELECT error_code, outcome, effect, ${SUM} AS calls
      FROM asked WHERE error_code IS NOT NULL
      GROUP BY ALL ORDER BY calls DESC, error_code, outcome, effect`,
    shown: ["calls", "error_code", "outcome", "effect"],
  },
  approvals: {
    title: "Approved by somebody",
    sql: `SELECT approved_by, max("user") AS "user", ${PERSON}, tool, outcome, ${SUM} AS calls
      FROM asked WHERE approved_by IS NOT NULL
      GROUP BY approved_by, ${PERSON}, tool, outcome
      ORDER BY approved_by, "user", ${PERSON}, tool, outcome`,
    shown: ["calls", "approved_by", "user", "subject", "outcome", "tool"],
  },
  days: {
    title: "Days (UTC)",
    sql: `SELECT make_timestamp(epoch_us(time))::DATE::VARCHAR AS day, ${SUM} AS calls,
        coalesce(sum(count) FILTER (${WROTE} = 'done'), 0)::DOUBLE AS writes,
        coalesce(sum(count) FILTER (error_code IS NOT NULL), 0)::DOUBLE AS refusals
      FROM asked GROUP BY day ORDER BY day`,
    shown: ["day", "calls", "writes", "refusals"],
  },
} as const;

type Part = keyof typeof PARTS;
type Report = Readonly<Record<Part, readonly Row[]>> & {
  readonly complete_to: number;
  /** Of which question the records are the answer. */
  readonly filter: About["filter"];
};

export const auditReport: Verb = {
  name: "audit report",
  usage: "audit report [--from T] [--to T] [--file PARQUET]",
  summary: "calls, writes, refusals, approvals and days, counted by DuckDB",
  help: [
    "--from T --to T a date or a time (RFC 3339); --to is exclusive, a date includes its day",
    "--file PARQUET  count in a file of audit export --format parquet, not in the log",
    ...CORE_HELP,
    "it needs DuckDB: npm install @duckdb/node-api",
  ],
  options: {
    ...CORE_OPTIONS,
    from: { type: "string" },
    to: { type: "string" },
    file: { type: "string" },
  },
  async run(given) {
    wordsOf(auditReport, given);
    const filter = filterOf(auditReport, given, PAGE);
    const file = given.text("file");
    const report = await (file === undefined
      ? reportOfLog(given, filter)
      : reportOfFile(given, resolve(file), filter));
    if (given.flag("json")) printJson(report);
    else printReport(report);
    note(`complete to record ${report.complete_to} of the log`);
    return EXIT.ok;
  },
};

function reportOfLog(given: Given, asked: AuditFilter): Promise<Report> {
  const place = placeOf(given);
  return withDuckdb(undefined, async (db) => {
    const complete_to = await queryAll(place, "audit report", asked, await callsTable(db));
    const { limit: _, ...filter } = asked;
    return { complete_to, filter, ...(await counted(db, "calls", asked)) };
  });
}

function reportOfFile(given: Given, file: string, asked: AuditFilter): Promise<Report> {
  for (const option of Object.keys(CORE_OPTIONS)) {
    if (given.text(option) === undefined) continue;
    throw usageError(auditReport, `--file and --${option}: it is one or the other`);
  }
  if (!existsSync(file)) throw usageError(auditReport, `--file ${file}: there is none`);
  return withDuckdb(file, async (db) => {
    const { complete_to, filter } = await aboutParquet(db, file);
    const parts = await counted(db, "read_parquet($file)", asked, { file });
    return { complete_to, filter: { ...filter, ...narrower(filter, asked) }, ...parts };
  });
}

// A file of one month holds no more than that, whatever it is asked for.
function narrower(
  filter: About["filter"],
  asked: AuditFilter,
): Pick<AuditFilter, "from_ms" | "to_ms"> {
  const from_ms = Math.max(filter.from_ms ?? -MAX_MS, asked.from_ms ?? -MAX_MS);
  const to_ms = Math.min(filter.to_ms ?? MAX_MS, asked.to_ms ?? MAX_MS);
  return {
    ...(from_ms === -MAX_MS ? {} : { from_ms }),
    ...(to_ms === MAX_MS ? {} : { to_ms }),
  };
}

// `source` is one of the two above, and never something that was typed.
async function counted(
  db: Duckdb,
  source: "calls" | "read_parquet($file)",
  { from_ms = -MAX_MS, to_ms = MAX_MS }: AuditFilter,
  values: Record<string, string> = {},
): Promise<Readonly<Record<Part, readonly Row[]>>> {
  const asked = `WITH asked AS (SELECT * REPLACE (${TOOL} AS tool) FROM ${source}
    WHERE epoch_ms(time) >= $from_ms AND epoch_ms(time) < $to_ms)`;
  const bound = { ...values, from_ms: BigInt(from_ms), to_ms: BigInt(to_ms) };
  const found: Partial<Record<Part, readonly Row[]>> = {};
  for (const part of Object.keys(PARTS) as Part[]) {
    found[part] = await db.rows(`${asked} ${PARTS[part].sql}`, bound);
  }
  return found as Record<Part, readonly Row[]>;
}

const MAX_MS = 8_640_000_000_000_000;

function printReport(report: Report): void {
  if (report.calls.length === 0) return note("no records");
  const only = Object.entries(report.filter).map(([name, value]) => {
    const time = name.endsWith("_ms") ? new Date(Number(value)).toISOString() : String(value);
    return `${name.replace("_ms", "")} ${time}`;
  });
  if (only.length > 0) print(`only of: ${only.join(", ")}\n`);
  for (const part of Object.keys(PARTS) as Part[]) {
    const { title, shown } = PARTS[part];
    const rows = report[part].map((row) => shown.map((column) => cellOf(row[column])));
    print(paint("bold", title));
    const head = shown.map((column) => column.replace("_", " ").toUpperCase());
    print(rows.length === 0 ? "none\n" : `${table(head, rows)}\n`);
  }
}

function cellOf(value: unknown): string {
  if (value === null || value === undefined || value === "") return "-";
  return typeof value === "string" ? value : JSON.stringify(value);
}
