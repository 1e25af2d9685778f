// From a question to one SELECT over the index's calls. Which of the indexes answers it is decided
// here and not by the planner's guess, so that no question becomes slow as the log grows.
import { BadCursor } from "./query.ts";
import type { AuditFilter, Reader } from "./query.ts";

/** Each ends in (time_ms, seq): a range of time is one piece of it, and is in order already. */
export const INDEXES = {
  by_call: ["call_id"],
  by_session: ["session"],
  by_target: ["target"],
  by_person_tool: ["person", "tool"],
  by_person_outcome: ["person", "outcome"],
  by_person_agent: ["person", "agent"],
  by_person: ["person"],
  by_tenant_tool: ["tenant", "tool"],
  by_tenant_outcome: ["tenant", "outcome"],
  by_tenant_agent: ["tenant", "agent"],
  by_tool_outcome: ["tool", "outcome"],
  by_tool: ["tool"],
  by_outcome: ["outcome"],
  by_agent: ["agent"],
  by_tenant: ["tenant"],
  by_time: [],
} as const satisfies Readonly<Record<string, readonly Column[]>>;

type Value = string | number;
type Column = "call_id" | "session" | "target" | "person" | "tenant" | "tool" | "outcome" | "agent";

export function createIndexes(): string {
  return Object.entries(INDEXES)
    .map(([name, columns]) => {
      const all = [...columns, "time_ms"].join(", ");
      return `CREATE INDEX IF NOT EXISTS ${name} ON calls (${all});`;
    })
    .join("\n");
}

export interface Select {
  readonly sql: string;
  readonly values: readonly (Value | null)[];
}

/** `person`: the id of whom the filter's user, or the reader, is; one row more than the limit. */
export function selectOf(filter: AuditFilter, reader: Reader, person?: number): Select {
  const equal = new Map<Column, Value>();
  const put = (column: Column, value: Value | undefined): void => {
    if (value !== undefined) equal.set(column, value);
  };
  put("person", person);
  put("call_id", filter.call_id);
  put("session", filter.session);
  put("target", filter.record);
  put("tool", filter.tool);
  put("outcome", filter.outcome);
  put("agent", filter.agent);
  if (reader.kind === "auditor") put("tenant", reader.tenant);
  const conditions = [...equal.keys()].map((column) => `${column} = ?`);
  const values: (Value | null)[] = [...equal.values()];
  const and = (sql: string, ...given: (Value | null)[]): void => {
    conditions.push(sql);
    values.push(...given);
  };
  if (reader.kind === "person") and("tenant IS ?", reader.tenant);
  if (filter.from_ms !== undefined) and("time_ms >= ?", filter.from_ms);
  if (filter.to_ms !== undefined) and("time_ms < ?", filter.to_ms);
  if (filter.cursor !== undefined) {
    const { time_ms, seq } = placeOf(filter.cursor);
    and("time_ms <= ? AND (time_ms < ? OR seq < ?)", time_ms, time_ms, seq);
  }
  const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
  const sql =
    `SELECT seq, time_ms, face, at, size, end_seq, end_at, end_size FROM calls ` +
    `INDEXED BY ${indexFor(equal)}${where} ORDER BY time_ms DESC, seq DESC LIMIT ?`;
  return { sql, values: [...values, filter.limit + 1] };
}

function indexFor(equal: ReadonlyMap<Column, unknown>): string {
  const found = Object.entries(INDEXES).find(([, columns]) =>
    (columns as readonly Column[]).every((column) => equal.has(column)),
  );
  return found?.[0] ?? "by_time";
}

export function cursorOf(row: { readonly time_ms: number; readonly seq: number }): string {
  return `t${row.time_ms}s${row.seq}`;
}

function placeOf(cursor: string): { time_ms: number; seq: number } {
  const [, time_ms, seq] = /^t(\d{1,15})s(\d{1,15})$/.exec(cursor) ?? [];
  if (time_ms === undefined || seq === undefined) {
    throw new BadCursor(`${JSON.stringify(cursor)} is not a cursor of ours`);
  }
  return { time_ms: Number(time_ms), seq: Number(seq) };
}
