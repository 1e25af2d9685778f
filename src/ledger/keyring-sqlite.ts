// The keyring on SQLite: keys wrapped under a master key that lies outside this file. A key is
// destroyed where it stands, so that no copy of it stays in the file or in its journal.
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { chmodSync, closeSync, existsSync, fsyncSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { SQLOutputValue, StatementSync } from "node:sqlite";
import type { Clock } from "../kernel/clock.ts";
import { framed } from "../kernel/ids.ts";
import { openKey } from "../store/folders.ts";
import type { Folders } from "../store/folders.ts";
import { Bounded } from "./bounded.ts";
import { KeyringDamaged } from "./keyring.ts";
import type { Erased, Hold, Keyring, KeyHistory, SubjectKey, Who } from "./keyring.ts";

const SCHEMA_VERSION = 1;
// `subject_keys` only grows at its end, and a row keeps its size for ever: tombstones lie in
// `erasures`. So a page is never split and a row never moved, either of which leaves bytes behind.
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS master (wrapped BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS subject_keys (
    id INTEGER PRIMARY KEY, key_id TEXT NOT NULL, tenant TEXT, issuer TEXT NOT NULL,
    subject TEXT NOT NULL, created_ms INTEGER NOT NULL, live INTEGER NOT NULL,
    wrapped BLOB NOT NULL
  );
  CREATE UNIQUE INDEX IF NOT EXISTS by_key_id ON subject_keys (key_id);
  CREATE INDEX IF NOT EXISTS by_person ON subject_keys (subject, issuer, tenant, live);
  CREATE TABLE IF NOT EXISTS erasures (key_id TEXT PRIMARY KEY, erased_ms INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS holds (
    tenant TEXT, issuer TEXT NOT NULL, subject TEXT NOT NULL, reason TEXT NOT NULL,
    since_ms INTEGER NOT NULL
  );
`;
const PERSON = "subject = ? AND issuer = ? AND tenant IS ?";

const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const WRAPPED_BYTES = IV_BYTES + KEY_BYTES + TAG_BYTES;
const KEY_ID_BYTES = 12;
const KEYS_REMEMBERED_MAX = 10_000;

/** Opens or makes `subjects.sqlite` in the data folder, and `ledger-master.key` beside the keys. */
export function openSqliteKeyring(
  folders: Pick<Folders, "data" | "keys">,
  clock: Clock,
  entries_max = KEYS_REMEMBERED_MAX,
): Keyring {
  const file = join(folders.data, "subjects.sqlite");
  const db = new DatabaseSync(file);
  try {
    chmodSync(file, 0o600);
    // TRUNCATE, not WAL: the before-image of a key that is erased must not outlive the commit.
    // With FULL the file and the end of its journal are synced before a commit returns.
    db.exec("PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON");
    db.exec("PRAGMA temp_store=MEMORY");
    const version = db.prepare("PRAGMA user_version").get()?.["user_version"];
    if (version !== 0 && version !== SCHEMA_VERSION) {
      throw new KeyringDamaged(`${file} is of a version that this doorless does not know`);
    }
    db.exec(`BEGIN; ${SCHEMA} PRAGMA user_version=${SCHEMA_VERSION}; COMMIT`);
    const master = openMaster(db, join(folders.keys, "ledger-master.key"), folders.keys);
    return new SqliteKeyring(db, master, clock, entries_max);
  } catch (error) {
    db.close();
    if (error instanceof KeyringDamaged) throw error;
    throw new KeyringDamaged(`${file} cannot be read: put it back from a copy`, { cause: error });
  }
}

// A lost master key must not be replaced in silence: nothing sealed so far would open again.
function openMaster(db: DatabaseSync, file: string, folder: string): KeyObject {
  const known = db.prepare("SELECT wrapped FROM master").get();
  const used = db.prepare("SELECT 1 FROM subject_keys LIMIT 1").get() !== undefined;
  if ((known !== undefined || used) && !existsSync(file)) {
    throw new KeyringDamaged(`${file} is missing: put it back, for subjects.sqlite needs it`);
  }
  const master = createSecretKey(openKey(file));
  if (known === undefined) {
    if (used) throw new KeyringDamaged("subjects.sqlite has lost its check of the master key");
    for (const path of [file, folder]) syncPath(path);
    const check = wrap(master, randomBytes(KEY_BYTES), masterContext);
    db.prepare("INSERT INTO master (wrapped) VALUES (?)").run(check);
    return master;
  }
  if (unwrap(master, known["wrapped"], masterContext) === undefined) {
    throw new KeyringDamaged(`${file} is not the key that subjects.sqlite was written with`);
  }
  return master;
}

function syncPath(path: string): void {
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

const masterContext = framed("ledger-master-check-v1");

function contextOf({ tenant, issuer, subject }: Who, key_id: string): Buffer {
  return framed("ledger-subject-v1", tenant, issuer, subject, key_id);
}

function wrap(master: KeyObject, key: Buffer, context: Buffer): Buffer {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv("aes-256-gcm", master, iv).setAAD(context);
  return Buffer.concat([iv, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
}

/** The key, or nothing where the bytes, the context or the master key are not those of `wrap`. */
function unwrap(master: KeyObject, given: unknown, context: Buffer): Buffer | undefined {
  if (!(given instanceof Uint8Array) || given.length !== WRAPPED_BYTES) return undefined;
  const iv = given.subarray(0, IV_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", master, iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(context).setAuthTag(given.subarray(-TAG_BYTES));
  try {
    const key = decipher.update(given.subarray(IV_BYTES, -TAG_BYTES));
    return Buffer.concat([key, decipher.final()]);
  } catch {
    return undefined;
  }
}

type Row = Record<string, SQLOutputValue>;

class SqliteKeyring implements Keyring {
  private readonly db: DatabaseSync;
  private readonly master: KeyObject;
  private readonly clock: Clock;
  private readonly by_person: Bounded<SubjectKey>;
  private readonly by_id: Bounded<SubjectKey>;
  private readonly alive: StatementSync;
  private readonly named: StatementSync;
  private readonly insert: StatementSync;
  private readonly gone: StatementSync;

  constructor(db: DatabaseSync, master: KeyObject, clock: Clock, entries_max: number) {
    this.db = db;
    this.master = master;
    this.clock = clock;
    this.by_person = new Bounded(entries_max);
    this.by_id = new Bounded(entries_max);
    this.alive = db.prepare(`SELECT key_id, wrapped FROM subject_keys WHERE ${PERSON} AND live=1`);
    this.named = db.prepare("SELECT * FROM subject_keys WHERE key_id = ? AND live = 1");
    this.gone = db.prepare("SELECT erased_ms FROM erasures WHERE key_id = ?");
    this.insert = db.prepare(`INSERT INTO subject_keys
      (key_id, tenant, issuer, subject, created_ms, live, wrapped) VALUES (?, ?, ?, ?, ?, 1, ?)`);
  }

  keyFor(who: Who): SubjectKey {
    const person = personOf(who);
    const known = this.by_person.get(person);
    if (known !== undefined) return known;
    const row = this.alive.get(...columnsOf(who));
    const key = row === undefined ? this.make(who) : this.opened(who, row);
    this.by_person.set(person, key);
    return key;
  }

  private make(who: Who): SubjectKey {
    const key_id = `key_${randomBytes(KEY_ID_BYTES).toString("base64url")}`;
    const bytes = randomBytes(KEY_BYTES);
    const wrapped = wrap(this.master, bytes, contextOf(who, key_id));
    const { tenant, issuer, subject } = who;
    // Durable when this returns: a key that a crash took would leave sealed text shut for ever.
    this.insert.run(key_id, tenant, issuer, subject, this.clock.now(), wrapped);
    return this.kept(key_id, bytes);
  }

  private opened(who: Who, row: Row): SubjectKey {
    const key_id = String(row["key_id"]);
    const bytes = unwrap(this.master, row["wrapped"], contextOf(who, key_id));
    if (bytes === undefined) {
      throw new KeyringDamaged(`${key_id} in subjects.sqlite does not open: it was changed`);
    }
    return this.kept(key_id, bytes);
  }

  private kept(key_id: string, bytes: Buffer): SubjectKey {
    const key = Object.freeze({ key_id, key: createSecretKey(bytes) });
    bytes.fill(0);
    this.by_id.set(key_id, key);
    return key;
  }

  find(key_id: string): SubjectKey | undefined {
    const known = this.by_id.get(key_id);
    if (known !== undefined) return known;
    const row = this.named.get(key_id);
    return row === undefined ? undefined : this.opened(personIn(row), row);
  }

  erasedAt(key_id: string): string | undefined {
    const row = this.gone.get(key_id);
    return row === undefined ? undefined : timeOf(row["erased_ms"]);
  }

  history(who: Who): readonly KeyHistory[] {
    const rows = this.db
      .prepare(`SELECT k.key_id, created_ms, erased_ms FROM subject_keys k
        LEFT JOIN erasures e ON e.key_id = k.key_id WHERE ${PERSON} ORDER BY id`)
      .all(...columnsOf(who));
    return rows.map(({ key_id, created_ms, erased_ms }) => ({
      key_id: String(key_id),
      created_at: timeOf(created_ms),
      ...(erased_ms === null ? {} : { erased_at: timeOf(erased_ms) }),
    }));
  }

  erase(who: Who): Erased {
    if (this.holdOn(who) !== undefined) return "held";
    const row = this.alive.get(...columnsOf(who));
    if (row === undefined) return "unknown";
    const key_id = String(row["key_id"]);
    // Forgotten first: where the commit fails, the key lives on and is read again.
    this.by_person.delete(personOf(who));
    this.by_id.delete(key_id);
    this.inOne(() => {
      // Of the same size, so that SQLite writes over the very bytes.
      this.db
        .prepare("UPDATE subject_keys SET live = 0, wrapped = zeroblob(?) WHERE key_id = ?")
        .run(WRAPPED_BYTES, key_id);
      this.db.prepare("INSERT INTO erasures VALUES (?, ?)").run(key_id, this.clock.now());
    });
    return "erased";
  }

  hold(who: Who, reason: string): "held" | "already_held" {
    if (this.holdOn(who) !== undefined) return "already_held";
    const { tenant, issuer, subject } = who;
    this.db
      .prepare("INSERT INTO holds VALUES (?, ?, ?, ?, ?)")
      .run(tenant, issuer, subject, reason, this.clock.now());
    return "held";
  }

  release(who: Who): "released" | "unknown" {
    const done = this.db.prepare(`DELETE FROM holds WHERE ${PERSON}`).run(...columnsOf(who));
    return done.changes > 0 ? "released" : "unknown";
  }

  holdOn(who: Who): Hold | undefined {
    const found = this.db.prepare(`SELECT reason, since_ms FROM holds WHERE ${PERSON}`);
    const row = found.get(...columnsOf(who));
    if (row === undefined) return undefined;
    return { reason: String(row["reason"]), since: timeOf(row["since_ms"]) };
  }

  holds(): readonly (Who & Hold)[] {
    const rows = this.db.prepare("SELECT * FROM holds ORDER BY since_ms").all();
    return rows.map((row) => ({
      ...personIn(row),
      reason: String(row["reason"]),
      since: timeOf(row["since_ms"]),
    }));
  }

  close(): void {
    this.by_person.clear();
    this.by_id.clear();
    this.db.close();
  }

  private inOne(work: () => void): void {
    this.db.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.db.exec("COMMIT");
    } catch (error) {
      if (this.db.isTransaction) this.db.exec("ROLLBACK");
      throw error;
    }
  }
}

function columnsOf({ tenant, issuer, subject }: Who): [string, string, string | null] {
  return [subject, issuer, tenant];
}

function personIn(row: Row): Who {
  const { tenant, issuer, subject } = row;
  return {
    tenant: typeof tenant === "string" ? tenant : null,
    issuer: String(issuer),
    subject: String(subject),
  };
}

// Lengths before, so that no two people share a place.
function personOf({ tenant, issuer, subject }: Who): string {
  const place = tenant === null ? "-" : `+${tenant}`;
  return `${issuer.length}:${issuer}${subject.length}:${subject}${place}`;
}

function timeOf(ms: unknown): string {
  return new Date(Number(ms)).toISOString();
}
