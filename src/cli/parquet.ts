// Records as a table of fixed columns, and that table as a Parquet file. What is sealed in a record
// is sealed there too.
import { closeSync, openSync, rmSync } from "node:fs";
import type { DuckDBAppender } from "@duckdb/node-api";
import { z } from "zod";
import { auditFilterSchema } from "../console/audit-desk.ts";
import { systemErrorInWords } from "../kernel/in-words.ts";
import type { AuditRecord } from "../ledger/record.ts";
import type { Duckdb, Row } from "./duckdb.ts";
import { EXIT, Stop } from "./output.ts";

/** The schema (docs/storage-schema.md): what CSV has, and what a report asks for beside that. */
const COLUMNS = {
  time: "TIMESTAMP WITH TIME ZONE",
  call_id: "VARCHAR",
  user: "VARCHAR",
  subject: "VARCHAR",
  issuer: "VARCHAR",
  tenant: "VARCHAR",
  agent: "VARCHAR",
  client_id: "VARCHAR",
  session: "VARCHAR",
  tool: "VARCHAR",
  target: "VARCHAR",
  args: "VARCHAR",
  outcome: "VARCHAR",
  effect: "VARCHAR",
  error_code: "VARCHAR",
  duration_ms: "DOUBLE",
  trace_id: "VARCHAR",
  count: "BIGINT",
  replay_of: "VARCHAR",
  read_only: "BOOLEAN",
  approved_by: "VARCHAR",
} as const;

/** What a file says of itself beside its rows: up to where, and of which question. */
const aboutSchema = z.object({ complete_to: z.int(), filter: auditFilterSchema.partial() });
export type About = Readonly<z.infer<typeof aboutSchema>>;

type Column = keyof typeof COLUMNS;
const NAMES = Object.keys(COLUMNS) as Column[];

/** What puts records into the new table `calls`, in their order. */
export async function callsTable(db: Duckdb) {
  const columns = NAMES.map((name) => `"${name}" ${COLUMNS[name]}`);
  await db.rows(`CREATE TABLE calls (${columns.join(", ")})`);
  const { DuckDBTimestampTZValue } = db.library;
  return async (records: readonly AuditRecord[]): Promise<void> => {
    const appender = await db.connection.createAppender("calls");
    for (const record of records) {
      const cells = { count: 1, read_only: record.effects?.["readOnly"] ?? null, ...record };
      for (const name of NAMES) {
        const value = cells[name] ?? null;
        if (value === null) appender.appendNull();
        else if (name !== "time") append(appender, name, value);
        else appender.appendValue(new DuckDBTimestampTZValue(microsOf(record.time)));
      }
      appender.endRow();
    }
    appender.closeSync();
  };
}

function append(appender: DuckDBAppender, name: Column, value: unknown): void {
  const type = COLUMNS[name];
  if (type === "DOUBLE") appender.appendDouble(Number(value));
  else if (type === "BIGINT") appender.appendBigInt(BigInt(Number(value)));
  else if (type === "BOOLEAN") appender.appendBoolean(value === true);
  else appender.appendVarchar(typeof value === "string" ? value : JSON.stringify(value));
}

function microsOf(time: string): bigint {
  return BigInt(Date.parse(time)) * 1000n;
}

/** Makes the file, which must not be there; it goes again where `fill` does not come to its end. */
export async function newFile<T>(file: string, fill: () => Promise<T>): Promise<T> {
  try {
    closeSync(openSync(file, "wx", 0o600));
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === "EEXIST";
    const why = isThere ? "is there already, and is not overwritten" : systemErrorInWords(error);
    throw new Stop(EXIT.usage, `--out ${file}: ${why}`);
  }
  try {
    return await fill();
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

export async function writeParquet(db: Duckdb, file: string, about: About): Promise<void> {
  await db.rows(
    `COPY calls TO $file (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false,
       KV_METADATA {doorless: $about})`,
    { file, about: JSON.stringify(about) },
  );
}

/** What `file` says of itself, where it is one that `writeParquet` wrote. */
export async function aboutParquet(db: Duckdb, file: string): Promise<About> {
  const not_ours = (why: string): Stop => {
    const what = "is not what `audit export --format parquet` writes";
    return new Stop(EXIT.usage, `--file ${file} ${what}: ${why}`);
  };
  const ask = (sql: string): Promise<readonly Row[]> =>
    db.rows(sql, { file }).catch((error: Error) => {
      throw not_ours(error.message);
    });
  const found = await ask("SELECT name FROM parquet_schema($file)");
  const there = new Set(found.map(({ name }) => name));
  const missing = NAMES.find((name) => !there.has(name));
  if (missing !== undefined) throw not_ours(`it has no column ${missing}`);
  const [said] = await ask(
    "SELECT decode(value) AS about FROM parquet_kv_metadata($file) WHERE decode(key) = 'doorless'",
  );
  const about = aboutSchema.safeParse(parsedOf(said?.["about"]));
  if (!about.success) throw not_ours("it does not say up to where it is complete");
  return about.data;
}

function parsedOf(text: unknown): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return undefined;
  }
}
