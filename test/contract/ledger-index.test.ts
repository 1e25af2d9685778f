// The port of the ledger's index: every question that `audit query` can ask, pages that are whole
// and do not overlap, and nobody's records but those that a reader may read. In both its places.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openIndexThread } from "../../src/ledger/index-thread.ts";
import { LogIndex } from "../../src/ledger/log-index.ts";
import type { LogIndexOptions } from "../../src/ledger/log-index.ts";
import { AmbiguousUser, BadCursor, OPERATOR } from "../../src/ledger/query.ts";
import { plainNames, withDigests } from "../../src/ledger/query.ts";
import type { AuditFilter, LedgerIndex, NamesOf, Reader } from "../../src/ledger/query.ts";
import { FIRST_PREV } from "../../src/ledger/record.ts";
import type { CallFacts } from "../../src/ledger/record.ts";
import { LedgerDamaged, segmentName } from "../../src/ledger/segments.ts";
import { intent, outcome, refusalOf } from "../unit/ledger/entries.ts";
import { verifies } from "../verifies.ts";

const START = Date.parse("2026-03-14T00:00:00.000Z");
const HOUR = 3_600_000;
const LOGIN = "https://login.test";
const PEOPLE = [
  { subject: "ada", user: "Ada L.", tenant: "acme" },
  { subject: "bob", user: "Bob Stone", tenant: "acme" },
  { subject: "eve", user: "Eve Stone", tenant: "globex" },
  { subject: "u-4", user: "Ada L.", tenant: "globex", issuer: "https://other.test" },
] as const;

const root = mkdtempSync(join(tmpdir(), "doorless-index-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const ownFolder = (): string => mkdtempSync(join(root, "x"));

/** A log of these records, one an hour, so many lines to a segment. */
function logOf(records: readonly (readonly [record: object, hour: number])[], to_segment = 31) {
  const folder = ownFolder();
  const segments = new Map<number, string>();
  for (const [i, [record, hour]] of records.entries()) {
    const seq = i + 1;
    const time = new Date(START + hour * HOUR).toISOString();
    const first = i - (i % to_segment) + 1;
    const line = `${JSON.stringify({ v: 1, seq, prev: FIRST_PREV, time, ...record })}\n`;
    segments.set(first, (segments.get(first) ?? "") + line);
  }
  for (const [first, text] of segments) writeFileSync(`${folder}/${segmentName(first)}`, text);
  return folder;
}

/** Forty calls, one an hour: who, through what, and how they ended goes round at its own pace. */
function fortyCalls(): (readonly [object, number])[] {
  const records: (readonly [object, number])[] = [];
  for (let i = 0; i < 40; i++) {
    const facts: Partial<CallFacts> = {
      ...PEOPLE[i % 4],
      tool: i % 2 === 0 ? "item_get" : "item_put",
      target: i % 5 === 0 ? null : `item:${i % 5}`,
      agent: i % 3 === 0 ? "yard" : "desk",
      session: `ses_${i % 7}`,
    };
    records.push([i % 10 === 9 ? refusalOf(`c${i}`, facts) : intent(`c${i}`, facts), i]);
    if (i % 10 < 7) {
      records.push([outcome(`c${i}`, i % 10 === 6 ? { outcome: "timeout" } : {}), i]);
    }
  }
  return records;
}

const PLACES = {
  "in this thread": (options: LogIndexOptions) => Promise.resolve(new LogIndex(options)),
  "in a thread of its own": openIndexThread,
} as const;

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
  "a user and a tool": [{ user: "bob", tool: "item_put" }, (i) => i % 4 === 1],
  "a user and an outcome": [{ user: "ada", outcome: "ok" }, (i) => i % 4 === 0 && i % 10 < 6],
  "several at once": [
    { user: "bob", tool: "item_put", outcome: "ok", agent: "desk", from_ms: START + 4 * HOUR },
    (i) => i % 4 === 1 && i % 10 < 6 && i % 3 !== 0 && i >= 4,
  ],
  "what would be SQL": [{ tool: "x' OR '1'='1" }, () => false],
  "what would be a wildcard": [{ user: "%" }, () => false],
};

const ACME: Reader = { kind: "auditor", tenant: "acme" };
const ADA: Reader = { kind: "person", issuer: LOGIN, subject: "ada", tenant: "acme" };

const expected = (wanted: (i: number) => boolean): number[] =>
  Array.from({ length: 40 }, (_, i) => 39 - i).filter((i) => wanted(i));

for (const [place, open] of Object.entries(PLACES)) {
  const openOn = async (
    folder: string,
    lines: number,
    { namesOf = plainNames, index_file = ":memory:" }: Partial<LogIndexOptions> = {},
  ): Promise<LedgerIndex> => {
    const onBehind = (): void => undefined;
    const index = await open({ folder, index_file, log_id: "a test", namesOf, onBehind });
    index.follow(lines);
    return index;
  };

  describe(place, () => {
    let index: LedgerIndex;
    const lines = fortyCalls();
    beforeAll(async () => {
      index = await openOn(logOf(lines), 20);
      await index.query({ limit: 1 }, OPERATOR);
      index.follow(lines.length);
    });
    afterAll(() => index.close());

    async function idsOf(filter: Partial<AuditFilter>, reader = OPERATOR): Promise<number[]> {
      const { records } = await index.query({ limit: 1000, ...filter }, reader);
      return records.map(({ call_id }) => Number(call_id.slice(1)));
    }

    for (const [what, [filter, wanted]] of Object.entries(FILTERS)) {
      verifies("ledger.filters", `${what} selects exactly its calls, newest first`, async () => {
        expect(await idsOf(filter)).toEqual(expected(wanted));
      });
    }

    verifies("ledger.filters", "a name of two people is refused, and both are named", async () => {
      for (const user of ["Ada L.", "ada l.", "stone"]) {
        await expect(idsOf({ user })).rejects.toThrow(AmbiguousUser);
      }
      await expect(idsOf({ user: "stone" })).rejects.toThrow(
        `"stone" fits 2 people: ${LOGIN}#bob, ${LOGIN}#eve`,
      );
      // A subject is nobody else's name.
      expect(await idsOf({ user: "ada" })).toEqual(expected((i) => i % 4 === 0));
    });

    for (const [what, [filter, wanted]] of Object.entries(FILTERS)) {
      verifies("ledger.readers", `${what}: an auditor's answer is his tenant's part`, async () => {
        expect(await idsOf(filter, ACME)).toEqual(expected((i) => wanted(i) && i % 4 < 2));
      });
      verifies("ledger.readers", `${what}: a person's answer is his own part`, async () => {
        expect(await idsOf(filter, ADA)).toEqual(expected((i) => wanted(i) && i % 4 === 0));
      });
    }

    verifies("ledger.readers", "a name in another tenant makes none ambiguous here", async () => {
      expect(await idsOf({ user: "stone" }, ACME)).toEqual(expected((i) => i % 4 === 1));
      expect(await idsOf({ user: "Ada L." }, ADA)).toEqual(expected((i) => i % 4 === 0));
      expect(await idsOf({ user: "eve" }, ACME)).toEqual([]);
      expect(await idsOf({ user: `${LOGIN}#eve` }, ACME)).toEqual([]);
      expect(await idsOf({}, { ...ADA, tenant: "globex" })).toEqual([]);
    });

    for (const limit of [1, 7, 39, 40, 41]) {
      verifies("ledger.filters", `pages of ${limit} are whole, disjoint, in order`, async () => {
        const seen: number[] = [];
        let cursor: string | undefined;
        let pages = 0;
        do {
          const page = await index.query({ limit, cursor }, OPERATOR);
          expect(page.records.length).toBeLessThanOrEqual(limit);
          seen.push(...page.records.map(({ call_id }) => Number(call_id.slice(1))));
          cursor = page.cursor;
          pages++;
        } while (cursor !== undefined && pages < 100);
        expect(seen).toEqual(expected(() => true));
        expect(pages).toBe(Math.ceil(40 / limit));
      });
    }

    verifies("ledger.filters", "a cursor goes on where it stood, whatever came since", async () => {
      const folder = logOf([1, 2, 3, 4, 5, 6].map((i) => [intent(`c${i}`), 0]));
      const own = await openOn(folder, 4);
      onTestFinished(() => own.close());
      const first = await own.query({ limit: 2 }, OPERATOR);
      own.follow(6);
      const second = await own.query({ limit: 2, cursor: first.cursor }, OPERATOR);
      const ids = [...first.records, ...second.records].map(({ call_id }) => call_id);
      expect(ids).toEqual(["c4", "c3", "c2", "c1"]);
      expect(second.cursor).toBeUndefined();
    });

    verifies(
      "ledger.filters",
      "time orders the answer, also where a clock was set back",
      async () => {
        const hours = [5, 1, 3, 1, 9];
        const own = await openOn(logOf(hours.map((hour, i) => [intent(`c${i}`), hour])), 5);
        onTestFinished(() => own.close());
        const seen: string[] = [];
        let cursor: string | undefined;
        do {
          const page = await own.query({ limit: 1, cursor }, OPERATOR);
          seen.push(...page.records.map(({ call_id }) => call_id));
          cursor = page.cursor;
        } while (cursor !== undefined && seen.length < 10);
        expect(seen).toEqual(["c4", "c0", "c2", "c3", "c1"]);
      },
    );

    for (const cursor of ["", "7", "t", "t1s1 OR 1", "t-1s1", "T1s1", "t1s1e3", "s1"]) {
      test(`the cursor ${JSON.stringify(cursor)} is none of ours`, async () => {
        await expect(index.query({ limit: 1, cursor }, OPERATOR)).rejects.toThrow(BadCursor);
      });
    }

    verifies("ledger.filters", "an answer says up to where it is complete", async () => {
      const { complete_to } = await index.query({ limit: 1 }, OPERATOR);
      expect(complete_to).toBe(lines.length);
    });

    verifies("ledger.filters", "made anew it answers the same", async () => {
      const before = await index.query({ limit: 1000 }, OPERATOR);
      expect(await index.rebuild()).toBe(lines.length);
      expect(await index.query({ limit: 1000 }, OPERATOR)).toEqual(before);
    });

    test("only what it was told is durable is in it", async () => {
      const own = await openOn(logOf([1, 2, 3, 4].map((i) => [intent(`c${i}`), i])), 2);
      onTestFinished(() => own.close());
      const page = await own.query({ limit: 9 }, OPERATOR);
      expect(page.records.map(({ call_id }) => call_id)).toEqual(["c2", "c1"]);
      expect(page.complete_to).toBe(2);
    });

    test("a log that ends too early, or is another one, gives no answer", async () => {
      const folder = logOf([1, 2].map((i) => [intent(`c${i}`), i]));
      const short = await openOn(folder, 3);
      onTestFinished(() => short.close().catch(() => undefined));
      await expect(short.query({ limit: 9 }, OPERATOR)).rejects.toThrow(LedgerDamaged);
      const own = await openOn(folder, 2);
      onTestFinished(() => own.close());
      await own.query({ limit: 9 }, OPERATOR);
      writeFileSync(`${folder}/${segmentName(1)}`, "{}\n".repeat(999));
      await expect(own.query({ limit: 9 }, OPERATOR)).rejects.toThrow(LedgerDamaged);
    });

    test("what was dropped at the beginning is passed over", async () => {
      const folder = logOf(
        [1, 2, 3, 4].map((i) => [intent(`c${i}`), i]),
        2,
      );
      const whole = await openOn(folder, 4);
      onTestFinished(() => whole.close());
      rmSync(`${folder}/${segmentName(1)}`);
      const page = await whole.query({ limit: 9 }, OPERATOR);
      expect(page.records.map(({ call_id }) => call_id)).toEqual(["c4", "c3"]);
    });

    verifies("ledger.filters", "a tool is found by its name and where that is sealed", async () => {
      const digestOf = (tenant: string | null, text: string): string => `${tenant}:${text}`;
      const sealedIn = (tenant: string | null): string | object => ({
        sealed: "key_.",
        digest: digestOf(tenant, "nope"),
        chars: 4,
      });
      const records = [
        { ...PEOPLE[0], tool: sealedIn("acme") },
        { ...PEOPLE[2], tool: sealedIn("globex") },
        // There was one of that name once.
        { ...PEOPLE[0], tool: "nope" },
        { ...PEOPLE[3], tenant: null, tool: sealedIn(null) },
        { ...PEOPLE[0], tool: sealedIn("acme") },
      ].map((facts, i) => [{ ...refusalOf(`c${i}`), ...facts }, i] as const);
      const own = await openOn(logOf(records), records.length);
      onTestFinished(() => own.close());
      const found = async (tool: string, reader: Reader, limit = 9, cursor?: string) => {
        const question = await withDigests({ tool, limit, cursor }, reader, own, digestOf);
        return own.query(question, reader);
      };
      const idsFor = async (tool: string, reader: Reader): Promise<string> =>
        (await found(tool, reader)).records.map(({ call_id }) => call_id).join(" ");
      expect(await idsFor("nope", OPERATOR)).toBe("c4 c3 c2 c1 c0");
      expect(await idsFor("nope", ACME)).toBe("c4 c2 c0");
      expect(await idsFor("nope", ADA)).toBe("c4 c2 c0");
      expect(await idsFor("other", OPERATOR)).toBe("");
      // Whoever asked for it sees it; whoever did not sees the seal.
      const [newest] = (await found("nope", OPERATOR)).records;
      expect(newest?.tool).toBe("nope");
      expect((await own.query({ limit: 1 }, OPERATOR)).records[0]?.tool).toMatchObject({
        chars: 4,
      });
      const first = await found("nope", OPERATOR, 2);
      const second = await found("nope", OPERATOR, 2, first.cursor);
      const third = await found("nope", OPERATOR, 2, second.cursor);
      const pages = [first, second, third].map(({ records: page }) => page.length);
      expect(pages).toEqual([2, 2, 1]);
      expect(third.cursor).toBeUndefined();
    });

    test("what a tool said in a call is found, until it is dropped", async () => {
      const said = (call_id: string, line: string): object => ({
        kind: "event",
        event: "tool_log",
        detail: { call_id, tool: "item_put", lines: [line] },
      });
      const records = [intent("a"), said("a", "one"), intent("b"), said("b", "two")];
      const own = await openOn(logOf(records.map((record, i) => [record, i])), 4);
      onTestFinished(() => own.close());
      expect(await own.toolLog("b")).toEqual(["two"]);
      expect(await own.toolLog("c")).toEqual([]);
      await own.rebuild();
      expect(await own.toolLog("a")).toEqual(["one"]);
      await own.drop(2);
      expect(await own.toolLog("a")).toEqual([]);
    });

    test("names are asked for once each, and can be forgotten", async () => {
      const asked: unknown[] = [];
      const namesOf: NamesOf = (users) => {
        asked.push(...users);
        return plainNames(users);
      };
      const folder = logOf([1, 2, 3, 4].map((i) => [intent(`c${i}`, PEOPLE[i % 2]), i]));
      const own = await openOn(folder, 3, { namesOf });
      onTestFinished(() => own.close());
      expect((await own.query({ user: "Stone", limit: 9 }, OPERATOR)).records).toHaveLength(2);
      own.follow(4);
      const [identity] = await own.identities("Bob Stone");
      expect(identity).toEqual({ tenant: "acme", issuer: LOGIN, subject: "bob" });
      expect(new Set(asked)).toEqual(new Set(["Ada L.", "Bob Stone"]));
      expect(asked).toHaveLength(2);
      if (identity !== undefined) await own.forget(identity);
      expect((await own.query({ user: "Stone", limit: 9 }, OPERATOR)).records).toEqual([]);
      const { records } = await own.query({ user: "bob", limit: 9 }, OPERATOR);
      expect(records.map(({ user }) => user)).toEqual(["bob", "bob"]);
    });

    test("it goes on from where it was, and knows calls that never ended", async () => {
      const index_file = `${ownFolder()}/index.sqlite`;
      const folder = logOf(
        [intent("a"), intent("b"), outcome("a")].map((record, i) => [record, i]),
      );
      const first = await openOn(folder, 2, { index_file });
      expect(await first.orphans()).toEqual(["a", "b"]);
      await first.close();
      const second = await openOn(folder, 3, { index_file });
      onTestFinished(() => second.close());
      expect(second.held).toBe(2);
      expect(await second.orphans()).toEqual(["b"]);
    });

    test("a file that is no database is made anew", async () => {
      const index_file = `${ownFolder()}/index.sqlite`;
      writeFileSync(index_file, "no database".repeat(1000));
      const own = await openOn(logOf([[intent("a"), 0]]), 1, { index_file });
      onTestFinished(() => own.close());
      expect(await own.orphans()).toEqual(["a"]);
    });
  });
}
