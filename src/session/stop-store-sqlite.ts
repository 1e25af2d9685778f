// Locks, endings and uses on SQLite. Small, read whole at the start, written seldom and durably.
import { chmodSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { endingKey, keyOf } from "./reach.ts";
import type { Ending, Reach } from "./reach.ts";
import type { KeptEnding, KeptUse, Lock, StopStore } from "./stop-store.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS locks (
    key TEXT PRIMARY KEY, reach TEXT NOT NULL, reason TEXT NOT NULL, by TEXT NOT NULL,
    since TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS endings (
    key TEXT PRIMARY KEY, until_s INTEGER NOT NULL, noted_s INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS uses (
    key TEXT PRIMARY KEY, agent TEXT NOT NULL, seen_ms INTEGER NOT NULL
  ) STRICT;
`;

// A sign-in that ended is remembered longer than any browser or refresh token keeps it alive.
const KEPT_S = 400 * 86_400;
// No agent counts as used for longer (config/limits.ts).
const USED_S = 86_400;

/** Opens or makes the store at `path`; endings of sign-ins that are long over are forgotten. */
export function openSqliteStopStore(path: string, now_s: number): StopStore {
  const db = new DatabaseSync(path);
  if (path !== ":memory:") chmodSync(path, 0o600);
  // What is acknowledged must hold: an operator was told that the person is out.
  db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
  db.exec(SCHEMA);
  db.prepare("DELETE FROM endings WHERE noted_s < ?").run(now_s - KEPT_S);
  db.prepare("DELETE FROM uses WHERE seen_ms < ?").run((now_s - USED_S) * 1000);
  const put = db.prepare(
    "INSERT OR REPLACE INTO locks (key, reach, reason, by, since) VALUES (?, ?, ?, ?, ?)",
  );
  const remove = db.prepare("DELETE FROM locks WHERE key = ?");
  const end = db.prepare(
    `INSERT INTO endings (key, until_s, noted_s) VALUES (?, ?, ?) ON CONFLICT (key)
     DO UPDATE SET until_s = max(until_s, excluded.until_s), noted_s = excluded.noted_s`,
  );
  const use = db.prepare("INSERT OR REPLACE INTO uses (key, agent, seen_ms) VALUES (?, ?, ?)");
  return {
    locks: () => db.prepare("SELECT * FROM locks ORDER BY since, key").all().map(toLock),
    lock(lock) {
      put.run(keyOf(lock.reach), JSON.stringify(lock.reach), lock.reason, lock.by, lock.since);
    },
    unlock: (reach: Reach) => Number(remove.run(keyOf(reach)).changes) > 0,
    endings: () => db.prepare("SELECT key, until_s FROM endings").all().map(toEnding),
    end(ending: Ending, noted_s) {
      end.run(endingKey(ending), "until_s" in ending ? ending.until_s : 0, noted_s);
    },
    uses: () => db.prepare("SELECT * FROM uses").all().map(toUse),
    use: ({ key, agent, seen_ms }) => void use.run(key, agent, Math.floor(seen_ms)),
    close: () => db.close(),
  };
}

function toUse(row: Record<string, unknown>): KeptUse {
  return {
    key: String(row["key"]),
    agent: String(row["agent"]),
    seen_ms: Number(row["seen_ms"]),
  };
}

function toLock(row: Record<string, unknown>): Lock {
  const { reach, reason, by, since } = row as Record<string, string>;
  return Object.freeze({
    reach: JSON.parse(reach ?? "") as Reach,
    reason: reason ?? "",
    by: by ?? "",
    since: since ?? "",
  });
}

function toEnding(row: Record<string, unknown>): KeptEnding {
  return { key: String(row["key"]), until_s: Number(row["until_s"]) };
}
