/** The demo's SaaS, from outside: its own token checks, rows, audit log and contract. */

import { once } from "node:events";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type IncomingMessage, request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { generateKeyPair, SignJWT } from "jose";
import { load } from "js-yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { World } from "../../demo/world.ts";
import {
  audit,
  call,
  enterWorld,
  type Json,
  type Reply,
  mailTokenFor,
  tokenFor,
} from "./demo-world-client.ts";

const data = mkdtempSync(join(tmpdir(), "doorless-saas-"));
let world: World;
let mia: string;
let omar: string;
let dana: string;
let zoe: string;

beforeAll(async () => {
  world = await enterWorld(data);
  [mia, omar, dana, zoe] = await Promise.all([
    tokenFor("mia", "sales", "crm"),
    tokenFor("omar", "sales", "crm"),
    tokenFor("dana", "support", "tickets"),
    tokenFor("zoe", "support", "tickets"),
  ]);
});

afterAll(async () => {
  await world.stop();
  rmSync(data, { recursive: true, force: true });
});

const items = (reply: Reply) => reply.body["items"] as Json[];
const ids = (reply: Reply) => items(reply).map((item) => item["id"]);
const outcome = ({ status, body }: Reply) => [status, body["error"]];

describe("tokens", () => {
  it("that are missing, forged or for another API are refused, and on record", async () => {
    const { privateKey } = await generateKeyPair("ES256");
    const claims = { sub: "mia", client_id: "boundary", scope: "crm:read" };
    const forged = await new SignJWT(claims)
      .setProtectedHeader({ alg: "ES256", typ: "at+jwt" })
      .setIssuer(world.issuer)
      .setAudience(`${world.api}/crm`)
      .setIssuedAt()
      .setExpirationTime("1m")
      .sign(privateKey);
    const agent = await world.mintToken("mia", "sales", 60);
    const unsigned = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString("base64url")}.${
      mia.split(".")[1]
    }.`;
    for (const bearer of ["", forged, agent, unsigned, dana, `${mia.slice(0, -6)}AAAAAA`]) {
      const reply = await call(bearer, "GET", "/crm/deals/42", undefined, {
        "x-request-id": "bad",
      });
      expect(outcome(reply)).toEqual([401, "invalid_token"]);
      expect(reply.headers.get("www-authenticate")).toContain("invalid_token");
      expect((await audit()).at(-1)).toMatchObject({
        subject: null,
        client: null,
        method: "GET",
        path: "/crm/deals/42",
        status: 401,
        request_id: "bad",
      });
    }
  });

  it("open nothing that their scope does not name", async () => {
    const reader = await tokenFor("dana", "support", "crm");
    const reply = await call(reader, "DELETE", "/crm/customers/1");
    expect(outcome(reply)).toEqual([403, "insufficient_scope"]);
    expect((await audit()).at(-1)).toMatchObject({ subject: "dana", status: 403 });
  });
});

describe("rows", () => {
  it("of deals are a seller's own, and a manager's team's", async () => {
    const own = await call(mia, "GET", "/crm/deals?limit=100");
    expect(items(own)).toHaveLength(10);
    expect(new Set(items(own).map((deal) => deal["owner"]))).toEqual(new Set(["mia"]));
    expect((await call(mia, "GET", "/crm/deals/42")).body).toMatchObject({ id: 42, owner: "mia" });
    expect(outcome(await call(mia, "GET", "/crm/deals/43"))).toEqual([404, "not_found"]);
    const theft = await call(mia, "PATCH", "/crm/deals/43", { stage: "lost" });
    expect(outcome(theft)).toEqual([404, "not_found"]);
    expect(items(await call(omar, "GET", "/crm/deals?limit=100"))).toHaveLength(24);
    const moved = await call(omar, "PATCH", "/crm/deals/42", { stage: "won", note: "Signed." });
    expect(moved.body).toMatchObject({ id: 42, stage: "won", owner: "mia", updated_by: "omar" });
  });

  it("of another tenant do not exist, whoever asks and however", async () => {
    expect(ids(await call(zoe, "GET", "/tickets/tickets"))).toEqual([301, 302, 303]);
    expect(
      outcome(await call(zoe, "POST", "/tickets/tickets/201/close", { resolution: "x" })),
    ).toEqual([404, "not_found"]);
    const crm = await tokenFor("zoe", "support", "crm");
    expect(ids(await call(crm, "GET", "/crm/customers"))).toEqual([101, 102, 103, 104]);
    expect(outcome(await call(crm, "GET", "/crm/customers/1"))).toEqual([404, "not_found"]);
    for (const id of [161, 162, 163, 164]) {
      expect(outcome(await call(omar, "GET", `/crm/deals/${id}`))).toEqual([404, "not_found"]);
    }
    const billing = await tokenFor("zoe", "support", "billing");
    const refund = { amount: 1, reason: "x" };
    for (const [method, path, body] of [
      ["GET", "/billing/invoices/1001", undefined],
      ["POST", "/billing/invoices/1001/refunds", refund],
      ["POST", "/billing/invoices/1007/void", undefined],
    ] as const) {
      expect(outcome(await call(billing, method, path, body))).toEqual([404, "not_found"]);
    }
  });

  it("of support are its tenant's customers and tickets, and no deal", async () => {
    const crm = await tokenFor("dana", "support", "crm");
    expect(items(await call(crm, "GET", "/crm/customers"))).toHaveLength(12);
    expect(items(await call(crm, "GET", "/crm/deals"))).toEqual([]);
    expect(outcome(await call(crm, "GET", "/crm/deals/42"))).toEqual([404, "not_found"]);
    const open = await call(dana, "GET", "/tickets/tickets?status=open");
    expect(items(open)).toHaveLength(8);
    const reply = await call(dana, "POST", "/tickets/tickets/201/replies", { body: "We look." });
    expect(reply).toMatchObject({ status: 201, body: { ticket_id: 201, created_by: "dana" } });
    const closing = { resolution: "Refunded." };
    const closed = await call(dana, "POST", "/tickets/tickets/201/close", closing);
    expect(closed.body).toMatchObject({ status: "closed", resolution: "Refunded." });
    expect(outcome(await call(dana, "POST", "/tickets/tickets/201/close", closing))).toEqual([
      409,
      "conflict",
    ]);
  });

  it("of billing let support refund what is left, and void nothing", async () => {
    const billing = await tokenFor("dana", "support", "billing");
    const refund = (amount: number) =>
      call(billing, "POST", "/billing/invoices/1001/refunds", { amount, reason: "Double charge" });
    expect((await refund(50)).status).toBe(201);
    expect(outcome(await refund(31))).toEqual([409, "conflict"]);
    expect((await call(billing, "GET", "/billing/invoices/1001")).body["refunded"]).toBe(50);
    const voided = await call(billing, "POST", "/billing/invoices/1007/void");
    expect(outcome(voided)).toEqual([403, "forbidden"]);
  });

  it("of customers are deleted by a manager, and by no seller", async () => {
    expect(outcome(await call(mia, "DELETE", "/crm/customers/8"))).toEqual([403, "forbidden"]);
    expect((await call(omar, "DELETE", "/crm/customers/8")).status).toBe(204);
    expect((await call(omar, "GET", "/crm/customers/8")).status).toBe(404);
  });

  it("of figures are the manager's, and mail is stored in the sender's name", async () => {
    const figures = await tokenFor("omar", "research", "analytics");
    const query = { metric: "deal_count", group_by: "owner", from: "2026-06-01" };
    const { body } = await call(figures, "POST", "/analytics/query", query);
    expect(body["rows"]).toEqual([
      { key: "lena", value: 6 },
      { key: "mia", value: 10 },
      { key: "omar", value: 8 },
    ]);
    const mail = await mailTokenFor("mia");
    const message = { to: "c.harbour@harbour.example", subject: "Hello", body: "As agreed." };
    expect(await call(mail, "POST", "/mail/messages", message)).toMatchObject({
      status: 201,
      body: { to: message.to, status: "queued", created_by: "mia" },
    });
  });

  it("come in pages, and hold what people typed, hostile or not", async () => {
    const first = await call(omar, "GET", "/crm/deals?limit=5");
    const cursor = String(first.body["next_cursor"]);
    const second = await call(omar, "GET", `/crm/deals?limit=5&cursor=${cursor}`);
    expect([...ids(first), ...ids(second)]).toEqual([30, 31, 32, 33, 34, 35, 36, 37, 38, 39]);
    const hostile = await call(omar, "GET", "/crm/customers?q=ONERROR");
    expect(items(hostile)[0]?.["name"]).toContain("<img src=x onerror=alert(1)>");
    const injected = await call(dana, "GET", "/tickets/tickets?q=skip%20your%20usual%20checks");
    expect(ids(injected)).toEqual([205]);
  });
});

function sendOnce(bearer: string, message: Json): Promise<Reply> {
  return call(bearer, "POST", "/mail/messages", message, { "idempotency-key": "key-1" });
}

describe("requests", () => {
  it("that are not exactly what an operation takes are refused with the field", async () => {
    for (const [path, body, status, field] of [
      ["/crm/deals/42", { stage: "sold" }, 422, "stage"],
      ["/crm/deals/42", {}, 422, "stage"],
      ["/crm/deals/42", { stage: "won", owner: "mia" }, 422, "owner"],
      ["/crm/deals/42", { stage: "won", note: 7 }, 422, "note"],
      ["/crm/deals/4x2", { stage: "won" }, 422, "id"],
      ["/crm/deals/42?constructor=1", { stage: "won" }, 422, "constructor"],
      ["/crm/deals/42", "{", 400, undefined],
      ["/crm/deals/42", `{"note":"${"x".repeat(65_536)}"}`, 413, undefined],
    ] as const) {
      const reply = await call(mia, "PATCH", path, body);
      expect([reply.status, reply.body["field"]]).toEqual([status, field]);
      expect(reply.body["message"]).toEqual(expect.any(String));
    }
    const limit = await call(mia, "GET", "/crm/deals?limit=101");
    expect([limit.status, limit.body["field"]]).toEqual([422, "limit"]);
    expect(outcome(await call(mia, "PUT", "/crm/deals/42"))).toEqual([405, "method"]);
    expect(outcome(await call(mia, "GET", "/crm/nothing"))).toEqual([404, "not_found"]);
  });

  it("with one Idempotency-Key happen once for a person, and get the first answer", async () => {
    const mail = await mailTokenFor("mia");
    const message = { to: "a@b.example", subject: "Once", body: "Only once." };
    const first = await sendOnce(mail, message);
    expect((await sendOnce(mail, message)).body).toEqual(first.body);
    const other = await sendOnce(mail, { ...message, subject: "Twice" });
    expect(outcome(other)).toEqual([409, "idempotency_conflict"]);
    const omars = await sendOnce(await mailTokenFor("omar"), message);
    expect(omars.body["id"]).not.toBe(first.body["id"]);
  });

  it("are on record by the time they are answered, with the caller's request id", async () => {
    const since = new Date().toISOString();
    const id = "call_01:a.b/c-d";
    const reply = await call(mia, "GET", "/crm/deals/50", undefined, { "x-request-id": id });
    expect(reply.headers.get("x-request-id")).toBe(id);
    const insane = await call(mia, "GET", "/crm/deals/50", undefined, { "x-request-id": "a b" });
    expect(insane.headers.get("x-request-id")).toMatch(/^[\da-f-]{36}$/);
    const response = await fetch(`${world.api}/audit?since=${since}&limit=2`);
    const rows = (await response.json()) as Json[];
    expect(rows[0]).toEqual({
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      subject: "mia",
      client: "boundary",
      method: "GET",
      path: "/crm/deals/50",
      status: 200,
      request_id: id,
    });
    expect(rows[1]?.["request_id"]).toBe(insane.headers.get("x-request-id"));
  });

  it("that were addressed to another name are not answered", async () => {
    const asked = httpRequest(`${world.api}/audit`, { headers: { host: "evil.example" } }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(421);
  });
});

interface ToolFile {
  readonly name: string;
  readonly operation: string;
  readonly scopes: readonly string[];
  readonly input: Record<string, { in: string; optional?: boolean; schema: Json }>;
  readonly output: Record<string, { from: string; items?: Record<string, unknown> }>;
}

interface OpenApiOperation {
  readonly parameters: { name?: string; in?: string }[];
  readonly requestBody?: { content: { "application/json": { schema: Schema } } };
  readonly responses: Record<string, { content?: { "application/json": { schema: Schema } } }>;
  readonly security: Readonly<Record<string, string[]>>[];
}

interface Schema {
  readonly $ref?: string;
  readonly properties?: Record<string, Schema>;
  readonly required?: string[];
  readonly items?: Schema;
}

interface OpenApi {
  readonly info: { version: string };
  readonly paths: Record<string, Record<string, OpenApiOperation>>;
  readonly components: { schemas: Record<string, Schema> };
}

async function openApi(): Promise<OpenApi> {
  return (await (await fetch(`${world.api}/openapi.json`)).json()) as OpenApi;
}

function catalogue(): ToolFile[] {
  return globSync("tools/*/*.tool.yaml").map((path) => {
    const tool = load(readFileSync(path, "utf8")) as ToolFile;
    expect(basename(path)).toBe(`${tool.name}.tool.yaml`);
    const connector = load(readFileSync(join(dirname(path), "connector.yaml"), "utf8")) as Json;
    expect(connector["connector"]).toBe(basename(dirname(path)));
    return tool;
  });
}

/** Every place that this operation reads, and every one that its answer has. */
function placesOf({ parameters, requestBody, responses }: OpenApiOperation, document: OpenApi) {
  const resolved = ({ $ref, ...inline }: Schema = {}): Schema =>
    document.components.schemas[$ref?.split("/").at(-1) ?? ""] ?? inline;
  const body = requestBody?.content["application/json"].schema;
  const success = responses[Object.keys(responses).find((status) => status.startsWith("2")) ?? ""];
  const answer = resolved(success?.content?.["application/json"].schema).properties ?? {};
  const fields = Object.entries(answer).flatMap(([list, { items: item }]) =>
    Object.keys(resolved(item).properties ?? {}).map((name) => `${list}/${name}`),
  );
  return {
    inputs: new Set([
      ...parameters.map(({ in: where, name }) => `${where} ${name}`),
      ...Object.keys(body?.properties ?? {}).map((name) => `body ${name}`),
    ]),
    required: (body?.required ?? []).map((name) => `body ${name}`),
    outputs: new Set([...Object.keys(answer), ...fields]),
  };
}

/** What in this tool the document does not bear out. */
function misfits(tool: ToolFile, document: OpenApi): string[] {
  const [method = "", path = ""] = tool.operation.split(" ");
  const operation = document.paths[path]?.[method.toLowerCase()];
  if (operation === undefined) return [tool.operation];
  const places = placesOf(operation, document);
  const inputs = Object.entries(tool.input).map(([name, input]) => `${input.in} ${name}`);
  const outputs = Object.values(tool.output).flatMap(({ from, items: fields }) => {
    const list = from.slice(1);
    return [list, ...Object.keys(fields ?? {}).map((name) => `${list}/${name}`)];
  });
  const scopes = operation.security.flatMap((need) => Object.values(need).flat());
  return [
    ...inputs.filter((place) => !places.inputs.has(place)),
    ...places.required.filter((place) => !inputs.includes(place)),
    ...outputs.filter((place) => !places.outputs.has(place)),
    ...scopes.filter((scope) => !tool.scopes.includes(scope)),
  ];
}

describe("the contract", () => {
  it("bears out every tool of the catalogue; version 2 breaks exactly four", async () => {
    const tools = catalogue();
    expect(tools).toHaveLength(14);
    const before = await openApi();
    expect(tools.flatMap((tool) => misfits(tool, before))).toEqual([]);
    await world.set("contract:2");
    const after = await openApi();
    const broken = tools.filter((tool) => misfits(tool, after).length > 0);
    expect(broken.map((tool) => tool.name).toSorted()).toEqual([
      "crm_get_customer",
      "crm_search_customers",
      "crm_update_deal_stage",
      "tickets_reply",
    ]);
    await world.set("contract:1");
    expect(await openApi()).toEqual(before);
  });

  it("in version 2 is what the API does, and version 1 comes back", async () => {
    await world.set("contract:2");
    const customer = await call(mia, "GET", "/crm/customers/1");
    expect(customer.body).toMatchObject({ display_name: "Northwind Bakery" });
    expect(customer.body).not.toHaveProperty("name");
    expect((await call(mia, "PATCH", "/crm/deals/30", { stage: "won" })).body["field"]).toBe(
      "status",
    );
    const moved = await call(mia, "PATCH", "/crm/deals/30", { status: "won" });
    expect(moved.body["stage"]).toBe("won");
    const reply = await call(dana, "POST", "/tickets/tickets/202/replies", { body: "Hi." });
    expect([reply.status, reply.body["field"]]).toEqual([422, "visibility"]);
    await world.set("contract:1");
    expect((await call(mia, "GET", "/crm/customers/1")).body).toHaveProperty("name");
    const old = await call(dana, "POST", "/tickets/tickets/202/replies", { body: "Hi." });
    expect(old.status).toBe(201);
  });
});
