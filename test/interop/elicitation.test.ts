// A call that needs a connection, or a yes, sends its user to the page: as each era of clients can.
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernHttp,
} from "@modelcontextprotocol/client";
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js";
import * as older_http from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import {
  ElicitationCompleteNotificationSchema,
  McpError,
} from "@modelcontextprotocol/sdk/types.js";
import { afterAll, beforeAll, expect } from "vitest";
import { openHouse } from "../setup/house.ts";
import type { House } from "../setup/house.ts";
import { Visitor } from "../../src/cli/prove-visitor.ts";
import { verifies } from "../verifies.ts";
import { connectHttp, MODERN } from "./clients.ts";

const CALL = {
  name: "mail_send",
  arguments: { to: "c.harbour@harbour.example", subject: "Offer", body: "As agreed." },
};
/** Mail goes only to contacts of deals that this session has read. */
const READ = { name: "crm_get_deal", arguments: { id: 42 } };
const IDENTITY = { name: "with pages", version: "1" };
const URL_MODE = { capabilities: { elicitation: { url: {} } } };

let house: House;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.close());

async function place(person: string, agent = "sales") {
  const requestInit = {
    headers: { authorization: `Bearer ${await house.token(person, agent)}` },
  };
  return { at: new URL(house.ready.mcp[agent] ?? ""), requestInit };
}

async function modern(
  person: string,
  answer: (url: string) => Promise<"accept" | "decline">,
  agent?: string,
) {
  const { at, requestInit } = await place(person, agent);
  const versionNegotiation = { mode: { pin: MODERN } };
  const client = new ModernClient(IDENTITY, { versionNegotiation, ...URL_MODE });
  client.setRequestHandler("elicitation/create", async ({ params }) => {
    if (params.mode !== "url") throw new Error("not in URL mode");
    return { action: await answer(params.url) };
  });
  await client.connect(new ModernHttp(at, { requestInit }));
  return client;
}

verifies(
  "connections.elicited",
  "2026-07-28: the call asks, and goes through once connected",
  async () => {
    const asked: string[] = [];
    const client = await modern("omar", async (url) => {
      asked.push(url);
      expect((await new Visitor().connect(url, "omar")).html).toContain("Connected");
      return "accept";
    });
    await client.callTool(READ);
    const result = await client.callTool(CALL);
    expect(result.structuredContent).toMatchObject({ created_by: "omar" });
    expect(asked).toHaveLength(1);
    expect(asked[0]).not.toMatch(/omar|acme\.example/);
    await client.close();
  },
);

verifies(
  "connections.elicited",
  "2026-07-28: who says no gets the error, and is not asked again",
  async () => {
    let asked = 0;
    const client = await modern("mia", async () => {
      asked++;
      return "decline";
    });
    await client.callTool(READ);
    const result = await client.callTool(CALL);
    expect(result.isError).toBe(true);
    expect(result.structuredContent).toMatchObject({ error: { code: "connection_required" } });
    expect(asked).toBe(1);
    await client.close();
  },
);

verifies(
  "connections.elicited",
  "2025-11-25: error -32042 has the link, and its end is told",
  async () => {
    const { at, requestInit } = await place("mia");
    const client = new OlderClient(IDENTITY, URL_MODE);
    const done = Promise.withResolvers<string>();
    client.setNotificationHandler(ElicitationCompleteNotificationSchema, ({ params }) => {
      done.resolve(params.elicitationId);
    });
    await client.connect(new older_http.StreamableHTTPClientTransport(at, { requestInit }));
    await client.callTool(READ);
    const refused: unknown = await client.callTool(CALL).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(McpError);
    const { code, data } = refused as McpError;
    expect(code).toBe(-32042);
    const [one] = (data as { elicitations: { url: string; elicitationId: string }[] }).elicitations;
    await new Visitor().connect(one?.url ?? "", "mia");
    expect(await done.promise).toBe(one?.elicitationId);
    expect((await client.callTool(CALL)).structuredContent).toMatchObject({ created_by: "mia" });
    await client.close();
  },
);

verifies("connections.elicited", "a client without URL mode gets the link in words", async () => {
  for (const kind of ["v1", "v2 pinned"] as const) {
    const client = await connectHttp(kind, house.ready.mcp["sales"] ?? "", await revoked("mia"));
    await client.call(READ.name, READ.arguments);
    const { text, error } = await client.call(CALL.name, CALL.arguments);
    expect(error).toMatchObject({ code: "connection_required", retry: "after_user_action" });
    expect(text).toContain((error?.["details"] as { url?: string } | undefined)?.url);
    await client.close();
  }
});

/** A token of somebody whose link has just been taken away. */
async function revoked(person: string): Promise<string> {
  const visitor = new Visitor();
  const page = await visitor.signIn(
    `${new URL(house.ready.mcp["sales"] ?? "").origin}/connect/mail`,
    person,
  );
  if (page.html.includes("Disconnect")) await visitor.act("disconnect");
  return house.token(person, "sales");
}

const REFUND = {
  name: "billing_refund",
  arguments: { id: 1002, amount: 40, reason: "Half of it was charged twice" },
};

type Call = { name: string; arguments: Record<string, unknown> };

/** A refund is for a customer of one's own tickets, and of an invoice that one has read. */
async function readFirst(call: (call: Call) => Promise<unknown>): Promise<void> {
  await call({ name: "tickets_search", arguments: {} });
  await call({ name: "billing_get_invoice", arguments: { id: REFUND.arguments.id } });
}

verifies(
  ["approval.elicited", "approval.human"],
  "2026-07-28: a refund sends its user to the page, and goes through once she has said yes",
  async () => {
    const asked: string[] = [];
    const client = await modern(
      "dana",
      async (url) => {
        asked.push(url);
        const dana = new Visitor();
        await dana.signIn(url, "dana");
        expect((await dana.act("yes")).html).toContain("You said yes");
        return "accept";
      },
      "support",
    );
    await readFirst((call) => client.callTool(call));
    const result = await client.callTool(REFUND);
    expect(result.structuredContent).toMatchObject({ amount: 40, created_by: "dana" });
    expect(asked).toHaveLength(1);
    await client.close();
  },
);

verifies(
  ["approval.elicited", "approval.human"],
  "2025-11-25: error -32042 has the link to the question, and its answer is told",
  async () => {
    const { at, requestInit } = await place("dana", "support");
    const client = new OlderClient(IDENTITY, URL_MODE);
    const done = Promise.withResolvers<string>();
    client.setNotificationHandler(ElicitationCompleteNotificationSchema, ({ params }) => {
      done.resolve(params.elicitationId);
    });
    await client.connect(new older_http.StreamableHTTPClientTransport(at, { requestInit }));
    await readFirst((call) => client.callTool(call));
    const refused: unknown = await client.callTool(REFUND).catch((error: unknown) => error);
    const { data } = refused as McpError;
    const [one] = (data as { elicitations: { url: string; elicitationId: string }[] }).elicitations;
    const dana = new Visitor();
    await dana.signIn(one?.url ?? "", "dana");
    // Every question that waits for her has its place on one page.
    expect((await dana.go("/approve")).html).toContain("Refund an invoice");
    await dana.go(one?.url ?? "");
    await dana.act("yes");
    expect(await done.promise).toBe(one?.elicitationId);
    expect((await client.callTool(REFUND)).structuredContent).toMatchObject({ amount: 40 });
    await client.close();
  },
);
