// The audit verbs from outside: every filter and the cursor, running and stopped, and tampering.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { openHouse } from "../setup/house.ts";
import type { House } from "../setup/house.ts";
import { verifies } from "../verifies.ts";
import { connectHttp } from "./clients.ts";
import type { Json } from "./clients.ts";
import { doorless, jsonLines } from "./command.ts";
import type { Ran } from "./command.ts";
import type { Agent, Person } from "./tables.ts";

let house: House;
let all: Json[];
let middle: string;
const copies = mkdtempSync(join(tmpdir(), "doorless-copies-"));

type Step = readonly [Person, Agent, string, Json];
const MORNING: readonly Step[] = [
  ["mia", "sales", "crm_get_deal", { id: 42 }],
  ["mia", "sales", "crm_update_deal_stage", { id: 42, stage: "proposal" }],
  ["mia", "sales", "crm_get_deal", { id: 43 }],
  ["mia", "sales", "crm_get_deal", { id: "forty-two" }],
  ["mia", "research", "crm_search_deals", {}],
];
const EVENING: readonly Step[] = [
  ["omar", "sales", "crm_get_deal", { id: 42 }],
  ["omar", "research", "analytics_query", { metric: "deal_count", group_by: "owner" }],
  ["zoe", "support", "tickets_search", {}],
  ["dana", "support", "crm_get_customer", { id: 1 }],
];

async function perform(steps: readonly Step[]): Promise<void> {
  for (const [person, agent, tool, args] of steps) {
    const token = await house.token(person, agent);
    const client = await connectHttp("v2 pinned", house.ready.mcp[agent] ?? "", token);
    await client.call(tool, args);
    await client.close();
  }
}

/** Later than everything before, earlier than everything after. */
async function between(): Promise<string> {
  const now = Date.now();
  while (Date.now() <= now + 1) await new Promise((done) => setImmediate(done));
  return new Date(now + 1).toISOString();
}

beforeAll(async () => {
  house = await openHouse();
  await perform(MORNING);
  middle = await between();
  await perform(EVENING);
  all = await query();
});

afterAll(async () => {
  await house.close();
  rmSync(copies, { recursive: true, force: true });
});

function audit(...args: string[]): Promise<Ran> {
  return doorless(["audit", ...args, "--data", house.data]);
}

async function query(...filter: string[]): Promise<Json[]> {
  const ran = await audit("query", ...filter, "--json");
  expect(ran.code).toBe(0);
  return jsonLines<Json>(ran);
}

/** What each filter must select, said without the filter. */
function filters(): readonly (readonly [string[], (record: Json) => boolean])[] {
  const [newest = {}] = all;
  const session = String(newest["session"]);
  const call_id = String(newest["call_id"]);
  const mia = (record: Json): boolean => record["subject"] === "mia";
  const today = new Date().toISOString().slice(0, 10);
  const before = (record: Json): boolean => String(record["time"]) < middle;
  return [
    [["--user", "mia"], mia],
    [["--user", "Mia Lindqvist"], mia],
    [["--user", `${house.ready.issuer}#mia`], mia],
    [["--tool", "crm_get_deal"], (record) => record["tool"] === "crm_get_deal"],
    [["--outcome", "refused"], (record) => record["outcome"] === "refused"],
    [["--outcome", "downstream_error"], (record) => record["outcome"] === "downstream_error"],
    [["--record", "deal:42"], (record) => record["target"] === "deal:42"],
    [["--agent", "research"], (record) => record["agent"] === "research"],
    [["--session", session], (record) => record["session"] === session],
    [["--call", call_id], (record) => record["call_id"] === call_id],
    [["--from", middle], (record) => !before(record)],
    [["--to", middle], before],
    [["--from", "2026-01-01", "--to", today], () => true],
    [
      ["--user", "mia", "--record", "deal:42", "--to", middle],
      (record) => {
        return mia(record) && record["target"] === "deal:42";
      },
    ],
  ];
}

verifies(
  ["ledger.filters", "cli.stdout"],
  "each filter of audit query selects what it says, newest first",
  async () => {
    expect(all).toHaveLength(MORNING.length + EVENING.length);
    const times = all.map(({ time }) => String(time));
    expect(times).toEqual(times.toSorted().toReversed());
    for (const [args, selects] of filters()) {
      const expected = all.filter(selects);
      expect({ args, size: expected.length }).not.toEqual({ args, size: 0 });
      expect({ args, found: await query(...args) }).toEqual({ args, found: expected });
    }
    expect(await query("--user", "nobody")).toEqual([]);
    expect(await query("--from", "2020-01-01", "--to", "2020-12-31")).toEqual([]);
  },
  { timeout_ms: 120_000 },
);

verifies("ledger.filters", "pages of a cursor are the whole, each record once", async () => {
  const pages: Json[][] = [];
  let more: string[] = [];
  do {
    const ran = await audit("query", "--limit", "4", "--json", ...more);
    pages.push(jsonLines<Json>(ran));
    const [, cursor] = /^more: --cursor (\S+)$/m.exec(ran.stderr) ?? [];
    more = cursor === undefined ? [] : ["--cursor", cursor];
  } while (more.length > 0 && pages.length < 10);
  expect(pages.map(({ length }) => length)).toEqual([4, 4, 1]);
  expect(pages.flat()).toEqual(all);
  expect(await audit("query", "--cursor", "no-such-place")).toMatchObject({ code: 2, stdout: "" });
});

verifies(
  "cli.stdout",
  "people get a table, and a word on stderr where there is nothing",
  async () => {
    const table = await audit("query", "--user", "omar");
    const [head, ...rows] = table.stdout.trimEnd().split("\n");
    expect(head).toMatch(/^TIME +USER +AGENT +TOOL +RECORD +OUTCOME +ERROR +CALL$/);
    expect(rows).toEqual([
      expect.stringMatching(/Omar Haddad +research +analytics_query +- +ok +- /),
      expect.stringMatching(/Omar Haddad +sales +crm_get_deal +deal:42 +ok +- /),
    ]);
    // The outcome that one can ask for, and beside it what went wrong.
    const refused = await audit("query", "--outcome", "refused");
    expect(refused.stdout.split("\n")[1]).toMatch(/ refused +invalid_arguments +[0-9a-f-]{36}$/);
    const none = await audit("query", "--user", "nobody");
    expect(none).toEqual({
      code: 0,
      stdout: "",
      stderr: expect.stringMatching(/^no records\ncomplete to record \d+ of the log\n$/) as string,
    });
    const [newest = {}] = all;
    const shown = await audit("show", String(newest["call_id"]));
    expect(JSON.parse(shown.stdout)).toEqual(newest);
  },
);

function segments(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".jsonl"))
    .map((name) => join(folder, name))
    .toSorted();
}

/** A copy of the ledger in which `change` has rewritten the lines of the last segment. */
function tampered(name: string, change: (lines: string[]) => string[]): string {
  const copy = join(copies, name);
  cpSync(join(house.data, "ledger"), copy, { recursive: true });
  const file = segments(copy).at(-1) ?? "";
  const [text = "", padding = ""] =
    /^([^]*\n)([^\n]*)$/.exec(readFileSync(file, "latin1"))?.slice(1) ?? [];
  const lines = text.trimEnd().split("\n");
  writeFileSync(file, `${change(lines).join("\n")}\n${padding}`, "latin1");
  return copy;
}

const TAMPERINGS: Readonly<Record<string, (lines: string[]) => string[]>> = {
  changed: (lines) => lines.map((line) => line.replace('"subject":"mia"', '"subject":"eve"')),
  dropped: (lines) => lines.toSpliced(3, 1),
  swapped: ([a = "", b = "", c = "", ...rest]) => [a, c, b, ...rest],
  added: (lines) => lines.toSpliced(3, 0, lines[2] ?? ""),
};

verifies(
  ["ledger.chain", "cli.exit-codes"],
  "audit verify accepts the log and its copy, and refuses each tampering with exit code 1",
  async () => {
    const verdict = (ran: Ran): Json => jsonLines<Json>(ran)[0] ?? {};
    const copy = tampered("whole", (lines) => lines);
    for (const args of [["--data", house.data], [copy]]) {
      const ran = await doorless(["audit", "verify", "--json", ...args]);
      expect(ran).toMatchObject({ code: 0, stderr: "" });
      expect(verdict(ran)).toMatchObject({ intact: true, problems: [] });
      expect(Number(verdict(ran)["records"])).toBeGreaterThan(2 * (all.length - 2));
    }
    for (const [name, change] of Object.entries(TAMPERINGS)) {
      const ran = await doorless(["audit", "verify", tampered(name, change), "--json"]);
      expect({ name, code: ran.code, intact: verdict(ran)["intact"] }).toEqual({
        name,
        code: 1,
        intact: false,
      });
      expect(verdict(ran)["problems"]).not.toEqual([]);
    }
    const text = await doorless(["audit", "verify", join(copies, "changed")]);
    expect(text).toMatchObject({ code: 1, stdout: expect.stringMatching(/^NOT intact\n/) });
    // By which keys, and whether a cut end would show.
    expect(text.stdout).toMatch(/by the keys that lie in the log's own folder/);
    expect(text.stdout).toMatch(/^not compared with what an anchor kept/m);
    const keys = join(house.data, "keys", "ledger-signing.pub");
    const anchor = ["--anchor", join(house.data, "ledger", "checkpoints")];
    const own = await audit("verify", ...anchor);
    expect(own.stdout).toMatch(new RegExp(`^signed to \\d+, by the keys in ${keys}$`, "m"));
    expect(own.stdout).toMatch(/^anchored to [1-9]\d*, by /m);
  },
);

// Last: it stops the house.
verifies(
  ["ledger.filters", "cli.exit-codes"],
  "the same questions are answered from the files when nothing runs",
  async () => {
    await house.stop();
    expect(await query()).toEqual(all);
    for (const [args, selects] of filters().slice(0, 2)) {
      expect(await query(...args)).toEqual(all.filter(selects));
    }
    const verified = await audit("verify", "--json");
    expect(jsonLines(verified)).toMatchObject([{ intact: true }]);
    expect((await audit("query", "--cursor", "no-such-place")).code).toBe(2);
    const token = ["demo", "token", "mia", "sales", "--data", house.data];
    expect((await doorless(token)).code).toBe(4);
  },
);
