// Every question that `audit query` can ask, and pages that are whole and do not overlap.
import { beforeAll, describe, expect, test } from "vitest";
import { openSqliteIndex, plainName } from "../../../src/ledger/index-sqlite.ts";
import { AmbiguousUser, BadCursor } from "../../../src/ledger/query.ts";
import type { AuditFilter, LedgerIndex } from "../../../src/ledger/query.ts";
import { FIRST_PREV } from "../../../src/ledger/record.ts";
import type { CallFacts, Line } from "../../../src/ledger/record.ts";
import { verifies } from "../../verifies.ts";
import { intent, outcome, refusalOf } from "./entries.ts";

const START = Date.parse("2026-03-14T00:00:00.000Z");
const LOGIN = "https://login.test";
const PEOPLE = [
  { subject: "ada", user: "Ada L." },
  { subject: "bob", user: "Bob Stone" },
  { subject: "eve", user: "Eve Stone" },
  { subject: "u-4", user: "Ada L.", issuer: "https://other.test" },
] as const;

let index: LedgerIndex;

/** Forty calls, one an hour: who, through what, and how they ended goes round at its own pace. */
beforeAll(() => {
  index = openSqliteIndex(":memory:", "a test", plainName);
  const lines: Line[] = [];
  const add = (record: object, hour: number): void => {
    const time = new Date(START + hour * 3_600_000).toISOString();
    lines.push({ v: 1, seq: lines.length + 1, prev: FIRST_PREV, time, ...record } as Line);
  };
  for (let i = 0; i < 40; i++) {
    const facts: Partial<CallFacts> = {
      ...PEOPLE[i % 4],
      tool: i % 2 === 0 ? "item_get" : "item_put",
      target: i % 5 === 0 ? null : `item:${i % 5}`,
      agent: i % 3 === 0 ? "yard" : "desk",
      session: `ses_${i % 7}`,
    };
    if (i % 10 === 9) add(refusalOf(`c${i}`, facts), i);
    else add(intent(`c${i}`, facts), i);
    if (i % 10 < 7) add(outcome(`c${i}`, i % 10 === 6 ? { outcome: "timeout" } : {}), i);
  }
  index.ingest(lines.slice(0, 31));
  index.ingest(lines.slice(31));
});

function idsOf(filter: Partial<AuditFilter>): number[] {
  const { records } = index.query({ limit: 1000, ...filter });
  return records.map(({ call_id }) => Number(call_id.slice(1)));
}

const expected = (wanted: (i: number) => boolean): number[] =>
  Array.from({ length: 40 }, (_, i) => 39 - i).filter((i) => wanted(i));

const HOUR = 3_600_000;
const FILTERS: Readonly<Record<string, [Partial<AuditFilter>, (i: number) => boolean]>> = {
  nothing: [{}, () => true],
  "a subject": [{ user: "bob" }, (i) => i % 4 === 1],
  "a readable name": [{ user: "eve stone" }, (i) => i % 4 === 2],
  "a word of a name, in any case": [{ user: "EVE" }, (i) => i % 4 === 2],
  "an issuer and subject": [{ user: "https://other.test#u-4" }, (i) => i % 4 === 3],
  nobody: [{ user: "nobody" }, () => false],
  "a tool": [{ tool: "item_put" }, (i) => i % 2 === 1],
  "a record": [{ record: "item:3" }, (i) => i % 5 === 3],
  "an agent": [{ agent: "yard" }, (i) => i % 3 === 0],
  "a session": [{ session: "ses_4" }, (i) => i % 7 === 4],
  "a call": [{ call_id: "c17" }, (i) => i === 17],
  "an outcome ok": [{ outcome: "ok" }, (i) => i % 10 < 6],
  "an outcome timeout": [{ outcome: "timeout" }, (i) => i % 10 === 6],
  "an outcome of refusals": [{ outcome: "rate_limited" }, (i) => i % 10 === 9],
  "calls that nobody can speak for": [{ outcome: "unknown" }, (i) => [7, 8].includes(i % 10)],
  "a start, inclusive": [{ from_ms: START + 30 * HOUR }, (i) => i >= 30],
  "an end, exclusive": [{ to_ms: START + 5 * HOUR }, (i) => i < 5],
  "a range": [{ from_ms: START + 5 * HOUR, to_ms: START + 9 * HOUR }, (i) => i >= 5 && i < 9],
  "several at once": [
    { user: "bob", tool: "item_put", outcome: "ok", agent: "desk", from_ms: START + 4 * HOUR },
    (i) => i % 4 === 1 && i % 10 < 6 && i % 3 !== 0 && i >= 4,
  ],
  "what would be SQL": [{ tool: "x' OR '1'='1" }, () => false],
  "what would be a wildcard": [{ user: "%" }, () => false],
};

describe("filters", () => {
  for (const [what, [filter, wanted]] of Object.entries(FILTERS)) {
    verifies("ledger.filters", `${what} selects exactly its calls, newest first`, () => {
      expect(idsOf(filter)).toEqual(expected(wanted));
    });
  }

  verifies("ledger.filters", "a name that two people have is refused, and both are named", () => {
    for (const user of ["Ada L.", "ada l.", "stone"]) {
      expect(() => idsOf({ user })).toThrow(AmbiguousUser);
    }
    expect(() => idsOf({ user: "stone" })).toThrow(
      `"stone" fits 2 people: ${LOGIN}#bob, ${LOGIN}#eve`,
    );
    // A subject is nobody else's name.
    expect(idsOf({ user: "ada" })).toEqual(expected((i) => i % 4 === 0));
  });
});

describe("pages", () => {
  for (const limit of [1, 7, 39, 40, 41]) {
    verifies("ledger.filters", `of ${limit} are complete, disjoint and in order`, () => {
      const seen: number[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        const page = index.query({ limit, ...(cursor === undefined ? {} : { cursor }) });
        expect(page.records.length).toBeLessThanOrEqual(limit);
        seen.push(...page.records.map(({ call_id }) => Number(call_id.slice(1))));
        cursor = page.cursor;
        pages++;
      } while (cursor !== undefined && pages < 100);
      expect(seen).toEqual(expected(() => true));
      expect(pages).toBe(Math.ceil(40 / limit));
    });
  }

  verifies("ledger.filters", "a cursor goes on where it stood, whatever came since", () => {
    const own = openSqliteIndex(":memory:", "a test", plainName);
    const line = (seq: number): Line => ({
      v: 1,
      seq,
      prev: FIRST_PREV,
      time: new Date(START).toISOString(),
      ...intent(`c${seq}`),
    });
    own.ingest([1, 2, 3, 4].map(line));
    const first = own.query({ limit: 2 });
    own.ingest([5, 6].map(line));
    const second = own.query({ limit: 2, cursor: first.cursor });
    expect([...first.records, ...second.records].map(({ call_id }) => call_id)).toEqual([
      "c4",
      "c3",
      "c2",
      "c1",
    ]);
    expect(second.cursor).toBeUndefined();
    own.close();
  });

  for (const cursor of ["", "7", "s", "s1 OR 1", "s-1", "S1", "s1e3"]) {
    test(`the cursor ${JSON.stringify(cursor)} is none of ours`, () => {
      expect(() => index.query({ limit: 1, cursor })).toThrow(BadCursor);
    });
  }

  test("an answer says up to where it is complete", () => {
    expect(index.query({ limit: 1 }).complete_to).toBe(index.last);
  });
});
