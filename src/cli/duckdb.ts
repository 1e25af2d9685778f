// DuckDB, where somebody has installed it (ADR 2): a database in memory that reaches the one file
// that it is given, or none.
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { EXIT, Stop } from "./output.ts";

const LIBRARY = "@duckdb/node-api";

// Nothing is spilled to a disk, fetched, or looked for in somebody's home folder.
const SETTINGS = {
  threads: "2",
  memory_limit: "1GB",
  temp_directory: "",
  autoinstall_known_extensions: "false",
  autoload_known_extensions: "false",
  allow_community_extensions: "false",
} as const;

export type Row = Readonly<Record<string, unknown>>;

export interface Duckdb {
  /** Values are bound by name, never written into the SQL. */
  rows(sql: string, values?: Record<string, DuckDBValue>): Promise<readonly Row[]>;
  readonly connection: DuckDBConnection;
  readonly library: typeof import("@duckdb/node-api");
}

/** `file` is all that it can read or write. */
export async function withDuckdb<T>(
  file: string | undefined,
  use: (db: Duckdb) => Promise<T>,
): Promise<T> {
  const library = await libraryThere();
  const instance = await library.DuckDBInstance.create(":memory:", SETTINGS);
  const connection = await instance.connect();
  const rows: Duckdb["rows"] = async (sql, values = {}) => {
    try {
      return (await connection.runAndReadAll(sql, values)).getRowObjectsJson();
    } catch (error) {
      throw stopOf(error as Error);
    }
  };
  try {
    if (file !== undefined) await rows("SET allowed_paths = [$file]", { file });
    await rows("SET enable_external_access = false");
    await rows("SET lock_configuration = true");
    return await use({ rows, connection, library });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function stopOf({ message }: Error): Stop {
  const [said = "unknown error"] = message.split("\n", 1);
  const mend = /^Out of Memory/i.test(said) ? "; ask for less: --from and --to" : "";
  return new Stop(EXIT.no, `DuckDB: ${said}${mend}`);
}

async function libraryThere() {
  try {
    return await import("@duckdb/node-api");
  } catch {
    const mend = `npm install ${LIBRARY}    (beside doorless; with -g where doorless is global)`;
    throw new Stop(EXIT.usage, `this needs DuckDB, which doorless does not bring:\n  ${mend}`);
  }
}
