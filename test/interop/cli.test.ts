// The command from outside: help, exit codes, which stream holds what, and what `call` does.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { openHouse } from "../setup/house.ts";
import type { House } from "../setup/house.ts";
import { verifies } from "../verifies.ts";
import type { Json } from "./clients.ts";
import { doorless, jsonLines } from "./command.ts";
import type { Ran, RunOptions } from "./command.ts";
import { AGENTS, CATALOGUE, PAIRS, PAIRS_TO_SHOW, surfaceOf } from "./tables.ts";

let house: House;
let mia: string;
let dana: string;
const nowhere = mkdtempSync(join(tmpdir(), "doorless-nowhere-"));
/** Everything that any verb of this file has printed. */
const printed: string[] = [];

beforeAll(async () => {
  house = await openHouse();
  mia = await house.token("mia", "sales");
  dana = await house.token("dana", "support");
});

afterAll(async () => {
  await house.close();
  rmSync(nowhere, { recursive: true, force: true });
});

async function cli(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const ran = await doorless(args, options);
  printed.push(ran.stdout, ran.stderr);
  return ran;
}

/** A verb against the running house, with Mia's token in the environment. */
function here(...args: string[]): Promise<Ran> {
  return cli([...args, "--data", house.data], { env: { DOORLESS_TOKEN: mia } });
}

async function apiRequests(): Promise<Json[]> {
  return (await (await fetch(`${house.ready.api}/audit`)).json()) as Json[];
}

const VERBS = [
  "audit query",
  "audit show",
  "audit verify",
  "call",
  "demo",
  "demo set",
  "demo token",
  "errors",
  "explain",
  "prove",
  "schema",
  "start",
  "stdio",
  "surface",
  "version",
];

verifies(
  "cli.help",
  "the overview names every verb, and each verb has --help",
  async () => {
    const overview = await cli(["--help"]);
    expect(overview).toMatchObject({ code: 0, stderr: "" });
    const listed = overview.stdout.matchAll(/^ {2}([a-z]+(?: [a-z]+)?) {2,}\S/gm);
    const verbs = [...listed].map(([, verb = ""]) => verb);
    expect(verbs).toEqual(verbs.toSorted());
    expect(verbs).toEqual(expect.arrayContaining(VERBS));
    const helps = await inTurn(verbs, (verb) => cli([...verb.split(" "), "--help"]));
    for (const [i, ran] of helps.entries()) {
      expect(ran).toMatchObject({ code: 0, stderr: "" });
      expect(ran.stdout).toMatch(new RegExp(`^usage: doorless ${verbs[i] ?? ""}\\b`));
      const printsData = !["start", "stdio"].includes(verbs[i] ?? "");
      const json = ran.stdout.match(/^ {2}--json {2}/gm)?.length ?? 0;
      expect({ verb: verbs[i], json }).toEqual({ verb: verbs[i], json: printsData ? 1 : 0 });
    }
    const groups = [...new Set(verbs.filter((verb) => / /.test(verb)).map(firstWord))];
    const lists = await inTurn(groups, (group) => cli([group, "--help"]));
    for (const [i, group] of groups.entries()) {
      const own = verbs.filter((verb) => verb.startsWith(`${group} `));
      expect(lists[i]).toMatchObject({ code: 0, stderr: "" });
      expect(own.filter((verb) => !lists[i]?.stdout.includes(`\n  ${verb} `))).toEqual([]);
    }
  },
  { timeout_ms: 120_000 },
);

const firstWord = (verb: string): string => verb.split(" ", 1)[0] ?? "";

verifies("cli.help", "each verb that prints data prints JSON when asked", async () => {
  const deal = ["call", "crm_get_deal", '{"id":42}', "--agent", "sales"];
  const { call_id } = await callId(await here(...deal, "--json"));
  const prints: readonly (readonly string[])[] = [
    deal,
    [...deal, "--dry-run"],
    ["surface", "sales", "--as", "mia"],
    ["explain", "sales", "--as", "mia"],
    ["explain", "--tool", "crm_get_deal"],
    ["audit", "query"],
    ["audit", "show", String(call_id)],
    ["audit", "verify"],
    ["demo", "set", "contract:1"],
  ];
  const rans = [
    ...(await inTurn(prints, (args) => here(...args, "--json"))),
    ...(await inTurn(["errors", "schema", "version"], (verb) => cli([verb, "--json"]))),
  ];
  for (const ran of rans) {
    expect(ran.code).toBe(0);
    // The log's answer says up to where it is complete, beside the result.
    expect(ran.stderr).toMatch(/^(?:complete to record \d+ of the log\n)?$/);
    const text = ran.stdout.trim();
    // One document, or one object a line.
    const parsed: unknown[] = text.startsWith("{\n") ? [JSON.parse(text)] : jsonLines(ran);
    expect(parsed.length).toBeGreaterThan(0);
  }
});

async function callId(ran: Ran): Promise<{ call_id: unknown; result: Json }> {
  const [result = {}] = jsonLines<Json>(ran);
  return { call_id: (result["_meta"] as Json)["doorless/call_id"], result };
}

interface Case {
  readonly args: readonly string[];
  readonly code: number;
  readonly says: RegExp;
  readonly env?: Record<string, string>;
}

function casesOfNoAndUsage(): readonly Case[] {
  const at = ["--data", house.data];
  const call = (tool: string, args: string) => ["call", tool, args, "--agent", "sales", ...at];
  const env = { DOORLESS_TOKEN: mia };
  const deal = ["call", "crm_get_deal", '{"id":42}', "--agent", "sales"];
  return [
    // 1: the answer is no
    { args: call("crm_get_deal", "{}"), env, code: 1, says: /^invalid_arguments: / },
    { args: call("mail_send", MAIL), env, code: 1, says: /^argument_not_allowed: .*\/to: / },
    { args: call("no_such_tool", "{}"), env, code: 1, says: /Unknown tool: no_such_tool/ },
    { args: call("crm_delete_customer", "{}"), env, code: 1, says: /Unknown tool: crm_delete/ },
    { args: ["audit", "show", "no-such-call", ...at], code: 1, says: /there is no call/ },
    { args: ["audit", "erase", "--subject", "x", ...at], code: 1, says: /nobody is called "x"/ },
    { args: ["connections", "revoke", "mia", ...at], code: 1, says: /mia has no link/ },
    // 2: usage or configuration
    { args: ["frobnicate"], code: 2, says: /there is no verb "frobnicate"/ },
    { args: ["lock", "frobnicate"], code: 2, says: /"lock frobnicate"\n\n.*\n\n {2}lock add/ },
    { args: ["lock", "ls", "--data", ""], code: 2, says: /^--data is empty\n/ },
    { args: ["version", "--frobnicate"], code: 2, says: /--frobnicate/ },
    { args: ["version", "extra"], code: 2, says: /unexpected "extra"/ },
    { args: ["surface", "sales", ...at], code: 2, says: /give either --as PERSON or --claims/ },
    { args: ["surface", "--as", "mia", ...at], code: 2, says: /AGENT is missing/ },
    { args: ["surface", "sales", "--as", "nobody", ...at], code: 2, says: /nobody/ },
    { args: ["surface", "nowhere", "--as", "mia", ...at], code: 2, says: /there is no agent/ },
    { args: ["explain", ...at], code: 2, says: /AGENT or --tool is missing/ },
    { args: ["explain", "--tool", "no_such_tool", ...at], code: 2, says: /not in the catalogue/ },
    { args: [...deal.slice(0, 3), ...at], env, code: 2, says: /--agent is missing/ },
    { args: [...deal.slice(0, 4), "NOSUCH", ...at], env, code: 2, says: NO_AGENT },
    { args: [...deal.slice(0, 4), "nosuch", ...at], env, code: 2, says: NO_AGENT },
    { args: [...deal.slice(0, 4), "nosuch", "--dry-run", ...at], env, code: 2, says: NO_AGENT },
    { args: [...deal, "--remote", "ftp://x.example"], env, code: 2, says: /no http or https URL/ },
    { args: call("crm_get_deal", "{id:42}"), env, code: 2, says: NOT_JSON },
    { args: call("crm_get_deal", "[42]"), env, code: 2, says: /not a JSON object/ },
    { args: ["errors", "no_such_code"], code: 2, says: /there is no error/ },
    {
      args: ["audit", "query", "--outcome", "fine", ...at],
      code: 2,
      says: /^--outcome: one of: ok, /,
    },
    { args: ["audit", "query", ...BACKWARDS, ...at], code: 2, says: /^--from is not before --to/ },
    { args: ["audit", "erase", ...AB, ...at], code: 2, says: /^reason: at least 3 characters\n$/ },
    { args: ["audit", "query", "--limit", "0", ...at], code: 2, says: /whole number/ },
    { args: ["audit", "verify", join(nowhere, "x")], code: 2, says: /does not exist/ },
    { args: ["plan", join(nowhere, "x")], code: 2, says: /there is no such file or folder/ },
    { args: ["tools", "try", "x", "--answers", nowhere], code: 2, says: /a folder, not a file/ },
    { args: ["demo", "--data", join(house.data, "lock")], code: 2, says: /lock: it is a file/ },
    { args: ["start", "--config", join(nowhere, "x.json")], code: 2, says: /ENOENT/ },
    { args: ["demo", "--port", "99999"], code: 2, says: /--port is a whole number/ },
  ];
}

function casesBeyondUsage(): readonly Case[] {
  const at = ["--data", house.data];
  const env = { DOORLESS_TOKEN: mia };
  const none = { DOORLESS_TOKEN: "x.y.z" };
  const cut = { DOORLESS_TOKEN: `${mia}\nx` };
  const deal = ["call", "crm_get_deal", '{"id":42}', "--agent", "sales"];
  const missing = ["call", "crm_get_deal", '{"id":43}', "--agent", "sales"];
  return [
    // 3: sign-in needed
    { args: [...deal, ...at], code: 3, says: /sign-in needed/ },
    { args: [...deal, ...at], env: none, code: 3, says: /^invalid_token: The / },
    // It would be printed by an HTTP client that cannot send it.
    { args: [...deal, ...at], env: cut, code: 3, says: /a line break/ },
    { args: ["stdio", "sales", ...at], env: cut, code: 3, says: /a line break/ },
    { args: [...deal, ...at], env: { DOORLESS_TOKEN: dana }, code: 3, says: /\S/ },
    { args: [...deal, "--dry-run", ...at], env: { DOORLESS_TOKEN: dana }, code: 3, says: /\S/ },
    // 4: unreachable
    { args: [...deal, "--data", nowhere], env, code: 4, says: /no doorless runs in/ },
    { args: [...deal, "--dry-run", "--data", nowhere], env, code: 4, says: /no doorless runs/ },
    { args: [...deal, "--remote", "http://127.0.0.1:18"], env, code: 4, says: /nothing listens/ },
    { args: ["demo", "token", "mia", "sales", "--data", nowhere], code: 4, says: /no demo runs/ },
    { args: ["demo", "set", "api:up", "--data", nowhere], code: 4, says: /no demo runs/ },
    // 5: the tool failed
    { args: [...missing, ...at], env, code: 5, says: /^downstream_error: / },
  ];
}

const NO_AGENT = /^there is no agent "nosuch"; there are: support, sales, research\n/i;
const NOT_JSON = /^the arguments are not JSON: .* at line 1, column 2\n/;
const BACKWARDS = ["--from", "2026-02-02", "--to", "2026-02-01"];
const AB = ["--subject", "mia", "--reason", "ab"];
const MAIL = '{"to":"a@b.example","subject":"s","body":"b"}';

verifies(
  ["cli.exit-codes", "cli.stdout"],
  "what goes wrong ends with its code, one sentence on stderr, and nothing on stdout",
  async () => {
    const cases = [...casesOfNoAndUsage(), ...casesBeyondUsage()];
    const rans = await inTurn(cases, ({ args, env }) => cli(args, env ? { env } : {}));
    for (const [i, { code, stdout, stderr }] of rans.entries()) {
      const { args, code: expected, says } = cases[i] ?? { args: [], code: 0, says: /^$/ };
      expect({ args, code, stdout }).toEqual({ args, code: expected, stdout: "" });
      expect(stderr).toMatch(says);
      // A sentence for a person, never a stack.
      expect(stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
    }
  },
  { timeout_ms: 120_000 },
);

const AT_ONCE = 3;

/** Runs something for each, a few at once, so that no machine is asked for fifty processes. */
async function inTurn<T>(all: readonly T[], run: (one: T) => Promise<Ran>): Promise<Ran[]> {
  const rans: Ran[] = [];
  const rest = all.entries();
  const worker = async (): Promise<void> => {
    for (const [i, one] of rest) rans[i] = await run(one);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return rans;
}

verifies("cli.call", "call makes one call as the person of DOORLESS_TOKEN", async () => {
  const before = await apiRequests();
  const ran = await here("call", "crm_get_deal", '{"id":42}', "--agent", "sales");
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(ran.stdout)).toMatchObject({ id: 42, owner: "mia" });
  const added = (await apiRequests()).slice(before.length);
  expect(added).toMatchObject([{ subject: "mia", path: "/crm/deals/42", status: 200 }]);
  const url = house.ready.mcp["sales"] ?? "";
  const args = ["call", "crm_get_deal", '{"id":42}', "--agent", "sales", "--json"];
  const env = { DOORLESS_TOKEN: mia };
  // By the socket, by a URL, and by an origin: the same doorless.
  for (const remote of [url, new URL(url).origin]) {
    const { call_id, result } = await callId(await cli([...args, "--remote", remote], { env }));
    expect(result["structuredContent"]).toMatchObject({ id: 42 });
    expect((await apiRequests()).at(-1)).toMatchObject({ subject: "mia", request_id: call_id });
  }
});

verifies("cli.call", "call --dry-run shows the request, and nothing of it happens", async () => {
  const api = await apiRequests();
  const ledger = jsonLines<Json>(await here("audit", "query", "--json"));
  const update = ["call", "crm_update_deal_stage", '{"id":42,"stage":"lost"}', "--agent", "sales"];
  const shown = await here(...update, "--dry-run", "--json");
  expect(shown).toMatchObject({ code: 0, stderr: "" });
  expect(jsonLines(shown)).toMatchObject([
    {
      allowed: true,
      tool: "crm_update_deal_stage",
      origin: house.ready.api,
      request: { method: "PATCH", path: "/crm/deals/42", body: '{"stage":"lost"}' },
      scopes: ["crm:write"],
      rule: expect.stringMatching(/^mcp\.config\.json:\d+, mcp\.config\.json:\d+$/),
    },
  ]);
  const forPeople = await here(...update, "--dry-run");
  expect(forPeople.stdout).toContain(`would send PATCH ${house.ready.api}/crm/deals/42`);
  const ofCode = await here("call", "crm_pipeline_summary", "{}", "--agent", "sales", "--dry-run");
  expect(ofCode).toMatchObject({ code: 0, stderr: "" });
  expect(ofCode.stdout).toMatch(/^would run the code of crm_pipeline_summary;.*\nallowed by mcp/);
  const refusals = [
    ["crm_get_deal", "{}", "invalid_arguments"],
    ["crm_delete_customer", '{"id":1}', "unknown_tool"],
    ["analytics_query", "{}", "unknown_tool"],
  ];
  for (const [tool = "", args = "", code = ""] of refusals) {
    const ran = await here("call", tool, args, "--agent", "sales", "--dry-run", "--json");
    expect(ran.code).toBe(1);
    expect(jsonLines(ran)).toMatchObject([{ allowed: false, tool, error: { code } }]);
  }
  expect(await apiRequests()).toEqual(api);
  expect(jsonLines(await here("audit", "query", "--json"))).toEqual(ledger);
});

verifies(
  ["surface.explain", "surface.tables"],
  "surface shows what the person has at the agent, running or from the files alone",
  async () => {
    const offline = ["--config", join(house.data, "mcp.config.json"), "--data", nowhere];
    const asked = [
      ...PAIRS_TO_SHOW.map((pair) => ({ pair, at: ["--data", house.data] })),
      ...PAIRS_TO_SHOW.slice(0, 4).map((pair) => ({ pair, at: offline })),
    ];
    const rans = await inTurn(asked, ({ pair: { person, agent }, at }) =>
      cli(["surface", agent, "--as", person, ...at, "--json"]),
    );
    const tools = rans.map((ran) => {
      expect(ran).toMatchObject({ code: 0, stderr: "" });
      const [{ tools: all } = { tools: [] }] = jsonLines<{ tools: { name: string }[] }>(ran);
      return all.map(({ name }) => name);
    });
    expect(tools).toEqual(asked.map(({ pair }) => surfaceOf(pair)));
    const claims = JSON.stringify({ sub: "u", iss: house.ready.issuer, roles: ["sales"] });
    const table = await here("surface", "research", "--claims", claims);
    expect(table.stdout.split("\n").slice(1, -1)).toEqual([
      expect.stringMatching(/^crm_get_customer +read/),
      expect.stringMatching(/^crm_search_deals +read/),
    ]);
  },
);

verifies(
  "surface.explain",
  "explain judges every tool, and names the lines that decided",
  async () => {
    const file = join(house.data, "mcp.config.json");
    const lines = readFileSync(file, "utf8").split("\n");
    const [answer] = jsonLines<{ tools: Json[] }>(
      await here("explain", "research", "--as", "mia", "--json"),
    );
    const tools = answer?.tools ?? [];
    expect(tools.map(({ tool }) => tool)).toEqual(CATALOGUE);
    const allowed = tools.filter((one) => one["allowed"] === true);
    expect(allowed.map(({ tool }) => tool)).toEqual(
      surfaceOf({ person: "mia", agent: "research" }),
    );
    for (const { tool, rule } of allowed) {
      const places = String(rule).split(", ");
      expect(places).toHaveLength(2);
      for (const place of places) {
        const [name, line] = place.split(":");
        expect(name).toBe(basename(file));
        expect(lines[Number(line) - 1]).toContain(`"${String(tool)}"`);
      }
    }
    const why = (tool: string) => ["explain", "sales", "--as", "mia", "--tool", tool];
    expect((await here(...why("crm_get_deal"))).code).toBe(0);
    expect((await here(...why("crm_delete_customer"))).code).toBe(1);
    expect((await here(...why("crm_get_deal"), "--args", '{"id":0}')).code).toBe(1);
  },
);

verifies("surface.explain", "explain without an agent says who can call a tool", async () => {
  const who = async (tool: string): Promise<string[]> => {
    const [answer] = jsonLines<{ callers: { agent: string; people: string[] }[] }>(
      await here("explain", "--tool", tool, "--json"),
    );
    const pairs = answer?.callers.flatMap(({ agent, people }) =>
      people.map((person) => `${person} ${agent}`),
    );
    return [...new Set(pairs)].toSorted();
  };
  const expected = (tool: string): string[] =>
    PAIRS.filter((pair) => surfaceOf(pair).includes(tool))
      .map(({ person, agent }) => `${person} ${agent}`)
      .toSorted();
  for (const tool of ["analytics_query", "crm_get_customer", "crm_delete_customer"]) {
    expect({ tool, who: await who(tool) }).toEqual({ tool, who: expected(tool) });
  }
  expect(expected("crm_get_customer").length).toBeGreaterThan(AGENTS.length);
  expect((await here("explain", "--tool", "crm_delete_customer")).stdout).toBe("nobody\n");
});

verifies("cli.stdout", "a reader that has seen enough is not an error", async () => {
  const ran = await doorless(["--version"]);
  expect(ran).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: "" });
});

// Last, because it looks at what all the others have printed.
verifies("cli.no-token", "no verb but demo token prints a token", async () => {
  const token = await cli(["demo", "token", "mia", "sales", "--data", house.data]);
  const [own] = printed.splice(printed.indexOf(token.stdout), 1);
  expect(own).toMatch(/^eyJ[\w-]+\.[\w-]+\.[\w-]+\n$/);
  expect(printed.length).toBeGreaterThan(100);
  for (const text of printed) {
    expect(text).not.toMatch(/eyJ[\w-]{20}/);
    for (const secret of [mia, dana]) expect(text).not.toContain(secret.split(".")[2]);
  }
});
