/** oidc-provider's storage port on SQLite, so that sign-ins survive a restart. */

import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { Adapter, AdapterFactory, AdapterPayload } from "oidc-provider";

// The provider checks expiry itself, with its own tolerance; rows only have to outlive that.
const EXPIRY_GRACE_S = 60;

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

export function sqliteAdapter(db: DatabaseSync): AdapterFactory {
  db.prepare("DELETE FROM model WHERE expires_at < ?").run(nowSeconds() - EXPIRY_GRACE_S);

  function payloadWhere(where: string, ...values: SQLInputValue[]): AdapterPayload | undefined {
    const row = db
      .prepare(`SELECT payload FROM model WHERE ${where} AND coalesce(expires_at, ?) >= ?`)
      .get(...values, nowSeconds(), nowSeconds() - EXPIRY_GRACE_S);
    return row === undefined ? undefined : (JSON.parse(String(row["payload"])) as AdapterPayload);
  }

  return (kind): Adapter => ({
    async upsert(id, payload, expires_in) {
      db.prepare("INSERT OR REPLACE INTO model VALUES (?, ?, ?, ?, ?, ?, ?, ?)").run(
        kind,
        id,
        JSON.stringify(payload),
        payload.grantId ?? null,
        payload.accountId ?? null,
        payload.uid ?? null,
        payload.userCode ?? null,
        typeof expires_in === "number" ? nowSeconds() + expires_in : null,
      );
    },
    async find(id) {
      return payloadWhere("kind = ? AND id = ?", kind, id);
    },
    async findByUid(uid) {
      return payloadWhere("kind = ? AND uid = ?", kind, uid);
    },
    async findByUserCode(user_code) {
      return payloadWhere("kind = ? AND user_code = ?", kind, user_code);
    },
    async consume(id) {
      db.prepare(
        `UPDATE model SET payload = json_set(payload, '$.consumed', ?)
         WHERE kind = ? AND id = ?`,
      ).run(nowSeconds(), kind, id);
    },
    async destroy(id) {
      db.prepare("DELETE FROM model WHERE kind = ? AND id = ?").run(kind, id);
    },
    async revokeByGrantId(grant_id) {
      db.prepare("DELETE FROM model WHERE kind = ? AND grant_id = ?").run(kind, grant_id);
    },
  });
}

/** The browser sessions of one person: whom to tell that they ended. */
export function sessionsOf(db: DatabaseSync, subject: string): AdapterPayload[] {
  return db
    .prepare("SELECT payload FROM model WHERE kind = 'Session' AND account_id = ?")
    .all(subject)
    .map((row) => JSON.parse(String(row["payload"])) as AdapterPayload);
}

/** Grants, codes, refresh tokens, sessions: everything that carries this person's name. */
export function forgetSignIns(db: DatabaseSync, subject: string): void {
  db.prepare("DELETE FROM model WHERE account_id = ?").run(subject);
}
