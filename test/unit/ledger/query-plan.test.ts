// How SQLite answers each question that is advertised: one piece of one index, in order already.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished } from "vitest";
import { selectOf } from "../../../src/ledger/index-select.ts";
import { openSqliteIndex } from "../../../src/ledger/index-sqlite.ts";
import { OPERATOR } from "../../../src/ledger/query.ts";
import type { AuditFilter, Reader } from "../../../src/ledger/query.ts";
import { testFolder } from "../../setup/minimal.ts";
import { verifies } from "../../verifies.ts";

const RANGE = { from_ms: 1, to_ms: 9 };
const AFTER = { cursor: "t5s5" };
const AUDITOR: Reader = { kind: "auditor", tenant: "acme" };
const PERSON: Reader = {
  kind: "person",
  tenant: "acme",
  issuer: "https://id.test",
  subject: "ada",
};

/** The question, and the columns that the one index is entered by, before the range of time. */
const ADVERTISED: Readonly<Record<string, [Partial<AuditFilter>, index: string, by: string]>> = {
  nothing: [{}, "by_time", ""],
  user: [{ user: "ada" }, "by_person", "person=? AND "],
  tool: [{ tool: "t" }, "by_tool", "tool=? AND "],
  outcome: [{ outcome: "ok" }, "by_outcome", "outcome=? AND "],
  record: [{ record: "deal:42" }, "by_target", "target=? AND "],
  session: [{ session: "s" }, "by_session", "session=? AND "],
  call: [{ call_id: "c" }, "by_call", "call_id=? AND "],
  agent: [{ agent: "sales" }, "by_agent", "agent=? AND "],
  "user x tool": [{ user: "ada", tool: "t" }, "by_person_tool", "person=? AND tool=? AND "],
  "user x outcome": [
    { user: "ada", outcome: "unknown" },
    "by_person_outcome",
    "person=? AND outcome=? AND ",
  ],
  "user x agent": [{ user: "ada", agent: "a" }, "by_person_agent", "person=? AND agent=? AND "],
  "tool x outcome": [
    { tool: "t", outcome: "timeout" },
    "by_tool_outcome",
    "tool=? AND outcome=? AND ",
  ],
};

const TENANTS: Readonly<Record<string, [index: string, by: string]>> = {
  nothing: ["by_tenant", "tenant=? AND "],
  tool: ["by_tenant_tool", "tenant=? AND tool=? AND "],
  outcome: ["by_tenant_outcome", "tenant=? AND outcome=? AND "],
  agent: ["by_tenant_agent", "tenant=? AND agent=? AND "],
  "tool x outcome": ["by_tenant_tool", "tenant=? AND tool=? AND "],
};

function planOf(filter: Partial<AuditFilter>, reader: Reader): string[] {
  const path = join(testFolder(), "index.sqlite");
  openSqliteIndex(path, "a test").close();
  const db = new DatabaseSync(path, { readOnly: true });
  onTestFinished(() => db.close());
  const person = filter.user === undefined && reader.kind !== "person" ? undefined : 1;
  const { sql, values } = selectOf({ limit: 50, ...filter }, reader, person);
  const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
  return plan.map(({ detail }) => String(detail));
}

for (const [what, [filter, index, by]] of Object.entries(ADVERTISED)) {
  verifies("ledger.fast", `${what} with a range of dates is one search, without a sort`, () => {
    const search = `SEARCH calls USING INDEX ${index} (${by}time_ms>? AND time_ms<?)`;
    expect(planOf({ ...filter, ...RANGE }, OPERATOR)).toEqual([search]);
  });

  verifies("ledger.fast", `${what}: the next page begins where the last one ended`, () => {
    const search = `SEARCH calls USING INDEX ${index} (${by}time_ms<?)`;
    expect(planOf({ ...filter, ...AFTER }, OPERATOR)).toEqual([search]);
  });

  const [of_tenant, by_tenant] = TENANTS[what] ?? [index, by];
  verifies("ledger.fast", `${what} is as fast for an auditor of one tenant`, () => {
    const search = `SEARCH calls USING INDEX ${of_tenant} (${by_tenant}time_ms>? AND time_ms<?)`;
    expect(planOf({ ...filter, ...RANGE }, AUDITOR)).toEqual([search]);
  });

  verifies("ledger.fast", `${what}: a person's own records are found without a sort`, () => {
    const plan = planOf({ ...filter, ...RANGE }, PERSON);
    expect(plan).toHaveLength(1);
    expect(plan[0]).toMatch(/^SEARCH calls USING INDEX by_\w+ \(.*time_ms>\? AND time_ms<\?\)$/);
  });
}
