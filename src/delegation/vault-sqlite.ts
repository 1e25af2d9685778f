// The vault on SQLite. Several processes may share the file: leases and versions are decided by the
// database, and what a statement has done is on the disk when it returns.
import { chmodSync, closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { SQLOutputValue, StatementSync } from "node:sqlite";
import type { WrappedKey } from "./key-service.ts";
import type { Leased, VaultRow, VaultStore } from "./vault.ts";

const BUSY_MS_MAX = 5000;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS links (
    id TEXT PRIMARY KEY,
    tenant TEXT, issuer TEXT NOT NULL, subject TEXT NOT NULL, connector TEXT NOT NULL,
    version INTEGER NOT NULL, changed_ms INTEGER NOT NULL,
    kid TEXT, wrapped BLOB, sealed BLOB,
    lease_holder TEXT, lease_until_ms INTEGER, in_doubt INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
`;

/** Opens or makes the vault at `path`. */
export function openSqliteVault(path: string): VaultStore {
  // SQLite gives its -wal and -shm files the mode of the database.
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  const db = new DatabaseSync(path, { timeout: BUSY_MS_MAX });
  // FULL: a rotated refresh token that a power cut takes back is one that nobody has any more.
  db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON");
  db.exec(SCHEMA);
  return new SqliteVault(db);
}

class SqliteVault implements VaultStore {
  private readonly db: DatabaseSync;
  private readonly one: StatementSync;

  constructor(db: DatabaseSync) {
    this.db = db;
    this.one = db.prepare("SELECT * FROM links WHERE id = ?");
  }

  async get(id: string): Promise<VaultRow | undefined> {
    const row = this.one.get(id);
    return row === undefined ? undefined : toRow(row);
  }

  async swap(row: Omit<VaultRow, "in_doubt">, before: number): Promise<boolean> {
    const { id, tenant, issuer, subject, connector, version, changed_ms, sealed } = row;
    const kept = [
      version,
      changed_ms,
      sealed?.key.kid ?? null,
      sealed?.key.bytes ?? null,
      sealed?.data ?? null,
    ] as const;
    if (before === 0) {
      const made = this.db.prepare(`INSERT INTO links
        (version, changed_ms, kid, wrapped, sealed, id, tenant, issuer, subject, connector)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`);
      return made.run(...kept, id, tenant, issuer, subject, connector).changes === 1;
    }
    const done = this.db.prepare(`UPDATE links SET version = ?, changed_ms = ?, kid = ?,
      wrapped = ?, sealed = ?, tenant = ?, issuer = ?, subject = ?, connector = ?,
      lease_holder = NULL, lease_until_ms = NULL, in_doubt = 0
      WHERE id = ? AND version = ?`);
    const owner = [tenant, issuer, subject, connector] as const;
    return done.run(...kept, ...owner, id, before).changes === 1;
  }

  async rewrap(id: string, version: number, key: WrappedKey): Promise<boolean> {
    const done = this.db
      .prepare("UPDATE links SET kid = ?, wrapped = ? WHERE id = ? AND version = ?")
      .run(key.kid, key.bytes, id, version);
    return done.changes === 1;
  }

  async lease(id: string, holder: string, now_ms: number, until_ms: number): Promise<Leased> {
    const done = this.db
      .prepare(
        `UPDATE links SET lease_holder = ?, lease_until_ms = ?
         WHERE id = ? AND (lease_holder IS NULL OR lease_until_ms < ?)`,
      )
      .run(holder, until_ms, id, now_ms);
    return done.changes === 1 ? "leased" : "busy";
  }

  async doubt(id: string, holder: string): Promise<void> {
    const done = this.db
      .prepare("UPDATE links SET in_doubt = 1 WHERE id = ? AND lease_holder = ?")
      .run(id, holder);
    if (done.changes !== 1) throw new Error("the lease was lost before anything was sent");
  }

  async release(id: string, holder: string, certain: boolean): Promise<void> {
    const calm = certain ? ", in_doubt = 0" : "";
    this.db
      .prepare(
        `UPDATE links SET lease_holder = NULL, lease_until_ms = NULL${calm}
         WHERE id = ? AND lease_holder = ?`,
      )
      .run(id, holder);
  }

  async list(): Promise<readonly VaultRow[]> {
    const rows = this.db.prepare("SELECT * FROM links ORDER BY issuer, subject, connector").all();
    return rows.map(toRow);
  }

  close(): void {
    this.db.close();
  }
}

function toRow(row: Record<string, SQLOutputValue>): VaultRow {
  const { kid, wrapped, sealed, tenant } = row;
  const isWhole = typeof kid === "string" && isBytes(wrapped) && isBytes(sealed);
  return {
    id: String(row["id"]),
    tenant: typeof tenant === "string" ? tenant : null,
    issuer: String(row["issuer"]),
    subject: String(row["subject"]),
    connector: String(row["connector"]),
    version: Number(row["version"]),
    changed_ms: Number(row["changed_ms"]),
    sealed: isWhole
      ? { key: { kid, bytes: Buffer.from(wrapped) }, data: Buffer.from(sealed) }
      : undefined,
    in_doubt: row["in_doubt"] === 1,
  };
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}
