// A missing door: a hidden tool answers byte for byte like one that never existed, in both eras.
import { afterAll, beforeAll, describe, expect } from "vitest";
import { openHouse } from "../setup/house.ts";
import type { House } from "../setup/house.ts";
import { verifies } from "../verifies.ts";
import type { Json } from "./clients.ts";
import { CATALOGUE, PAIRS, surfaceOf } from "./tables.ts";
import type { Pair } from "./tables.ts";
import { jsonOf, modernWire, olderWire } from "./wire.ts";
import type { AskOptions, Reply, Wire } from "./wire.ts";

const NEVER = "no_such_tool";
/** Not there whoever asks: absent tools, drafts' spellings, and what objects have by themselves. */
const ODD_NAMES = [
  "CRM_DELETE_CUSTOMER",
  " crm_delete_customer",
  "crm_delete_customer ",
  "crm_delete_customer.tool",
  "crm/crm_delete_customer",
  "../crm/crm_delete_customer",
  "crm_delete_customer\u0000",
  "crm_delete_custome\u0433",
  "",
  "__proto__",
  "constructor",
  "toString",
  "*",
  '"quoted" and \\escaped\\',
  "line\nbreak",
  "x".repeat(5000),
];
/** As good a call as there could be, an empty one, and a bad one: none may tell them apart. */
const ARGUMENTS: readonly (Json | undefined)[] = [
  { id: 42, stage: "won", amount: 10, reason: "x", body: "x", metric: "deal_count" },
  undefined,
  { "no such argument": [1, { two: 2 }] },
];

let house: House;

beforeAll(async () => {
  house = await openHouse();
});

afterAll(() => house.close());

async function wires({ person, agent }: Pair): Promise<readonly Wire[]> {
  const token = await house.token(person, agent);
  const url = house.ready.mcp[agent] ?? "";
  return [modernWire(url, token), await olderWire(url, token)];
}

/** Everything but what the design leaves out: the echoed name, Date and Content-Length. */
function comparable(name: string, { status, raw_headers, body }: Reply) {
  const headers: string[] = [];
  for (let i = 0; i < raw_headers.length; i += 2) {
    const field = raw_headers[i] ?? "";
    if (/^(?:date|content-length)$/i.test(field)) headers.push(field);
    else headers.push(`${field}: ${raw_headers[i + 1] ?? ""}`);
  }
  const echoed = Buffer.from(JSON.stringify(name).slice(1, -1)).toString("latin1");
  const marked = `Unknown tool: ${echoed}"`;
  return { status, headers, body: body.replace(marked, () => 'Unknown tool: NAME"') };
}

async function ask(wire: Wire, name: string, args?: Json, options: AskOptions = {}) {
  const params = { name, ...(args === undefined ? {} : { arguments: args }) };
  const reply = await wire.ask("tools/call", params, options);
  return comparable(name, reply);
}

const EXPECTED = '{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"Unknown tool: NAME"}}';

describe("outside a surface", () => {
  for (const pair of PAIRS) {
    const { person, agent } = pair;
    const has = surfaceOf(pair);
    const hidden = CATALOGUE.filter((name) => !has.includes(name));
    verifies(
      "surface.missing-door",
      `${hidden.length} tools of the catalogue never existed for ${person} at ${agent}`,
      async () => {
        expect(hidden).toContain("crm_delete_customer");
        for (const wire of await wires(pair)) {
          const never = await ask(wire, NEVER, {});
          expect(never.body).toBe(EXPECTED);
          for (const name of hidden) expect(await ask(wire, name, {})).toEqual(never);
        }
      },
    );
  }
});

verifies("surface.missing-door", "odd names are unknown tools like any other", async () => {
  for (const wire of await wires({ person: "omar", agent: "sales" })) {
    const never = await ask(wire, NEVER, {});
    for (const name of ODD_NAMES) {
      expect({ name, ...(await ask(wire, name, {})) }).toEqual({ name, ...never });
    }
  }
});

verifies("surface.missing-door", "arguments, right or wrong, change nothing", async () => {
  for (const wire of await wires({ person: "dana", agent: "support" })) {
    for (const args of ARGUMENTS) {
      const never = await ask(wire, NEVER, args);
      expect(never.body).toBe(EXPECTED);
      for (const name of ["crm_update_deal_stage", "crm_delete_customer", "analytics_query"]) {
        expect(await ask(wire, name, args)).toEqual(never);
      }
    }
  }
});

verifies("surface.missing-door", "metadata of a call changes nothing either", async () => {
  const id = "a-call";
  const extras: Json = {
    "doorless/idempotency_key": "key-1",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    progressToken: 1,
  };
  const [, older] = await wires({ person: "dana", agent: "support" });
  if (older === undefined) throw new Error("no wire");
  const keys = ["k".repeat(300), "", 5, { a: 1 }, null].map((key) => ({
    "doorless/idempotency_key": key,
  }));
  for (const _meta of [extras, ...keys]) {
    const reply = async (name: string) =>
      comparable(name, await older.ask("tools/call", { name, arguments: {}, _meta }, { id }));
    const never = await reply(NEVER);
    expect(await reply("crm_update_deal_stage")).toEqual(never);
  }
});

const NARROWINGS = [
  { headers: { "doorless-tools": "tickets_search" }, gone: ["crm_get_customer", "tickets_reply"] },
  { headers: { "doorless-read-only": "true" }, gone: ["tickets_close", "billing_refund"] },
  { headers: { "doorless-tools": "" }, gone: ["tickets_search", "crm_get_customer"] },
];

verifies(
  ["surface.missing-door", "surface.narrowing"],
  "a tool that the client narrowed away never existed for that request",
  async () => {
    for (const wire of await wires({ person: "dana", agent: "support" })) {
      for (const { headers, gone } of NARROWINGS) {
        const never = await ask(wire, NEVER, {}, { headers });
        expect(never.body).toBe(EXPECTED);
        for (const name of [...gone, "crm_delete_customer", "crm_search_deals"]) {
          expect(await ask(wire, name, {}, { headers })).toEqual(never);
        }
      }
      // The same names, without the headers: there is a door, so the comparison means something.
      const reply = await wire.ask("tools/call", { name: "crm_get_customer", arguments: {} });
      expect(jsonOf(reply)).toHaveProperty("result.structuredContent.error.code");
    }
  },
);

verifies(
  ["surface.missing-door", "mcp.both-eras"],
  "the answer is the same in both eras, but for the older one's session header",
  async () => {
    const [modern, older] = await wires({ person: "mia", agent: "sales" });
    if (modern === undefined || older === undefined) throw new Error("no wire");
    const now = await ask(modern, "crm_delete_customer", {});
    const then = await ask(older, "crm_delete_customer", {});
    const headers = then.headers.filter((line) => !line.startsWith("mcp-session-id: "));
    expect({ ...then, headers }).toEqual(now);
    expect(then.headers).toHaveLength(now.headers.length + 1);
  },
);

verifies("surface.missing-door", "a hidden tool reaches no API and leaves no intent", async () => {
  const before = (await (await fetch(`${house.ready.api}/audit`)).json()) as Json[];
  for (const wire of await wires({ person: "omar", agent: "research" })) {
    await ask(wire, "crm_delete_customer", { id: 8 });
    await ask(wire, "crm_update_deal_stage", { id: 42, stage: "won" });
  }
  const after = (await (await fetch(`${house.ready.api}/audit`)).json()) as Json[];
  expect(after).toEqual(before);
});
