// What both sides wrote down: the SaaS's audit log, and the bytes of our ledger, read by a reader
// that shares nothing with the writer.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ledgerIndexFile, readLedger } from "../../src/ledger/ledger.ts";
import { LogIndex } from "../../src/ledger/log-index.ts";
import { OPERATOR, plainNames } from "../../src/ledger/query.ts";
import type { LedgerIndex } from "../../src/ledger/query.ts";
import type { AuditRecord, Line } from "../../src/ledger/record.ts";

export interface ApiRow {
  readonly time: string;
  readonly subject: string | null;
  readonly method: string;
  readonly path: string;
  readonly request_id: string;
}

type End = Extract<Line, { kind: "outcome" | "replay" }>;

/** The log as its bytes say, whole lines only. */
export interface Log {
  readonly lines: readonly Line[];
  readonly intents: ReadonlySet<string>;
  /** Every outcome of each call; one, unless something is wrong. */
  readonly ends: ReadonlyMap<string, readonly End[]>;
  /** What is wrong with the chain; empty where nothing is. */
  readonly breaks: readonly string[];
  readonly torn_bytes: number;
}

const PAGE = 5000;

export class Evidence {
  private readonly data: string;
  private readonly api: string;

  constructor(data: string, api: string) {
    this.data = data;
    this.api = api;
  }

  get ledger(): string {
    return join(this.data, "ledger");
  }

  segments(): string[] {
    const names = readdirSync(this.ledger).filter((name) => name.endsWith(".jsonl"));
    return names.toSorted().map((name) => join(this.ledger, name));
  }

  log(): Log {
    const lines: Line[] = [];
    const breaks: string[] = [];
    let prev = "0".repeat(64);
    let rest = "";
    for (const segment of this.segments()) {
      if (rest !== "") breaks.push(`bytes without a line before ${segment}`);
      // Where room begins, or a page of a batch is missing, the lines end.
      const [written = ""] = readFileSync(segment, "utf8").split("\t", 1);
      const texts = written.split("\n");
      rest = texts.pop() ?? "";
      for (const text of texts) {
        const line = JSON.parse(text) as Line;
        if (line.seq !== lines.length + 1) breaks.push(`seq ${line.seq} at ${lines.length + 1}`);
        if (line.prev !== prev) breaks.push(`seq ${line.seq} does not continue the chain`);
        prev = createHash("sha256").update(text).digest("hex");
        lines.push(line);
      }
    }
    return { lines, breaks, torn_bytes: Buffer.byteLength(rest), ...halvesOf(lines) };
  }

  /** Everything that the SaaS saw of its APIs since `since`, oldest first. */
  async api_rows(since = ""): Promise<ApiRow[]> {
    const url = `${this.api}/audit?limit=${PAGE}&since=${encodeURIComponent(since)}`;
    const rows = (await (await fetch(url)).json()) as ApiRow[];
    if (rows.length >= PAGE) throw new Error("the SaaS saw more than one page: ask more often");
    return rows;
  }

  /** The index that the core keeps, and one that is made anew from the log. */
  async indexes(): Promise<{ kept: readonly AuditRecord[]; rebuilt: readonly AuditRecord[] }> {
    const log_id = readFileSync(join(this.ledger, "log_id"), "utf8").trim();
    const index_file = ledgerIndexFile(this.data);
    const onBehind = (): void => undefined;
    const options = { folder: this.ledger, index_file, log_id, namesOf: plainNames, onBehind };
    const kept = new LogIndex(options);
    const rebuilt = readLedger(this.ledger, plainNames);
    try {
      return { kept: await everythingIn(kept), rebuilt: await everythingIn(rebuilt) };
    } finally {
      await kept.close();
      await rebuilt.close();
    }
  }
}

async function everythingIn(index: LedgerIndex): Promise<readonly AuditRecord[]> {
  const { records } = await index.query({ limit: 1_000_000 }, OPERATOR);
  // Names are sealed in the log, and this reader has no keys.
  return records.map((record) => ({ ...record, user: record.subject }));
}

function halvesOf(lines: readonly Line[]): Pick<Log, "intents" | "ends"> {
  const intents = new Set<string>();
  const ends = new Map<string, End[]>();
  for (const line of lines) {
    // What got another call's answer is one record.
    if (line.kind === "intent" || line.kind === "replay") intents.add(line.call_id);
    if (line.kind !== "outcome" && line.kind !== "replay") continue;
    const known = ends.get(line.call_id);
    if (known === undefined) ends.set(line.call_id, [line]);
    else known.push(line);
  }
  return { intents, ends };
}
