/** What the identity provider keeps between runs: keys, cookie secrets, disabled people. */

import { randomBytes } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { exportJWK, generateKeyPair, type JWK } from "jose";
import { openDatabase } from "../sqlite.ts";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS disabled (subject TEXT PRIMARY KEY) STRICT;
  CREATE TABLE IF NOT EXISTS model (
    kind TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL,
    grant_id TEXT, account_id TEXT, uid TEXT, user_code TEXT, expires_at INTEGER,
    PRIMARY KEY (kind, id)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS model_grant ON model (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX IF NOT EXISTS model_account ON model (account_id) WHERE account_id IS NOT NULL;
`;

export interface IdpState {
  readonly db: DatabaseSync;
  /** Private signing keys, as JWKs. */
  readonly keys: readonly JWK[];
  readonly cookie_keys: readonly string[];
  isDisabled(subject: string): boolean;
  disable(subject: string): void;
  enable(subject: string): void;
}

export async function openIdpState(folder: string, file = "idp.sqlite"): Promise<IdpState> {
  const db = openDatabase(folder, file, SCHEMA);
  const keys = await remembered(db, "signing_keys", async () => [await newSigningKey()]);
  const cookie_keys = await remembered(db, "cookie_keys", async () => [
    randomBytes(32).toString("base64url"),
  ]);
  return {
    db,
    keys,
    cookie_keys,
    isDisabled: (subject) =>
      db.prepare("SELECT 1 FROM disabled WHERE subject = ?").get(subject) !== undefined,
    disable: (subject) => {
      db.prepare("INSERT OR IGNORE INTO disabled VALUES (?)").run(subject);
    },
    enable: (subject) => {
      db.prepare("DELETE FROM disabled WHERE subject = ?").run(subject);
    },
  };
}

async function newSigningKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const kid = randomBytes(8).toString("base64url");
  return { ...(await exportJWK(privateKey)), kid, alg: "ES256", use: "sig" };
}

/** A JSON value that is made once and then kept. */
async function remembered<T>(db: DatabaseSync, name: string, make: () => Promise<T>): Promise<T> {
  const row = db.prepare("SELECT value FROM setting WHERE name = ?").get(name);
  if (row !== undefined) return JSON.parse(String(row["value"])) as T;
  const value = await make();
  db.prepare("INSERT INTO setting VALUES (?, ?)").run(name, JSON.stringify(value));
  return value;
}
