// One call, seen from every side: the client, the API, the API's audit log, and ours.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { decodeJwt } from "jose";
import { verifies } from "../verifies.ts";
import { CLIENT_KINDS, connectHttp } from "./clients.ts";
import type { Json, McpClient } from "./clients.ts";
import { doorless, jsonLines } from "./command.ts";
import { openWatchedHouse } from "./recorder.ts";
import type { Seen, WatchedHouse } from "./recorder.ts";
import type { Agent, Person } from "./tables.ts";

let house: WatchedHouse;
const tokens: string[] = [];

beforeAll(async () => {
  house = await openWatchedHouse();
});

afterAll(() => house.close());

async function connect(person: Person, agent: Agent, kind = "v1" as const): Promise<McpClient> {
  return connectAs(person, agent, kind);
}

async function connectAs(
  person: Person,
  agent: Agent,
  kind: (typeof CLIENT_KINDS)[number],
): Promise<McpClient> {
  const token = await house.token(person, agent);
  tokens.push(token);
  const client = await connectHttp(kind, house.urlOf(agent), token);
  // As real clients do: from here on they hold each answer to the output schema.
  await client.list();
  return client;
}

async function apiAudit(request_id: unknown): Promise<Json[]> {
  const rows = (await (await fetch(`${house.world.api}/audit`)).json()) as Json[];
  return rows.filter((row) => row["request_id"] === request_id);
}

function seenWith(call_id: unknown): Seen[] {
  return house.recorder.seen.filter(({ headers }) => headers["x-request-id"] === call_id);
}

async function records(...filter: string[]): Promise<Json[]> {
  const ran = await doorless(["audit", "query", ...filter, "--data", house.data, "--json"]);
  expect(ran).toMatchObject({ code: 0 });
  return jsonLines<Json>(ran);
}

function bearerOf({ headers }: Seen): string {
  return /^Bearer (.+)$/.exec(String(headers["authorization"]))?.[1] ?? "";
}

verifies(
  ["demo.names-the-person", "mcp.call-id", "identity.as-the-user"],
  "a call of Mia's is Mia's in the API's audit log and in ours, under one id",
  async () => {
    for (const kind of CLIENT_KINDS) {
      const client = await connectAs("mia", "sales", kind);
      const { isError, value, call_id } = await client.call("crm_get_deal", { id: 42 });
      await client.close();
      expect({ isError, value }).toMatchObject({ isError: false, value: { id: 42 } });
      expect(call_id).toMatch(/^[0-9a-f-]{36}$/);
      const path = "/crm/deals/42";
      expect(await apiAudit(call_id)).toEqual([
        expect.objectContaining({ subject: "mia", method: "GET", path, status: 200 }),
      ]);
      const ours = await records("--user", "mia", "--call", String(call_id));
      expect(ours).toMatchObject([
        { call_id, subject: "mia", user: "Mia Lindqvist", outcome: "ok", target: "deal:42" },
      ]);
      expect(ours[0]?.["downstream"]).toMatchObject([{ status: 200, request_id: call_id }]);
    }
  },
);

verifies(
  "identity.as-the-user",
  "the API gets a token of that person for that API, with the scope of the tool, and no other",
  async () => {
    const cases = [
      {
        as: ["mia", "sales"],
        tool: "crm_get_deal",
        args: { id: 42 },
        api: "crm",
        scope: "crm:read",
      },
      {
        as: ["omar", "sales"],
        tool: "crm_get_deal",
        args: { id: 43 },
        api: "crm",
        scope: "crm:read",
      },
      {
        as: ["dana", "support"],
        tool: "tickets_search",
        args: {},
        api: "tickets",
        scope: "tickets:read",
      },
      {
        as: ["zoe", "support"],
        tool: "tickets_search",
        args: {},
        api: "tickets",
        scope: "tickets:read",
      },
    ] as const;
    for (const { as, tool, args, api, scope } of cases) {
      const [person, agent] = as;
      const client = await connect(person, agent);
      const { call_id } = await client.call(tool, args);
      await client.close();
      const [request, ...more] = seenWith(call_id);
      if (request === undefined) throw new Error("the API saw nothing");
      expect(more).toEqual([]);
      const claims = decodeJwt(bearerOf(request));
      expect(claims).toMatchObject({ sub: person, aud: `${house.world.api}/${api}`, scope });
    }
  },
);

verifies("mcp.call-id", "refusals and failures carry a call id that the ledger knows", async () => {
  const client = await connect("mia", "sales");
  const refused = await client.call("crm_get_deal", { id: "forty-two" });
  const failed = await client.call("crm_get_deal", { id: 43 });
  await client.close();
  expect(refused.error).toMatchObject({ code: "invalid_arguments", call_id: refused.call_id });
  expect(failed.error).toMatchObject({
    code: "downstream_error",
    call_id: failed.call_id,
    details: { status: 404 },
  });
  for (const { call_id, error } of [refused, failed]) {
    const found = await house.record(call_id);
    expect(found).toMatchObject({ call_id, subject: "mia", error_code: error?.["code"] });
  }
  expect(seenWith(refused.call_id)).toEqual([]);
});

verifies(
  "ledger.who-changed-this",
  "after Mia moved deal 42 the log says all about it",
  async () => {
    const from = new Date().toISOString();
    const client = await connect("mia", "sales");
    const note = "They signed this morning.";
    const moved = await client.call("crm_update_deal_stage", { id: 42, stage: "won", note });
    await client.close();
    expect(moved.value).toMatchObject({ id: 42, stage: "won", updated_by: "mia" });
    const found = await records("--record", "deal:42", "--from", from);
    expect(found).toHaveLength(1);
    const [record = {}] = found;
    expect(record).toMatchObject({
      call_id: moved.call_id,
      user: "Mia Lindqvist",
      subject: "mia",
      tenant: "acme",
      agent: "sales",
      tool: "crm_update_deal_stage",
      args: { id: 42, stage: "won", note: { sealed: expect.any(String), chars: note.length } },
      result: { id: 42, stage: "won", owner: "mia", updated_by: "mia" },
      effects: { readOnly: false },
      outcome: "ok",
      effect: "done",
    });
    expect(String(record["time"]) >= from).toBe(true);
    expect(JSON.stringify(record)).not.toContain(note);
  },
);

verifies("demo.row-permissions", "Omar's same search sees more rows than Mia's", async () => {
  const rows: Json[][] = [];
  for (const person of ["mia", "omar"] as const) {
    const client = await connect(person, "sales");
    const { value } = await client.call("crm_search_deals", { limit: 50 });
    rows.push(value["deals"] as Json[]);
    await client.close();
  }
  const [mias = [], omars = []] = rows;
  expect(new Set(mias.map(({ owner }) => owner))).toEqual(new Set(["mia"]));
  expect(omars.length).toBeGreaterThan(mias.length);
  const ids = new Set(omars.map(({ id }) => id));
  expect(mias.filter(({ id }) => !ids.has(id))).toEqual([]);
});

verifies("demo.row-permissions", "Mia cannot change Omar's deal", async () => {
  const mia = await connect("mia", "sales");
  const theft = await mia.call("crm_update_deal_stage", { id: 43, stage: "lost" });
  await mia.close();
  expect(theft).toMatchObject({ isError: true, error: { code: "downstream_error" } });
  const omar = await connect("omar", "sales");
  const { value } = await omar.call("crm_get_deal", { id: 43 });
  await omar.close();
  expect(value).toMatchObject({ id: 43, owner: "omar" });
  expect(value["updated_by"]).not.toBe("mia");
  expect(await apiAudit(theft.call_id)).toMatchObject([{ subject: "mia", status: 404 }]);
  expect(await house.record(theft.call_id)).toMatchObject({
    subject: "mia",
    target: "deal:43",
    outcome: "downstream_error",
  });
});

verifies("demo.row-permissions", "Zoe sees no row of Acme's, whatever she asks", async () => {
  const [zoe, dana] = [await connect("zoe", "support"), await connect("dana", "support")];
  for (const [tool, list] of [
    ["tickets_search", "tickets"],
    ["crm_search_customers", "customers"],
  ]) {
    const ids = async (client: McpClient): Promise<unknown[]> => {
      const { value } = await client.call(tool ?? "", { limit: 50 });
      return (value[list ?? ""] as Json[]).map(({ id }) => id);
    };
    const [globex, acme] = [await ids(zoe), new Set(await ids(dana))];
    expect(globex.length).toBeGreaterThan(0);
    expect(globex.filter((id) => acme.has(id))).toEqual([]);
  }
  for (const [tool, id] of [
    ["crm_get_customer", 1],
    ["billing_get_invoice", 1001],
  ] as const) {
    expect((await dana.call(tool, { id })).isError).toBe(false);
    expect(await zoe.call(tool, { id })).toMatchObject({ isError: true });
  }
  const reply = await zoe.call("tickets_reply", { id: 201, body: "Hello from Globex" });
  expect(reply).toMatchObject({ isError: true, error: { details: { status: 404 } } });
  await Promise.all([zoe.close(), dana.close()]);
});

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

async function traceOf(call_id: unknown): Promise<unknown> {
  return (await house.record(call_id))?.["trace_id"];
}

verifies("mcp.traceparent", "the caller's trace goes on downstream as a new child", async () => {
  for (const kind of CLIENT_KINDS) {
    const client = await connectAs("mia", "sales", kind);
    const meta = { traceparent: `00-${TRACE}-${SPAN}-01` };
    const { call_id } = await client.call("crm_get_deal", { id: 42 }, { meta });
    await client.close();
    const [request] = seenWith(call_id);
    const sent = String(request?.headers["traceparent"]);
    expect(sent).toMatch(new RegExp(`^00-${TRACE}-(?!${SPAN})[0-9a-f]{16}-01$`));
    expect(await traceOf(call_id)).toBe(TRACE);
  }
});

verifies("mcp.traceparent", "a malformed traceparent is as if there were none", async () => {
  const client = await connect("mia", "sales");
  const zeros = "0".repeat(32);
  const malformed = [
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${zeros}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01\r\nx-injected: 1`,
    42,
  ];
  for (const traceparent of malformed) {
    const { call_id } = await client.call("crm_get_deal", { id: 42 }, { meta: { traceparent } });
    const [request] = seenWith(call_id);
    expect(request?.headers["traceparent"]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/);
    expect(request?.text).not.toMatch(new RegExp(`${TRACE}|${zeros}|x-injected`, "i"));
    const trace_id = await traceOf(call_id);
    expect(trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(String(request?.headers["traceparent"])).toContain(String(trace_id));
  }
  await client.close();
});

/** The token itself, and what of it would still open a door: its payload and its signature. */
function partsOf(token: string): string[] {
  const [, payload = "", signature = ""] = token.split(".");
  return [token, payload, signature, Buffer.from(token).toString("base64").slice(0, -4)];
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

verifies(
  "identity.token-stays",
  "the client's token is in no request to the API, no file, no log line and no record",
  async () => {
    const client = await connect("mia", "sales");
    // What goes wrong is written down more freely than what goes well: provoke some of it.
    await client.call("crm_get_deal", { id: 43 });
    await client.call("crm_get_deal", { id: 42 });
    await client.call("mail_send", { to: "c.harbour@harbour.example", subject: "s", body: "b" });
    await client.call("crm_delete_customer", { id: 1 }).catch(() => undefined);
    await client.close();
    const last = tokens.at(-1) ?? "";
    await doorless(
      ["call", "crm_get_deal", '{"id":42}', "--agent", "sales", "--dry-run"].concat(
        "--data",
        house.data,
      ),
      { env: { DOORLESS_TOKEN: last } },
    );
    const wrong = await fetch(house.urlOf("support"), {
      method: "POST",
      headers: { authorization: `Bearer ${last}` },
    });
    expect(wrong.status).toBe(401);

    const requests = house.recorder.seen.map(({ text }) => text);
    const files = filesUnder(house.data).map((path) => readFileSync(path, "latin1"));
    const places = {
      requests: requests.join("\n"),
      files: files.join("\n"),
      log: house.logged(),
      records: JSON.stringify(await records("--limit", "1000")),
    };
    // Each place is looked at for something that is there, so that finding nothing means something.
    expect(places.requests).toContain("authorization");
    expect(places.files).toContain('"subject":"mia"');
    expect(places.log).toContain("was not issued for this agent");
    expect(places.records).toContain("crm_update_deal_stage");
    expect(tokens.length).toBeGreaterThan(10);
    for (const [place, text] of Object.entries(places)) {
      const found = tokens.flatMap(partsOf).filter((part) => text.includes(part));
      expect({ place, found }).toEqual({ place, found: [] });
    }
    // Nor does the token that the API gets stay anywhere.
    const sent = house.recorder.seen.map(bearerOf);
    const kept = sent.filter((token) => (places.files + places.log).includes(token));
    expect(kept).toEqual([]);
  },
);
