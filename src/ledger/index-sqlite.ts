// The ledger's index on SQLite: what calls are found by, and where their lines stand. An answer is
// read from the log itself, so that there is one place in which a record can be read.
import { chmodSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { StatementSync } from "node:sqlite";
import { Bounded } from "./bounded.ts";
import { createIndexes, cursorOf, INDEXES, selectOf } from "./index-select.ts";
import type { Placed } from "./log-reader.ts";
import type { Line } from "./record.ts";
import { AmbiguousUser, LINK_EVENT } from "./query.ts";
import type { AuditFilter, Identity, Reader } from "./query.ts";

const SCHEMA_VERSION = 5;
// A face is a person as the log knew him then: in a tenant, under a name. `''` is no name.
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS state (last INTEGER NOT NULL, log_id TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS people (
    id INTEGER PRIMARY KEY, subject TEXT NOT NULL, issuer TEXT NOT NULL, UNIQUE (subject, issuer)
  );
  CREATE TABLE IF NOT EXISTS faces (
    id INTEGER PRIMARY KEY, person INTEGER NOT NULL, tenant TEXT, name TEXT NOT NULL COLLATE NOCASE
  );
  CREATE TABLE IF NOT EXISTS calls (
    seq INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, call_id TEXT NOT NULL,
    person INTEGER NOT NULL, face INTEGER NOT NULL, tenant TEXT, agent TEXT NOT NULL,
    session TEXT NOT NULL, tool TEXT NOT NULL, target TEXT, outcome TEXT NOT NULL,
    at INTEGER NOT NULL, size INTEGER NOT NULL, end_seq INTEGER, end_at INTEGER, end_size INTEGER
  );
  CREATE TABLE IF NOT EXISTS links (id TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS tool_logs (
    call_id TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (call_id, seq)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS faces_of ON faces (person);
  CREATE INDEX IF NOT EXISTS orphans ON calls (call_id) WHERE end_seq IS NULL;
`;
const TABLES = ["calls", "faces", "people", "links", "tool_logs"] as const;
const FACES_REMEMBERED_MAX = 10_000;

/** One call found: where its lines stand. */
export interface Hit {
  readonly seq: number;
  readonly time_ms: number;
  readonly face: number;
  readonly at: number;
  readonly size: number;
  /** Nothing while the call runs, or where its server died. */
  readonly end_seq: number | null;
  readonly end_at: number | null;
  readonly end_size: number | null;
}

export interface Hits {
  readonly hits: readonly Hit[];
  readonly cursor?: string;
}

/** A line of this kind, in its place. */
type PlacedAs<Kind extends Line["kind"]> = Placed & {
  readonly line: Extract<Line, { kind: Kind }>;
};
type Names = ReadonlyMap<unknown, string>;

interface Face {
  readonly id: number;
  readonly person: number;
}

/**
 * Opens or makes the index of the log `log_id` at `path`; ":memory:" for one that nobody keeps.
 * What is found there of another log, or cannot be read, is forgotten.
 */
export function openSqliteIndex(path: string, log_id: string): SqliteIndex {
  try {
    return open(path, log_id);
  } catch (error) {
    if (path === ":memory:" || !isUnreadable(error)) throw error;
    for (const end of ["", "-wal", "-shm"]) rmSync(`${path}${end}`, { force: true });
    return open(path, log_id);
  }
}

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

function isUnreadable(error: unknown): boolean {
  const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

function open(path: string, log_id: string): SqliteIndex {
  const db = new DatabaseSync(path);
  try {
    if (path !== ":memory:") chmodSync(path, 0o600);
    // Derived data: after a crash it is caught up from the log, so speed may win here. Fewer
    // checkpoints, since each is a sync on the disk that the log writes to.
    db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=8000");
    db.exec("PRAGMA secure_delete=ON; PRAGMA cache_size=-32768");
    db.exec("BEGIN");
    const version = db.prepare("PRAGMA user_version").get()?.["user_version"];
    if (version !== SCHEMA_VERSION) {
      for (const table of [...TABLES, "state"]) db.exec(`DROP TABLE IF EXISTS ${table}`);
      db.exec(`PRAGMA user_version=${SCHEMA_VERSION}`);
    }
    db.exec(SCHEMA);
    db.exec(createIndexes());
    const state = db.prepare("SELECT log_id FROM state").get();
    if (state?.["log_id"] !== log_id) {
      for (const table of [...TABLES, "state"]) db.exec(`DELETE FROM ${table}`);
      db.prepare("INSERT INTO state (last, log_id) VALUES (0, ?)").run(log_id);
    }
    db.exec("COMMIT");
    return new SqliteIndex(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

export class SqliteIndex {
  private readonly db: DatabaseSync;
  private readonly insert: StatementSync;
  private readonly end: StatementSync;
  private readonly remember: StatementSync;
  private readonly link: StatementSync;
  private readonly log: StatementSync;
  private readonly faces = new Bounded<Face>(FACES_REMEMBERED_MAX);
  last: number;

  constructor(db: DatabaseSync) {
    this.db = db;
    this.insert = db.prepare(`INSERT INTO calls
      (seq, time_ms, call_id, person, face, tenant, agent, session, tool, target, outcome, at, size,
       end_seq, end_at, end_size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.end = db.prepare(`UPDATE calls SET outcome = ?, end_seq = ?, end_at = ?, end_size = ?
      WHERE call_id = ? AND end_seq IS NULL`);
    this.link = db.prepare(`INSERT INTO links (id, version) VALUES (?, ?)
      ON CONFLICT DO UPDATE SET version = max(version, excluded.version)`);
    this.log = db.prepare("INSERT INTO tool_logs VALUES (?, ?, ?, ?)");
    this.remember = db.prepare("UPDATE state SET last = ?");
    this.last = Number(db.prepare("SELECT last FROM state").get()?.["last"]);
  }

  /** Lines in order; those at or below `last` are ignored. `names`: of their users, as readable. */
  ingest(lines: readonly Placed[], names: Names): void {
    const fresh = lines.filter(({ line }) => line.seq > this.last);
    const newest = fresh.at(-1)?.line.seq;
    if (newest === undefined) return;
    this.db.exec("BEGIN");
    try {
      const ends = new Map(fresh.flatMap(endOf));
      for (const placed of fresh) this.ingestLine(placed, ends, names);
      this.remember.run(newest);
      this.db.exec("COMMIT");
    } catch (error) {
      if (this.db.isTransaction) this.db.exec("ROLLBACK");
      // Faces that were just made are gone with the transaction.
      this.faces.clear();
      throw error;
    }
    this.last = newest;
  }

  // A call whose two halves come together is one row, written once.
  private ingestLine(placed: Placed, ends: Map<string, PlacedAs<"outcome">>, names: Names): void {
    const { line, at, size } = placed;
    switch (line.kind) {
      case "intent": {
        const end = ends.get(line.call_id);
        ends.delete(line.call_id);
        return this.put({ line, at, size }, end, names);
      }
      case "refusal":
      case "replay":
        return this.put({ line, at, size }, { line, at, size }, names);
      case "outcome":
        if (!ends.has(line.call_id)) return;
        this.end.run(line.outcome, line.seq, at, size, line.call_id);
        return;
      case "event":
        if (line.event === LINK_EVENT) this.putLink(line.detail);
        if (line.event === "tool_log") this.log.run(line.detail.call_id, line.seq, at, size);
    }
  }

  private putLink({ id, version }: Readonly<Record<string, unknown>>): void {
    if (typeof id === "string" && typeof version === "number") this.link.run(id, version);
  }

  linkVersion(id: string): number {
    const row = this.db.prepare("SELECT version FROM links WHERE id = ?").get(id);
    return Number(row?.["version"] ?? 0);
  }

  private put(
    { line, at, size }: PlacedAs<"intent" | "refusal" | "replay">,
    end: PlacedAs<"outcome" | "refusal" | "replay"> | undefined,
    names: Names,
  ): void {
    const { seq, call_id, tenant, agent, session, tool, target } = line;
    const face = this.faceOf(line, names.get(line.user) ?? "");
    const ending = end === undefined ? [null, null, null] : [end.line.seq, end.at, end.size];
    const named = typeof tool === "string" ? tool : tool.digest;
    const what = [tenant, agent, session, named, target, end?.line.outcome ?? "unknown"];
    const who = [call_id, face.person, face.id];
    this.insert.run(seq, Date.parse(line.time), ...who, ...what, at, size, ...ending);
  }

  private faceOf({ subject, issuer, tenant }: Identity, name: string): Face {
    const key = JSON.stringify([subject, issuer, tenant, name]);
    const known = this.faces.get(key);
    if (known !== undefined) return known;
    const person = this.personOf({ subject, issuer }) ?? this.meet(subject, issuer);
    const row = this.db
      .prepare("SELECT id FROM faces WHERE person = ? AND tenant IS ? AND name = ?")
      .get(person, tenant, name);
    const made = (): number | bigint =>
      this.db
        .prepare("INSERT INTO faces (person, tenant, name) VALUES (?, ?, ?)")
        .run(person, tenant, name).lastInsertRowid;
    const face = { id: Number(row?.["id"] ?? made()), person };
    this.faces.set(key, face);
    return face;
  }

  private personOf({ subject, issuer }: Omit<Identity, "tenant">): number | undefined {
    const row = this.db
      .prepare("SELECT id FROM people WHERE subject = ? AND issuer = ?")
      .get(subject, issuer);
    return row === undefined ? undefined : Number(row["id"]);
  }

  private meet(subject: string, issuer: string): number {
    const made = this.db.prepare("INSERT INTO people (subject, issuer) VALUES (?, ?)");
    return Number(made.run(subject, issuer).lastInsertRowid);
  }

  find(filter: AuditFilter, reader: Reader): Hits {
    let person: number | undefined;
    if (reader.kind === "person") {
      person = this.personOf(reader);
      if (person === undefined) return { hits: [] };
    }
    if (filter.user !== undefined) {
      const named = this.named(filter.user, reader);
      if (named === undefined || (person !== undefined && named !== person)) return { hits: [] };
      person = named;
    }
    const select = this.db.prepare(selectOf(filter, reader, person).sql);
    const rows = oneByOne(filter).flatMap((one) => {
      return select.all(...selectOf(one, reader, person).values) as unknown as Hit[];
    });
    rows.sort((a, b) => b.time_ms - a.time_ms || b.seq - a.seq);
    const hits = rows.slice(0, filter.limit);
    const last = rows.length > filter.limit ? hits.at(-1) : undefined;
    return { hits, ...(last === undefined ? {} : { cursor: cursorOf(last) }) };
  }

  /** Where that stands which tools said in a call. */
  toolLogs(call_id: string): readonly Pick<Hit, "seq" | "at" | "size">[] {
    const found = this.db.prepare("SELECT seq, at, size FROM tool_logs WHERE call_id = ?");
    return found.all(call_id) as unknown as Hit[];
  }

  /** The name of a face; nothing where none is known. */
  nameOf(face: number): string | undefined {
    const row = this.db.prepare("SELECT name FROM faces WHERE id = ?").get(face);
    const name = row?.["name"];
    return typeof name === "string" && name !== "" ? name : undefined;
  }

  // A subject or a whole readable name; else any word of a name. Of whom the reader may not read,
  // nothing is known here, not even that a name fits him too.
  private named(user: string, reader: Reader): number | undefined {
    const hash = user.lastIndexOf("#");
    if (hash > 0) {
      return this.personOf({ issuer: user.slice(0, hash), subject: user.slice(hash + 1) });
    }
    const name = user.normalize("NFC");
    // A subject that is somebody else's readable name fits two people, as two equal names do.
    let found = this.people("people.subject = ? OR faces.name = ?", [user, name], reader);
    if (found.size === 0) {
      const word = "instr(' ' || lower(faces.name) || ' ', ' ' || lower(?) || ' ') > 0";
      found = this.people(word, [name], reader);
    }
    if (found.size > 1) throw AmbiguousUser.of(user, [...found.values()]);
    return found.keys().next().value;
  }

  private people(condition: string, values: readonly string[], reader: Reader) {
    const [mine, whose] = scopeOf(reader);
    const rows = this.db
      .prepare(
        "SELECT DISTINCT people.id, issuer, subject FROM faces " +
          `JOIN people ON people.id = faces.person WHERE (${condition})${mine} ORDER BY people.id`,
      )
      .all(...values, ...whose);
    return new Map(
      rows.map((row) => [Number(row["id"]), `${String(row["issuer"])}#${String(row["subject"])}`]),
    );
  }

  identities(user: string): readonly Identity[] {
    const person = this.named(user, { kind: "operator" });
    if (person === undefined) return [];
    const rows = this.db
      .prepare(
        "SELECT DISTINCT tenant, issuer, subject FROM faces JOIN people ON people.id = person " +
          "WHERE person = ?",
      )
      .all(person);
    return rows.map((row) => ({
      tenant: row["tenant"] as string | null,
      issuer: String(row["issuer"]),
      subject: String(row["subject"]),
    }));
  }

  tenants(): readonly (string | null)[] {
    const rows = this.db.prepare("SELECT DISTINCT tenant FROM faces").all();
    return rows.map((row) => row["tenant"] as string | null);
  }

  forget({ tenant, ...who }: Identity): void {
    const person = this.personOf(who);
    if (person === undefined) return;
    this.faces.clear();
    this.db
      .prepare("UPDATE faces SET name = '' WHERE person = ? AND tenant IS ?")
      .run(person, tenant);
    // Freed parts of pages, and the write-ahead file, still hold what was overwritten.
    this.db.exec("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
  }

  drop(seq: number): void {
    this.db.prepare("DELETE FROM calls WHERE seq <= ?").run(seq);
    this.db.prepare("DELETE FROM tool_logs WHERE seq <= ?").run(seq);
    this.db.prepare("UPDATE state SET last = max(last, ?)").run(seq);
    this.last = Math.max(this.last, seq);
  }

  orphans(): readonly string[] {
    const rows = this.db.prepare("SELECT call_id FROM calls WHERE end_seq IS NULL").all();
    return rows.map((row) => String(row["call_id"]));
  }

  clear(): void {
    const emptied = TABLES.map((table) => `DELETE FROM ${table};`).join(" ");
    this.db.exec(`BEGIN; ${emptied} UPDATE state SET last = 0; COMMIT`);
    this.faces.clear();
    this.last = 0;
  }

  /** While much is ingested the indexes are away, and made once at the end. */
  async inBulk(work: () => Promise<void>): Promise<void> {
    for (const name of Object.keys(INDEXES)) this.db.exec(`DROP INDEX IF EXISTS ${name}`);
    try {
      await work();
    } finally {
      this.db.exec(createIndexes());
    }
  }

  close(): void {
    this.db.close();
  }
}

// Of a tool as it is named, and as it is sealed: each is one piece of an index, both would be none.
function oneByOne(filter: AuditFilter): readonly AuditFilter[] {
  return [filter, ...(filter.tool_digests ?? []).map((tool) => ({ ...filter, tool }))];
}

function scopeOf(reader: Reader): [sql: string, values: readonly (string | null)[]] {
  switch (reader.kind) {
    case "operator":
      return ["", []];
    case "auditor":
      return [" AND faces.tenant = ?", [reader.tenant]];
    case "person": {
      const { issuer, subject, tenant } = reader;
      return [" AND issuer = ? AND subject = ? AND faces.tenant IS ?", [issuer, subject, tenant]];
    }
  }
}

function endOf({ line, at, size }: Placed): [string, PlacedAs<"outcome">][] {
  return line.kind === "outcome" ? [[line.call_id, { line, at, size }]] : [];
}
