// Answers that are kept for whoever sends a call again, sealed, by call. What is lost here is said
// to be lost, and never run again: the ledger knows what ran.
import { chmodSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { AnswerStore } from "./resends.ts";

const SCHEMA_VERSION = 1;
const SCHEMA = `CREATE TABLE IF NOT EXISTS answers (
  call_id TEXT PRIMARY KEY, sealed TEXT NOT NULL
) STRICT, WITHOUT ROWID`;

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** Opens or makes the store at `path`; what cannot be read there is forgotten. */
export function openSqliteAnswerStore(path: string): AnswerStore {
  try {
    return open(path);
  } catch (error) {
    const { errcode } = error as Error & { errcode?: number };
    if (errcode !== SQLITE_CORRUPT && errcode !== SQLITE_NOTADB) throw error;
    for (const end of ["", "-wal", "-shm"]) rmSync(`${path}${end}`, { force: true });
    return open(path);
  }
}

function open(path: string): AnswerStore {
  const db = new DatabaseSync(path);
  try {
    chmodSync(path, 0o600);
    // A killed process loses nothing; what a power loss takes is an answer, and no promise.
    db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON");
    const version = db.prepare("PRAGMA user_version").get()?.["user_version"];
    if (version !== SCHEMA_VERSION) {
      db.exec(`DROP TABLE IF EXISTS answers; PRAGMA user_version=${SCHEMA_VERSION}`);
    }
    db.exec(SCHEMA);
    const store = storeOn(db);
    // All of it is read once: what is damaged behind a whole first page is found here, too.
    store.sizes();
    return store;
  } catch (error) {
    db.close();
    throw error;
  }
}

function storeOn(db: DatabaseSync): AnswerStore {
  const all = db.prepare("SELECT call_id, length(sealed) AS chars FROM answers");
  const put = db.prepare("INSERT OR REPLACE INTO answers VALUES (?, ?)");
  const find = db.prepare("SELECT sealed FROM answers WHERE call_id = ?");
  const remove = db.prepare("DELETE FROM answers WHERE call_id = ?");
  return {
    sizes: () =>
      new Map(all.all().map((row) => [String(row["call_id"]), Number(row["chars"])] as const)),
    put: (call_id, sealed) => void put.run(call_id, sealed),
    find(call_id) {
      const row = find.get(call_id);
      return row === undefined ? undefined : String(row["sealed"]);
    },
    remove: (call_id) => void remove.run(call_id),
    close: () => db.close(),
  };
}
