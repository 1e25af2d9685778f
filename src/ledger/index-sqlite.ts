// The ledger's index on SQLite: columns to filter by, and both halves of each call as JSON.
import { chmodSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import type { SQLInputValue, StatementSync } from "node:sqlite";
import type { AuditRecord, Intent, Line, OutcomeRecord, RefusalRecord } from "./record.ts";
import { AmbiguousUser, BadCursor } from "./query.ts";
import type { AuditFilter, AuditPage, Identity, LedgerIndex } from "./query.ts";

const SCHEMA_VERSION = 2;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS state (last INTEGER NOT NULL, log_id TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS calls (
    call_id TEXT PRIMARY KEY, seq INTEGER NOT NULL, time_ms INTEGER NOT NULL,
    issuer TEXT NOT NULL, subject TEXT NOT NULL, user TEXT NOT NULL COLLATE NOCASE,
    agent TEXT NOT NULL, session TEXT NOT NULL, tool TEXT NOT NULL, target TEXT,
    outcome TEXT, facts TEXT NOT NULL, ending TEXT
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS by_seq ON calls (seq);
  CREATE INDEX IF NOT EXISTS by_subject ON calls (subject, issuer, seq);
  CREATE INDEX IF NOT EXISTS by_tool ON calls (tool, seq);
  CREATE INDEX IF NOT EXISTS by_outcome ON calls (outcome, seq);
  CREATE INDEX IF NOT EXISTS by_target ON calls (target, seq) WHERE target IS NOT NULL;
  CREATE INDEX IF NOT EXISTS by_session ON calls (session, seq);
  CREATE INDEX IF NOT EXISTS by_agent ON calls (agent, seq);
  CREATE INDEX IF NOT EXISTS by_user ON calls (user, issuer, subject);
  CREATE INDEX IF NOT EXISTS orphans ON calls (call_id) WHERE outcome IS NULL;
`;

/** The readable name in a line's `user`, where it can still be read. */
export type NameOf = (user: unknown) => string | undefined;

export const plainName: NameOf = (user) => (typeof user === "string" ? user : undefined);

/**
 * Opens or makes the index of the log `log_id` at `path`; ":memory:" for one that nobody keeps.
 * What is found there of another log is forgotten.
 */
export function openSqliteIndex(path: string, log_id: string, nameOf: NameOf): LedgerIndex {
  const db = new DatabaseSync(path);
  if (path !== ":memory:") chmodSync(path, 0o600);
  // Derived data: after a crash it is caught up from the log, so speed may win here.
  db.exec("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL");
  const version = db.prepare("PRAGMA user_version").get()?.["user_version"];
  if (version !== SCHEMA_VERSION) {
    db.exec("DROP TABLE IF EXISTS calls; DROP TABLE IF EXISTS state");
    db.exec(`PRAGMA user_version=${SCHEMA_VERSION}`);
  }
  db.exec(SCHEMA);
  const state = db.prepare("SELECT log_id FROM state").get();
  if (state?.["log_id"] !== log_id) {
    db.exec("DELETE FROM calls; DELETE FROM state");
    db.prepare("INSERT INTO state (last, log_id) VALUES (0, ?)").run(log_id);
  }
  return new SqliteIndex(db, nameOf);
}

interface Person {
  readonly issuer: string;
  readonly subject: string;
}

class SqliteIndex implements LedgerIndex {
  private readonly db: DatabaseSync;
  private readonly insert: StatementSync;
  private readonly end: StatementSync;
  private readonly remember: StatementSync;
  private readonly nameOf: NameOf;
  last: number;

  constructor(db: DatabaseSync, nameOf: NameOf) {
    this.db = db;
    this.nameOf = nameOf;
    this.insert = db.prepare(`INSERT OR REPLACE INTO calls
      (call_id, seq, time_ms, issuer, subject, user, agent, session, tool, target, outcome,
       facts, ending) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.end = db.prepare("UPDATE calls SET outcome = ?, ending = ? WHERE call_id = ?");
    this.remember = db.prepare("UPDATE state SET last = ?");
    this.last = Number(db.prepare("SELECT last FROM state").get()?.["last"]);
  }

  ingest(lines: readonly Line[]): void {
    const fresh = lines.filter((line) => line.seq > this.last);
    const newest = fresh.at(-1)?.seq;
    if (newest === undefined) return;
    this.db.exec("BEGIN");
    try {
      const ends = new Map(fresh.flatMap((line) => endOf(line)));
      for (const line of fresh) this.ingestLine(line, ends);
      this.remember.run(newest);
      this.db.exec("COMMIT");
    } catch (error) {
      this.db.exec("ROLLBACK");
      throw error;
    }
    this.last = newest;
  }

  // A call whose two halves come together is one row, written once.
  private ingestLine(line: Line, ends: Map<string, OutcomeRecord>): void {
    switch (line.kind) {
      case "intent": {
        const end = ends.get(line.call_id);
        ends.delete(line.call_id);
        if (end === undefined) return this.put(line, null, null);
        return this.put(line, end.outcome, JSON.stringify(endingOf(end)));
      }
      case "refusal":
        return this.put(line, line.outcome, JSON.stringify(endingOf(line)));
      case "outcome":
        if (!ends.has(line.call_id)) return;
        this.end.run(line.outcome, JSON.stringify(endingOf(line)), line.call_id);
        return;
      case "event":
    }
  }

  private put(line: Line & (Intent | RefusalRecord), outcome: string | null, end: string | null) {
    const { call_id, seq, issuer, subject, agent, session, tool, target } = line;
    const time_ms = Date.parse(line.time);
    const user = this.nameOf(line.user) ?? "";
    const who = [issuer, subject, user, agent, session, tool, target];
    this.insert.run(call_id, seq, time_ms, ...who, outcome, JSON.stringify(factsOf(line)), end);
  }

  query(filter: AuditFilter): AuditPage {
    const person = filter.user === undefined ? undefined : this.person(filter.user);
    if (filter.user !== undefined && person === undefined) {
      return { records: [], complete_to: this.last };
    }
    const conditions = conditionsOf(filter, person);
    const where = conditions.map(([sql]) => sql).join(" AND ") || "TRUE";
    const values = conditions.flatMap(([, ...given]) => given);
    const rows = this.db
      .prepare(
        `SELECT seq, user, facts, ending FROM calls WHERE ${where} ORDER BY seq DESC LIMIT ?`,
      )
      .all(...values, filter.limit + 1);
    const page = rows.slice(0, filter.limit);
    const next = rows.length > filter.limit ? page.at(-1)?.["seq"] : undefined;
    return {
      records: page.map(toRecord),
      ...(next === undefined ? {} : { cursor: `s${String(next)}` }),
      complete_to: this.last,
    };
  }

  // A subject or a whole readable name; else any word of a name.
  private person(user: string): Person | undefined {
    const hash = user.lastIndexOf("#");
    if (hash > 0) return { issuer: user.slice(0, hash), subject: user.slice(hash + 1) };
    const people = "SELECT DISTINCT issuer, subject, user FROM calls WHERE";
    const name = user.normalize("NFC");
    // A subject that is somebody else's readable name fits two people, as two equal names do.
    let rows = this.db.prepare(`${people} subject = ? OR user = ?`).all(user, name);
    if (rows.length === 0) {
      const word = "instr(' ' || lower(user) || ' ', ' ' || lower(?) || ' ') > 0";
      rows = this.db.prepare(`${people} ${word}`).all(name);
    }
    const found = new Map(
      rows.map((row) => [`${String(row["issuer"])}#${String(row["subject"])}`, row]),
    );
    if (found.size > 1) throw new AmbiguousUser(user, [...found.keys()]);
    const [row] = found.values();
    if (row === undefined) return undefined;
    return { issuer: String(row["issuer"]), subject: String(row["subject"]) };
  }

  identities(user: string): readonly Identity[] {
    const person = this.person(user);
    if (person === undefined) return [];
    const { issuer, subject } = person;
    const tenants = this.db
      .prepare(
        "SELECT DISTINCT json_extract(facts, '$.tenant') AS tenant FROM calls " +
          "WHERE subject = ? AND issuer = ?",
      )
      .all(subject, issuer);
    return tenants.map((row) => ({ tenant: row["tenant"] as string | null, issuer, subject }));
  }

  forget({ issuer, subject }: Identity): void {
    this.db
      .prepare("UPDATE calls SET user = '' WHERE subject = ? AND issuer = ?")
      .run(subject, issuer);
    // Freed parts of pages, and the write-ahead file, still hold what was overwritten.
    this.db.exec("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
  }

  orphans(): readonly string[] {
    const rows = this.db.prepare("SELECT call_id FROM calls WHERE outcome IS NULL").all();
    return rows.map((row) => String(row["call_id"]));
  }

  clear(): void {
    this.db.exec("DELETE FROM calls; UPDATE state SET last = 0");
    this.last = 0;
  }

  close(): void {
    this.db.close();
  }
}

type Condition = readonly [sql: string, ...values: SQLInputValue[]];

const EQUALS = {
  tool: "tool",
  record: "target",
  session: "session",
  agent: "agent",
  call_id: "call_id",
} as const;

function conditionsOf(filter: AuditFilter, person: Person | undefined): readonly Condition[] {
  const conditions: Condition[] = [];
  if (person !== undefined) {
    conditions.push(["subject = ? AND issuer = ?", person.subject, person.issuer]);
  }
  for (const [field, column] of Object.entries(EQUALS)) {
    const value = filter[field as keyof typeof EQUALS];
    if (value !== undefined) conditions.push([`${column} = ?`, value]);
  }
  const { outcome, from_ms, to_ms, cursor } = filter;
  // A call without an end is one that nobody can speak for yet.
  if (outcome === "unknown") conditions.push(["(outcome = 'unknown' OR outcome IS NULL)"]);
  else if (outcome !== undefined) conditions.push(["outcome = ?", outcome]);
  if (from_ms !== undefined) conditions.push(["time_ms >= ?", from_ms]);
  if (to_ms !== undefined) conditions.push(["time_ms < ?", to_ms]);
  if (cursor !== undefined) conditions.push(["seq < ?", seqOf(cursor)]);
  return conditions;
}

function endOf(line: Line): [string, OutcomeRecord][] {
  return line.kind === "outcome" ? [[line.call_id, line]] : [];
}

function seqOf(cursor: string): number {
  const match = /^s(\d{1,15})$/.exec(cursor);
  if (match === null) throw new BadCursor(`${JSON.stringify(cursor)} is not a cursor of ours`);
  return Number(match[1]);
}

// Without the name: it stands in a column of its own, from which it can be forgotten.
function factsOf(line: Line & (Intent | RefusalRecord)): Omit<AuditRecord, keyof Ending | "user"> {
  const { call_id, parent, subject, issuer, tenant, roles, actor_chain } = line;
  const { agent, client_id, session, tool, target, args, effects, rule, approved_by } = line;
  const { time, trace_id, isolation, policy, tool_hash } = line;
  const who = { call_id, parent, time, subject, issuer, tenant, roles, actor_chain };
  const what = { agent, client_id, session, tool, target, args, effects, rule, approved_by };
  return { ...who, ...what, trace_id, isolation, policy, tool_hash };
}

interface Ending {
  outcome: unknown;
  effect: unknown;
  error_code: unknown;
  duration_ms: unknown;
  steps: unknown;
  downstream: unknown;
  result: unknown;
  count: unknown;
}

function endingOf(line: OutcomeRecord | RefusalRecord): Partial<AuditRecord> {
  const { outcome, effect, error_code, duration_ms, steps, downstream, result } = line;
  const ending = { outcome, effect, error_code, duration_ms, steps, downstream, result };
  return line.kind === "refusal" && line.count > 1 ? { ...ending, count: line.count } : ending;
}

// A call that still runs, or whose server died: nobody can say yet.
const RUNNING = {
  outcome: "unknown",
  effect: "unknown",
  error_code: null,
  duration_ms: 0,
  steps: {},
  downstream: [],
  result: null,
} as const;

interface Row {
  readonly user: string;
  readonly facts: string;
  readonly ending: string | null;
}

function toRecord(row: unknown): AuditRecord {
  const { user: name, facts, ending } = row as Row;
  const end: unknown = ending === null ? RUNNING : JSON.parse(ending);
  const known = JSON.parse(facts) as AuditRecord;
  const user = name === "" ? known.subject : name;
  return inOrder({ ...known, user, ...(end as object) });
}

// The order of INTERFACE, so that two readers see the same line.
const ORDER = (
  "call_id parent time user subject issuer tenant roles actor_chain agent client_id session tool " +
  "target args result effects rule approved_by outcome effect error_code duration_ms steps " +
  "downstream trace_id isolation policy tool_hash count"
).split(" ");

function inOrder(record: AuditRecord): AuditRecord {
  const own = ORDER.filter((key) => Object.hasOwn(record, key));
  const pairs = own.map((key) => [key, record[key as keyof AuditRecord]]);
  return Object.fromEntries(pairs) as AuditRecord;
}
