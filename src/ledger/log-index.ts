// The index with the log that it is of: follows the files, and answers from them. One thing after
// the other, so that an answer is never of half a batch.
import { Bounded } from "./bounded.ts";
import { openSqliteIndex } from "./index-sqlite.ts";
import type { Hit, SqliteIndex } from "./index-sqlite.ts";
import { LogReader } from "./log-reader.ts";
import type { Placed } from "./log-reader.ts";
import type { AuditFilter, AuditPage, Identity, LedgerIndex, NamesOf, Reader } from "./query.ts";
import type { AuditRecord, CallEnd, Line } from "./record.ts";
import { joined } from "./record.ts";
import { tombstoneAt } from "./retention.ts";
import { LedgerDamaged } from "./segments.ts";
import type { Tombstone } from "./tombstone.ts";

export interface LogIndexOptions {
  /** The ledger's. */
  readonly folder: string;
  /** Where the index is kept; not in the ledger's folder, which is evidence. */
  readonly index_file: string;
  readonly log_id: string;
  readonly namesOf: NamesOf;
  /** It could not follow; it tries again with the next thing that it is told or asked. */
  readonly onBehind: (error: unknown) => void;
}

const FOLLOW_AFTER_MS = 500;
// In one transaction: each writes every page that it touches, of a dozen indexes.
const INGEST_RECORDS = 5000;
const BULK_RECORDS = 100_000;
const NAMES_REMEMBERED_MAX = 10_000;

/** In this thread; the server has it in one of its own (index-thread.ts). */
export class LogIndex implements LedgerIndex {
  readonly held: number;
  private readonly options: LogIndexOptions;
  private readonly index: SqliteIndex;
  private readonly reader: LogReader;
  private readonly names = new Bounded<string>(NAMES_REMEMBERED_MAX);
  private durable: number;
  private timer: NodeJS.Timeout | undefined;
  private working: Promise<unknown> = Promise.resolve();

  constructor(options: LogIndexOptions) {
    this.options = options;
    this.index = openSqliteIndex(options.index_file, options.log_id);
    this.reader = new LogReader(options.folder);
    this.held = this.index.last;
    this.durable = this.held;
  }

  follow(seq: number): void {
    this.durable = Math.max(this.durable, seq);
    this.timer ??= setTimeout(() => {
      this.inTurn(() => this.catchUp()).catch(this.options.onBehind);
    }, FOLLOW_AFTER_MS);
  }

  query(filter: AuditFilter, reader: Reader): Promise<AuditPage> {
    return this.inTurn(async () => {
      await this.catchUp();
      const { hits, cursor } = this.index.find(filter, reader);
      const records = hits.map((hit) => this.recordAt(hit, filter));
      const more = cursor === undefined ? {} : { cursor };
      return { records, ...more, complete_to: this.index.last };
    });
  }

  identities(user: string): Promise<readonly Identity[]> {
    return this.inTurn(async () => {
      await this.catchUp();
      return this.index.identities(user);
    });
  }

  toolLog(call_id: string): Promise<readonly unknown[]> {
    return this.inTurn(async () => {
      await this.catchUp();
      return this.index.toolLogs(call_id).flatMap(({ seq, at, size }) => {
        const line = this.lineAt(seq, at, size);
        if (line.kind !== "event" || line.event !== "tool_log") throw misplaced(seq);
        return line.detail.lines;
      });
    });
  }

  tenants(): Promise<readonly (string | null)[]> {
    return this.inTurn(async () => {
      await this.catchUp();
      return this.index.tenants();
    });
  }

  forget(identity: Identity): Promise<void> {
    return this.inTurn(async () => {
      await this.catchUp();
      this.names.clear();
      this.index.forget(identity);
    });
  }

  linkVersion(id: string): Promise<number> {
    return this.inTurn(async () => {
      await this.catchUp();
      return this.index.linkVersion(id);
    });
  }

  tombstoneAt(seq: number): Promise<Tombstone> {
    return this.inTurn(async () => {
      // What goes will have been read.
      await this.catchUp();
      return tombstoneAt(this.options.folder, seq);
    });
  }

  drop(seq: number): Promise<void> {
    return this.inTurn(async () => {
      await this.catchUp();
      this.index.drop(seq);
    });
  }

  orphans(): Promise<readonly string[]> {
    return this.inTurn(async () => {
      await this.catchUp();
      return this.index.orphans();
    });
  }

  rebuild(): Promise<number> {
    return this.inTurn(async () => {
      this.index.clear();
      await this.catchUp();
      return this.index.last;
    });
  }

  async close(): Promise<void> {
    // What it lacks is read by the next one.
    await this.inTurn(() => this.catchUp()).catch(this.options.onBehind);
    this.index.close();
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.working.then(work);
    this.working = done.catch(() => undefined);
    return done;
  }

  private async catchUp(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.durable - this.index.last < BULK_RECORDS || this.index.last > 0) return this.readOn();
    return this.index.inBulk(() => this.readOn());
  }

  private async readOn(): Promise<void> {
    let lines: Placed[] = [];
    for (const more of this.reader.read(this.index.last, this.durable)) {
      lines.push(...more);
      if (lines.length < INGEST_RECORDS) continue;
      await this.ingest(lines);
      lines = [];
    }
    await this.ingest(lines);
  }

  private async ingest(lines: readonly Placed[]): Promise<void> {
    this.index.ingest(lines, await this.namesIn(lines));
  }

  private async namesIn(lines: readonly Placed[]): Promise<ReadonlyMap<unknown, string>> {
    const users = new Map(
      lines.flatMap(({ line }) => ("user" in line ? [[line.user, JSON.stringify(line.user)]] : [])),
    );
    const unknown = [...new Set(users.values())].filter((key) => this.names.get(key) === undefined);
    if (unknown.length > 0) {
      const found = await this.options.namesOf(unknown.map((key) => JSON.parse(key) as unknown));
      for (const [i, key] of unknown.entries()) this.names.set(key, found[i] ?? "");
    }
    return new Map([...users].map(([user, key]) => [user, this.names.get(key) ?? ""]));
  }

  private recordAt(hit: Hit, { tool, tool_digests }: AuditFilter): AuditRecord {
    const line = this.lineAt(hit.seq, hit.at, hit.size);
    if (line.kind === "event" || line.kind === "outcome") throw misplaced(hit.seq);
    const end = this.endAt(hit);
    // Whoever asks by a sealed name knows it.
    const isAsked = typeof line.tool !== "string" && tool_digests?.includes(line.tool.digest);
    return joined(line, end, this.index.nameOf(hit.face), isAsked ? tool : line.tool);
  }

  private endAt({ end_seq, end_at, end_size }: Hit): CallEnd | undefined {
    if (end_seq === null || end_at === null || end_size === null) return undefined;
    const line = this.lineAt(end_seq, end_at, end_size);
    if (line.kind === "event" || line.kind === "intent") throw misplaced(end_seq);
    return line;
  }

  private lineAt(seq: number, at: number, size: number): Line {
    return this.reader.lineAt(seq, at, size);
  }
}

function misplaced(seq: number): LedgerDamaged {
  return new LedgerDamaged(`record ${seq} is not what the index says: \`audit reindex\``);
}
