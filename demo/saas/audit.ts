/** The SaaS's own audit log: one row per API request, refused ones included. */

import type { DatabaseSync } from "node:sqlite";

const ROWS_DEFAULT = 1000;
const ROWS_MAX = 10_000;

interface AuditRow {
  readonly time: string;
  /** Null when no valid token named anybody. */
  readonly subject: string | null;
  readonly client: string | null;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly request_id: string;
}

export function writeAudit(db: DatabaseSync, row: AuditRow): void {
  db.prepare(
    `INSERT INTO audit (time, subject, client, method, path, status, request_id)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  ).run(row.time, row.subject, row.client, row.method, row.path, row.status, row.request_id);
}

/** The newest rows, oldest of them first. */
export function readAudit(db: DatabaseSync, url: URL): AuditRow[] {
  const wanted = Number(url.searchParams.get("limit") ?? ROWS_DEFAULT);
  const limit = Number.isSafeInteger(wanted) && wanted > 0 ? Math.min(wanted, ROWS_MAX) : 1;
  return db
    .prepare(
      `SELECT time, subject, client, method, path, status, request_id FROM audit
       WHERE time >= ? ORDER BY id DESC LIMIT ?`,
    )
    .all(url.searchParams.get("since") ?? "", limit)
    .toReversed() as unknown as AuditRow[];
}
