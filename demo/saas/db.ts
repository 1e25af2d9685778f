/** The SaaS's tables. Every row that belongs to a customer of the SaaS names its tenant. */

import type { DatabaseSync } from "node:sqlite";
import { inTransaction, openDatabase } from "../sqlite.ts";
import type { ContractVersion } from "./operation.ts";
import { seed } from "./seed.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS user (
    subject TEXT PRIMARY KEY, tenant TEXT NOT NULL, team TEXT, role TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS customer (
    id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, email TEXT NOT NULL,
    plan TEXT NOT NULL, since TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS deal (
    id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, team TEXT NOT NULL, owner TEXT NOT NULL,
    title TEXT NOT NULL, customer_id INTEGER NOT NULL, stage TEXT NOT NULL,
    amount INTEGER NOT NULL, currency TEXT NOT NULL, contact_email TEXT NOT NULL,
    updated_at TEXT NOT NULL, updated_by TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS deal_note (
    id INTEGER PRIMARY KEY, deal_id INTEGER NOT NULL, note TEXT NOT NULL,
    created_at TEXT NOT NULL, created_by TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS ticket (
    id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL,
    status TEXT NOT NULL, customer_id INTEGER NOT NULL, assignee TEXT NOT NULL, resolution TEXT,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, updated_by TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS reply (
    id INTEGER PRIMARY KEY, ticket_id INTEGER NOT NULL, body TEXT NOT NULL,
    visibility TEXT NOT NULL, created_at TEXT NOT NULL, created_by TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS invoice (
    id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, customer_id INTEGER NOT NULL,
    amount INTEGER NOT NULL, refunded INTEGER NOT NULL, currency TEXT NOT NULL,
    status TEXT NOT NULL, issued_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    updated_by TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS refund (
    id INTEGER PRIMARY KEY, invoice_id INTEGER NOT NULL, amount INTEGER NOT NULL,
    reason TEXT NOT NULL, created_at TEXT NOT NULL, created_by TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, recipient TEXT NOT NULL, subject TEXT NOT NULL,
    body TEXT NOT NULL, created_at TEXT NOT NULL, created_by TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS answered (
    subject TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY (subject, key)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY, time TEXT NOT NULL, subject TEXT, client TEXT, method TEXT NOT NULL,
    path TEXT NOT NULL, status INTEGER NOT NULL, request_id TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS audit_time ON audit (time);
`;

export function openSaasDatabase(folder: string): DatabaseSync {
  const db = openDatabase(folder, "saas.sqlite", SCHEMA);
  if (db.prepare("SELECT 1 FROM user LIMIT 1").get() === undefined) {
    inTransaction(db, () => seed(db));
  }
  return db;
}

export function contractVersion(db: DatabaseSync): ContractVersion {
  const row = db.prepare("SELECT value FROM setting WHERE name = 'contract'").get();
  return row?.["value"] === "2" ? 2 : 1;
}

export function setContractVersion(db: DatabaseSync, version: ContractVersion): void {
  db.prepare("INSERT OR REPLACE INTO setting VALUES ('contract', ?)").run(String(version));
}
