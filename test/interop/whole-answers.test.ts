// Answers of an API, through the whole house: a list in pages is one answer and one record, or an
// error that says how to ask for less; what a list holds back without a word; and what the headers
// and shapes of answers say of tomorrow's.
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, vi } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import type { ToolFileText } from "../setup/boundary-tools.ts";
import { openPeer } from "../setup/hostile-peer.ts";
import type { HostileApi, Peer } from "../setup/hostile-peer.ts";
import { json } from "../setup/hostile-provider.ts";
import { callTool } from "../setup/mcp-post.ts";
import type { Called } from "../setup/mcp-post.ts";
import { stopDesk } from "../setup/stop-desk.ts";
import { listed } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";
import { doorless, jsonLines } from "./command.ts";

const text = { type: "string", maxLength: 2000 };

function listing(name: string, changes: Record<string, unknown>): ToolFileText {
  return {
    connector: "shop",
    name,
    title: name,
    description: `${name} of the hostile world`,
    operation: "GET /items",
    input: {
      q: { in: "query", optional: true, schema: text },
      limit: { in: "query", optional: true, schema: { type: "integer" } },
    },
    output: {
      items: { from: "/data", items: { id: { from: "/id", schema: { type: "integer" } } } },
    },
    effects: { readOnly: true, destructive: false, idempotent: true, openWorld: false },
    target: "none",
    scopes: ["items:read"],
    limits: { timeout_ms: 20_000, response_bytes_max: 4096 },
    ...changes,
  };
}

const CURSOR = { style: "cursor", items: "items", parameter: "cursor", next: { from: "/next" } };
const TOOLS = [
  listing("by_cursor", { pagination: { ...CURSOR, pages_max: 4, items_max: 50 } }),
  listing("by_link", { pagination: { style: "link", items: "items", parameters: ["page"] } }),
  listing("one_page", {}),
  listing("first_page", { pagination: "first_page" }),
  listing("ends", {}),
  listing("changed", {}),
  listing("told", {
    output: {
      items: { from: "/data", items: { id: { from: "/id", schema: { type: "integer" } } } },
      next_cursor: { from: "/next", schema: { type: ["string", "null"] } },
    },
  }),
];

let boundary: Boundary;
let token: string;
let attacker: Peer;

beforeAll(async () => {
  const agents = { desk: { title: "Desk", purpose: "x", tokens: { audience: "own" } } };
  const tools = Object.fromEntries(TOOLS.map(({ name }) => [name, {}]));
  boundary = await openBoundary({
    world: { tools: TOOLS, agents: { desk: { ...agents.desk, tools } } },
    file: { delegation: { reuse_ms_max: 5000 } },
  });
  attacker = await openPeer();
});

beforeEach(async () => {
  await boundary.api.behave();
  token = await boundary.token("desk");
});

afterAll(async () => {
  await attacker.close();
  await boundary.close();
});

const call = (tool: string, args: unknown = {}): Promise<Called> =>
  callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, tool, args);

const rows = (from: number, n: number) =>
  Array.from({ length: n }, (_none, i) => ({ id: from + i }));

/** Three pages of ten; `special` answers in the place of a page. */
function three(special: Readonly<Record<number, HostileApi["answer"]>> = {}): void {
  boundary.api.answer = async (res, seen) => {
    const at = Number(new URL(seen.url, "http://x").searchParams.get("cursor") ?? 0);
    if (special[at] !== undefined) await special[at](res, seen);
    else json(res, 200, { data: rows(at * 10, 10), next: at < 2 ? String(at + 1) : null });
  };
}

function outcomeOf({ call_id }: Called) {
  const halves = boundary.ledger().filter((line) => line["call_id"] === call_id);
  expect(halves.map(({ kind }) => kind)).toEqual(["intent", "outcome"]);
  return halves[1];
}

describe("a list in pages", () => {
  verifies("contract.pages", "is one answer and one record that names each request", async () => {
    three();
    const called = await call("by_cursor", { q: "a" });
    expect(called.result).toEqual({ items: rows(0, 30) });
    const asked = boundary.api.seen.map(({ url }) => url);
    expect(asked).toEqual(["/items?q=a", "/items?q=a&cursor=1", "/items?q=a&cursor=2"]);
    for (const { headers } of boundary.api.seen) {
      expect(headers["x-request-id"]).toBe(called.call_id);
      expect(headers.authorization).toBe(boundary.api.seen[0]?.headers.authorization);
    }
    const outcome = outcomeOf(called);
    expect(outcome).toMatchObject({ outcome: "ok", effect: "none" });
    const one = { method: "GET", url: `${boundary.api.origin}/items`, status: 200 };
    expect(outcome?.["downstream"]).toMatchObject([one, one, one]);
  });

  const FAILS: Readonly<Record<string, readonly [HostileApi["answer"], string]>> = {
    "that fails": [(res) => json(res, 500, {}), "downstream_error"],
    "that is one too many": [(res) => json(res, 429, {}), "downstream_rate_limited"],
    "of another shape": [(res) => json(res, 200, { data: [{ id: "x" }] }), "contract_drift"],
    "that breaks off": [(res) => void res.socket?.resetAndDestroy(), "downstream_unavailable"],
    "that is a redirect": [
      (res) => res.writeHead(302, { location: "/x" }).end(),
      "downstream_error",
    ],
  };
  for (const [what, [answer, code]] of Object.entries(FAILS)) {
    verifies("contract.pages", `with a page ${what} is no answer at all`, async () => {
      three({ 1: answer });
      const called = await call("by_cursor");
      expect(called.error).toMatchObject({ code, effect: "none" });
      expect(called.result).not.toHaveProperty("items");
      expect(boundary.api.seen).toHaveLength(2);
      expect(outcomeOf(called)).toMatchObject({ error_code: code, result: null });
    });
  }

  verifies("contract.pages", "that does not end says how to ask for less", async () => {
    const endless: HostileApi["answer"] = (res, seen) => {
      const at = Number(new URL(seen.url, "http://x").searchParams.get("cursor") ?? 0);
      json(res, 200, { data: rows(at, 1), next: String(at + 1) });
    };
    boundary.api.answer = endless;
    const called = await call("by_cursor");
    expect(called.error).toMatchObject({
      code: "result_too_large",
      effect: "none",
      retry: "never",
      who_can_fix: "agent",
      message: expect.stringMatching(/more than 4 pages\. Narrow it with q, limit\.$/),
      details: { limit: "pages_max", max: 4, narrow_by: ["q", "limit"] },
    });
    expect(boundary.api.seen).toHaveLength(4);
  });

  verifies("contract.pages", "is bounded in items and bytes, over all pages", async () => {
    boundary.api.answer = (res) => json(res, 200, { data: rows(0, 51), next: null });
    expect((await call("by_cursor")).error?.details).toMatchObject({ limit: "items_max", max: 50 });
    const pad = "x".repeat(1500);
    await boundary.api.behave();
    boundary.api.answer = (res, seen) => {
      const at = Number(new URL(seen.url, "http://x").searchParams.get("cursor") ?? 0);
      json(res, 200, { data: [], next: String(at + 1), pad });
    };
    const called = await call("by_cursor");
    expect(called.error).toMatchObject({
      code: "result_too_large",
      details: { limit: "response_bytes_max", max: 4096 },
    });
    expect(boundary.api.seen).toHaveLength(3);
  });

  verifies("contract.pages", "ends with its user's access, between two pages", async () => {
    const desk = stopDesk(boundary);
    const hers = `user:${boundary.provider.issuer}#ada`;
    three({
      0: async (res) => {
        await desk.lock(hers, "while she reads");
        json(res, 200, { data: rows(0, 10), next: "1" });
      },
    });
    const called = await call("by_cursor");
    await desk.unlock(hers);
    expect(called.error).toMatchObject({ effect: "none" });
    expect(["access_revoked", "locked"]).toContain(called.error?.code);
    expect(boundary.api.seen).toHaveLength(1);
  });

  verifies("contract.pages-hostile", "leads nowhere but to its own operation", async () => {
    const attacked: string[] = [];
    attacker.serve((req, res) => {
      attacked.push(String(req.url));
      json(res, 200, { data: rows(0, 1) });
    });
    const link = `<${attacker.origin}/items?page=2>; rel="next"`;
    boundary.api.answer = (res) => {
      res.writeHead(200, { "content-type": "application/json", link });
      res.end(JSON.stringify({ data: rows(0, 1) }));
    };
    const called = await call("by_link");
    expect(called.error).toMatchObject({ code: "egress_refused", effect: "none" });
    expect(called.text).not.toContain(attacker.origin);
    expect([attacked, boundary.api.seen.length]).toEqual([[], 1]);
  });
});

describe("one page of a list", () => {
  const more = { data: rows(0, 3), next: "b" };

  verifies("contract.pages", "is an error where the API has more and nobody is told", async () => {
    boundary.api.answer = (res) => json(res, 200, more);
    const called = await call("one_page");
    expect(called.error).toMatchObject({
      code: "result_too_large",
      effect: "none",
      details: { limit: "one_page", narrow_by: ["q", "limit"] },
    });
    expect(called.result).not.toHaveProperty("items");
    expect(boundary.logged()).toContain("/next that there is more");
    boundary.api.answer = (res) => {
      res.writeHead(200, { link: '<?page=2>; rel="next"' });
      res.end(JSON.stringify({ data: rows(0, 3) }));
    };
    expect((await call("one_page")).error?.details).toMatchObject({ limit: "one_page" });
    boundary.api.answer = (res) => json(res, 200, { ...more, next: null });
    expect((await call("one_page")).result).toEqual({ items: rows(0, 3) });
  });

  verifies("contract.pages", "is an answer where the agent knows that it is one", async () => {
    boundary.api.answer = (res) => json(res, 200, more);
    // It asked for so many; it is told; or the tool is for that, as its author said.
    expect((await call("one_page", { limit: 3 })).result).toEqual({ items: rows(0, 3) });
    expect((await call("told")).result).toEqual({ items: rows(0, 3), next_cursor: "b" });
    expect((await call("first_page")).result).toEqual({ items: rows(0, 3) });
  });
});

describe("an answer that speaks of its end", () => {
  const events = (tool: string) =>
    boundary
      .ledger()
      .filter(({ kind, event }) => kind === "event" && event === "contract")
      .map(({ detail }) => detail as { tool: string; severity: string; rules: object[] })
      .filter((one) => one.tool === tool);
  const saying = (headers: Record<string, string>): HostileApi["answer"] => {
    return (res) => res.writeHead(200, headers).end(JSON.stringify({ data: rows(0, 1) }));
  };
  const names = async () => (await listed(boundary, "desk", token)).names;
  const recorded = (tool: string, n: number) =>
    vi.waitFor(() => expect(events(tool)).toHaveLength(n), { timeout: 20_000 });

  verifies(
    "contract.announced",
    "is on record once, and at its end it stops the tool",
    async () => {
      boundary.api.answer = saying({
        deprecation: "@1688169599",
        sunset: "Fri, 31 Dec 2066 23:59:59 GMT",
      });
      for (let i = 0; i < 5; i++) expect((await call("first_page")).result).toBeDefined();
      await recorded("first_page", 1);
      expect(events("first_page")[0]).toMatchObject({
        severity: "warn",
        rules: [
          { rule: "endpoint-deprecated", pointer: "/header/deprecation" },
          { rule: "endpoint-deprecated-with-sunset", pointer: "/header/sunset" },
        ],
      });
      expect(await names()).toContain("first_page");
      boundary.api.answer = saying({ sunset: "Sun, 31 Dec 2006 23:59:59 GMT" });
      // The answer that says so is an answer; the next call is stopped.
      expect((await call("ends")).result).toBeDefined();
      await recorded("ends", 1);
      const before = boundary.api.seen.length;
      const stopped = await call("ends");
      expect(stopped.error).toMatchObject({
        code: "contract_drift",
        effect: "none",
        who_can_fix: "operator",
        details: { rules: [{ id: "api-sunset-passed", pointer: "/header/sunset" }] },
      });
      expect(boundary.api.seen).toHaveLength(before);
      expect(await names()).not.toContain("ends");
      const config = join(boundary.data, "..", "mcp.config.json");
      const env = { SECRET: "a-client-secret" };
      const ran = await doorless(["contracts", "check", "--json", "--config", config], { env });
      const [said] = jsonLines<{ ok: boolean; tools: { tool: string; severity: string }[] }>(ran);
      expect([ran.code, said?.ok]).toEqual([1, false]);
      expect(said?.tools).toMatchObject([
        { tool: "ends", state: "drift", severity: "break" },
        { tool: "first_page", state: "drift", severity: "warn" },
      ]);
    },
  );

  verifies("contract.answers", "or does not fit, call after call, stops its tool", async () => {
    boundary.api.answer = (res) => json(res, 200, { data: [{ id: "seven" }] });
    for (const q of ["a", "b", "c"]) {
      expect((await call("changed", { q })).error?.code).toBe("contract_drift");
    }
    await recorded("changed", 1);
    expect(events("changed")).toMatchObject([
      {
        severity: "break",
        rules: [{ rule: "answer-not-as-agreed", pointer: "/answer/data/*/id" }],
      },
    ]);
    const before = boundary.api.seen.length;
    expect((await call("changed", { q: "d" })).error?.message).toContain("answer-not-as-agreed");
    expect(boundary.api.seen).toHaveLength(before);
    expect(await names()).not.toContain("changed");
  });
});
