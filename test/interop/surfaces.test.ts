// Which tools a session has: INTERFACE's tables, seen by real clients of both eras over HTTP.
import { afterAll, beforeAll, expect } from "vitest";
import { openHouse } from "../setup/house.ts";
import type { House } from "../setup/house.ts";
import { verifies } from "../verifies.ts";
import { CLIENT_KINDS, connectHttp } from "./clients.ts";
import type { Json } from "./clients.ts";
import { AGENTS, CATALOGUE, PAIRS, PAIRS_TO_SHOW, PEOPLE, READ_ONLY, surfaceOf } from "./tables.ts";
import type { Agent, Pair } from "./tables.ts";
import { jsonOf, modernWire, olderWire } from "./wire.ts";
import type { AskOptions, Wire } from "./wire.ts";

let house: House;

beforeAll(async () => {
  house = await openHouse();
});

afterAll(() => house.close());

function urlOf(agent: Agent): string {
  return house.ready.mcp[agent] ?? "";
}

/** The same session in both eras. */
async function wires({ person, agent }: Pair): Promise<readonly Wire[]> {
  const token = await house.token(person, agent);
  const url = urlOf(agent);
  return [modernWire(url, token), await olderWire(url, token)];
}

async function resultOf(wire: Wire, method: string, params: Json = {}, options: AskOptions = {}) {
  const answer = jsonOf(await wire.ask(method, params, options));
  expect(answer).toHaveProperty("result");
  return answer["result"] as Json;
}

async function listed(wire: Wire, headers: Record<string, string> = {}): Promise<string[]> {
  const { tools } = await resultOf(wire, "tools/list", {}, { headers });
  return (tools as { name: string }[]).map(({ name }) => name);
}

verifies(
  ["surface.tables", "mcp.clients-agree", "mcp.both-eras"],
  "each person has at each agent exactly the tools of the tables, whichever client asks",
  async () => {
    // The tables themselves must be of this catalogue, or the comparison below says little.
    expect(new Set(CATALOGUE).size).toBe(16);
    for (const pair of PAIRS) {
      const token = await house.token(pair.person, pair.agent);
      for (const kind of CLIENT_KINDS) {
        const client = await connectHttp(kind, urlOf(pair.agent), token);
        const seen = { ...pair, kind, version: client.version, tools: await client.names() };
        await client.close();
        const version = kind === "v1" ? "2025-11-25" : "2026-07-28";
        expect(seen).toEqual({ ...pair, kind, version, tools: surfaceOf(pair) });
      }
    }
  },
);

verifies("surface.tables", "the tables give six sessions a door, and four kinds of surface", () => {
  const distinct = new Set(PAIRS.map((pair) => surfaceOf(pair).join(" ")));
  expect(distinct.size).toBe(5);
  expect(PAIRS_TO_SHOW).toHaveLength(7);
});

const NEVER_BUILT = ["no_such_tool"];

verifies(
  "surface.one-object",
  "for every person, agent and tool, a call is answered if and only if the tool is listed",
  async () => {
    const wrong = { "no such argument": true };
    for (const pair of PAIRS) {
      for (const wire of await wires(pair)) {
        const names = new Set(await listed(wire));
        const callable = new Set<string>();
        for (const name of [...CATALOGUE, ...NEVER_BUILT]) {
          const answer = jsonOf(await wire.ask("tools/call", { name, arguments: wrong }));
          const code = (answer["error"] as Json | undefined)?.["code"];
          if (code === -32_602) continue;
          // An error about the arguments can only come from behind the door.
          const { structuredContent } = answer["result"] as { structuredContent: Json };
          expect(structuredContent).toMatchObject({ error: { code: "invalid_arguments" } });
          callable.add(name);
        }
        expect({ ...pair, era: wire.era, callable }).toEqual({
          ...pair,
          era: wire.era,
          callable: names,
        });
      }
    }
  },
);

verifies("surface.empty-list", "a valid token without a door gets an empty list", async () => {
  const doorless = PAIRS.filter((pair) => surfaceOf(pair).length === 0);
  expect(doorless).toContainEqual({ person: "dana", agent: "sales" });
  expect(doorless).toHaveLength(PEOPLE.length * AGENTS.length - 6);
  for (const pair of doorless) {
    for (const wire of await wires(pair)) {
      const { status, body } = await wire.ask("tools/list");
      expect({ status, body }).toEqual({
        status: 200,
        body: expect.stringContaining('"tools":[]'),
      });
    }
  }
});

verifies(
  "mcp.list-shape",
  "tools/list is sorted, the same bytes each time, private and never fresh",
  async () => {
    for (const wire of await wires({ person: "omar", agent: "sales" })) {
      const first = await wire.ask("tools/list");
      const again = await wire.ask("tools/list");
      expect(again.body).toBe(first.body);
      const { tools, ttlMs, cacheScope } = jsonOf(first)["result"] as Json;
      const names = (tools as { name: string }[]).map(({ name }) => name);
      expect(names).toEqual(names.toSorted());
      expect(names.length).toBeGreaterThan(1);
      if (wire.era === "2026-07-28") {
        expect({ ttlMs, cacheScope }).toEqual({ ttlMs: 0, cacheScope: "private" });
      }
      expect(first.body).not.toContain("x-mcp-header");
    }
    // Another token of the same person, and another person with the same tools: the same list.
    const [one] = await wires({ person: "omar", agent: "sales" });
    const [other] = await wires({ person: "mia", agent: "sales" });
    const bodies = await Promise.all([one?.ask("tools/list"), other?.ask("tools/list")]);
    expect(bodies[0]?.body).toBe(bodies[1]?.body);
  },
);

verifies(
  "mcp.list-shape",
  "each listed tool says its title, schemas and effects, and admits no further argument",
  async () => {
    for (const pair of PAIRS_TO_SHOW) {
      const [wire] = await wires(pair);
      if (wire === undefined) throw new Error("no wire");
      const { tools } = await resultOf(wire, "tools/list");
      for (const tool of tools as Json[]) {
        expect(tool).toMatchObject({
          name: expect.stringMatching(/^[a-z_]{3,64}$/),
          title: expect.stringMatching(/\S/),
          description: expect.stringMatching(/\S/),
          inputSchema: { type: "object", additionalProperties: false },
          outputSchema: { type: "object" },
          annotations: { readOnlyHint: READ_ONLY.includes(String(tool["name"])) },
        });
      }
    }
  },
);

verifies("surface.narrowing", "narrowing headers shrink a surface, per request", async () => {
  const all = surfaceOf({ person: "dana", agent: "support" });
  const reads = all.filter((name) => READ_ONLY.includes(name));
  const two = "tickets_search, tickets_reply";
  for (const wire of await wires({ person: "dana", agent: "support" })) {
    expect(await listed(wire, { "doorless-tools": two })).toEqual([
      "tickets_reply",
      "tickets_search",
    ]);
    expect(await listed(wire, { "doorless-read-only": "true" })).toEqual(reads);
    // A typing mistake must not open writes; only a clear "false" asks for nothing.
    expect(await listed(wire, { "doorless-read-only": "yes" })).toEqual(reads);
    expect(await listed(wire, { "doorless-read-only": "false" })).toEqual(all);
    const both = { "doorless-tools": two, "doorless-read-only": "true" };
    expect(await listed(wire, both)).toEqual(["tickets_search"]);
    expect(await listed(wire, { "doorless-tools": "" })).toEqual([]);
    expect(await listed(wire)).toEqual(all);
  }
});

verifies("surface.narrowing", "narrowing headers never widen a surface", async () => {
  const wide = { "doorless-tools": CATALOGUE.join(","), "doorless-read-only": "false" };
  const foreign = { "doorless-tools": "crm_delete_customer,crm_search_deals,*,all,__proto__" };
  for (const pair of PAIRS_TO_SHOW) {
    for (const wire of await wires(pair)) {
      expect(await listed(wire, wide)).toEqual(surfaceOf(pair));
    }
  }
  for (const wire of await wires({ person: "dana", agent: "support" })) {
    expect(await listed(wire, foreign)).toEqual([]);
    const call = { name: "crm_delete_customer", arguments: { id: 1 } };
    const answer = jsonOf(await wire.ask("tools/call", call, { headers: foreign }));
    expect(answer).toMatchObject({ error: { code: -32_602 } });
  }
});

const UNAPPROVED = { id: 1001, amount: 20, reason: "Charged twice" };

verifies(
  "approval.human",
  "billing_refund is listed and refused with a link, whichever client asks",
  async () => {
    for (const kind of CLIENT_KINDS) {
      const token = await house.token("dana", "support");
      const client = await connectHttp(kind, urlOf("support"), token);
      expect(await client.names()).toContain("billing_refund");
      // Refunds are for customers of tickets of her own, and of invoices that she has read.
      await client.call("tickets_search", {});
      await client.call("billing_get_invoice", { id: UNAPPROVED.id });
      const { error, text } = await client.call("billing_refund", UNAPPROVED);
      const expected = { retry: "after_user_action", who_can_fix: "user", effect: "none" };
      expect(error).toMatchObject({ code: "confirmation_required", ...expected });
      expect(text).toMatch(/\/approve\/[\w-]{43}$/);
      await client.close();
    }
  },
);
