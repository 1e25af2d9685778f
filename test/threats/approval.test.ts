// Calls that need a human's yes: a client that the operator trusts to ask, clients that he does
// not, and what becomes of a yes when things go wrong after it.
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernHttp,
} from "@modelcontextprotocol/client";
import { Client as OlderClient } from "@modelcontextprotocol/sdk/client/index.js";
import * as older_http from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from "vitest";
import { askLocal } from "../../src/console/local.ts";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import type { Claims } from "../setup/hostile-provider.ts";
import { callTool, mcpHeaders, post, rpc } from "../setup/mcp-post.ts";
import { stopDesk } from "../setup/stop-desk.ts";
import { verifies } from "../verifies.ts";

const TRUSTED = "an-ide";
const FREE = { calls: 100_000, per_s: 60, burst: 10_000 };
const CALL = { name: "item_rename", arguments: { id: "7", name: "a\u202e lamp" } };
const IDENTITY = { name: "asks itself", version: "1" };
const FORMS = { capabilities: { elicitation: { form: {} } } };
const YES = { action: "accept" as const, content: { approve: true } };

let boundary: Boundary;
let users = 0;
let who: Claims;

beforeAll(async () => {
  const tools = { item_get: {}, item_rename: { approve: "human" } };
  boundary = await openBoundary({
    issuer: { trusted_to_ask: [TRUSTED] },
    file: {
      agents: { desk: { title: "The desk", purpose: "x", tools } },
      roles: { staff: { desk: "all" } },
      limits: {
        requests_per_user: FREE,
        calls_per_user: FREE,
        calls_per_session: FREE,
        calls_per_user_and_tool: { calls: 2, per_s: 60, burst: 2 },
        approvals_per_user_max: 3,
      },
    },
  });
});

// A user of its own for each test: limits are per user.
beforeEach(() => {
  users++;
  who = { sub: `ada-${users}`, sid: `sign-in-${users}` };
});
afterEach(() => boundary.api.behave());
afterAll(() => boundary.close());

async function place(client_id = TRUSTED) {
  const token = await boundary.token("desk", { ...who, client_id });
  const url = new URL(`${boundary.url}/mcp/desk`);
  return { url, requestInit: { headers: { authorization: `Bearer ${token}` } } };
}

type Call = typeof CALL & { readonly _meta?: Record<string, unknown> };

interface Result {
  readonly isError?: boolean | undefined;
  readonly structuredContent?: unknown;
  readonly [other: string]: unknown;
}

interface Asking {
  /** What it was asked, in order. */
  readonly asked: string[];
  call(call?: Call): Promise<Result>;
  close(): Promise<void>;
}

type Answer = () => typeof YES | { action: "decline" } | { action: "cancel" };
type MaybeLater = (message: string) => Promise<ReturnType<Answer>> | ReturnType<Answer>;

async function modern(answer: MaybeLater, client_id?: string): Promise<Asking> {
  const asked: string[] = [];
  const versionNegotiation = { mode: { pin: "2026-07-28" } };
  const client = new ModernClient(IDENTITY, { versionNegotiation, ...FORMS });
  client.setRequestHandler("elicitation/create", ({ params }) => {
    asked.push(params.message);
    return answer(params.message);
  });
  const { url, requestInit } = await place(client_id);
  await client.connect(new ModernHttp(url, { requestInit }));
  return { asked, call: (call = CALL) => client.callTool(call), close: () => client.close() };
}

async function older(answer: MaybeLater, client_id?: string): Promise<Asking> {
  const asked: string[] = [];
  const client = new OlderClient(IDENTITY, FORMS);
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    asked.push(params.message);
    return answer(params.message);
  });
  const { url, requestInit } = await place(client_id);
  await client.connect(new older_http.StreamableHTTPClientTransport(url, { requestInit }));
  return { asked, call: (call = CALL) => client.callTool(call), close: () => client.close() };
}

const ERAS = { "2026-07-28": modern, "2025-11-25": older } as const;

const codeOf = ({ structuredContent }: Result): string | undefined =>
  (structuredContent as { error?: { code: string } } | undefined)?.error?.code;

/** The `approval` events of this test's user. */
function said(): Claims[] {
  const events = boundary.ledger().filter(({ event }) => event === "approval");
  const details = events.map(({ detail }) => detail as Claims);
  return details.filter(({ subject }) => subject === who["sub"]);
}

function records(kind: string): Claims[] {
  return boundary
    .ledger()
    .filter((line) => line["kind"] === kind && line["subject"] === who["sub"]);
}

for (const [era, open] of Object.entries(ERAS)) {
  describe(era, () => {
    verifies(
      ["approval.elicited", "approval.recorded", "approval.shown"],
      `${era}: a client that is trusted to ask shows the call as it is, and a yes runs it once`,
      async () => {
        const client = await open(() => YES);
        expect(await client.call()).toMatchObject({ structuredContent: { id: "7" } });
        expect(client.asked).toHaveLength(1);
        expect(client.asked[0]).toContain(
          "The desk asks to do this in your name, once: item_rename",
        );
        expect(client.asked[0]).toContain('name: "a<U+202E> lamp"');
        expect(client.asked[0]).toContain("PATCH /items/7");
        expect(boundary.api.seen).toHaveLength(1);
        const [given] = said();
        expect(given).toMatchObject({ what: "given", where: "client", client_id: TRUSTED });
        const [intent] = records("intent");
        expect(intent).toMatchObject({ approved_by: who["sub"], approval: given?.["approval"] });
        // The next one is another call: it is asked again.
        await client.call();
        expect(client.asked).toHaveLength(2);
        await client.close();
      },
    );

    verifies(
      ["resend.checked", "resend.once"],
      `${era}: a call that is sent again asks nobody a second time, and takes no second call`,
      async () => {
        const client = await open(() => YES);
        const keyed = { ...CALL, _meta: { "doorless/idempotency_key": "once" } };
        const first = await client.call(keyed);
        expect(first).toMatchObject({ structuredContent: { id: "7" } });
        // Two calls of this tool are allowed, in all.
        for (let i = 0; i < 3; i++) {
          const again = await client.call(keyed);
          expect(again.structuredContent).toEqual(first.structuredContent);
          expect(again["_meta"]).toMatchObject({ "doorless/replayed": true });
        }
        expect(client.asked).toHaveLength(1);
        expect(boundary.api.seen).toHaveLength(1);
        const other = { ...CALL, _meta: { "doorless/idempotency_key": "another" } };
        expect(await client.call(other)).toMatchObject({ structuredContent: { id: "7" } });
        expect(client.asked).toHaveLength(2);
        await client.close();
      },
    );

    verifies(
      ["approval.elicited", "approval.declined"],
      `${era}: a no is a no, and closing the question is no answer`,
      async () => {
        const answers = [{ action: "cancel" as const }, { action: "decline" as const }];
        const client = await open(() => answers.shift() ?? YES);
        expect(codeOf(await client.call())).toBe("confirmation_required");
        expect(codeOf(await client.call())).toBe("confirmation_declined");
        expect(codeOf(await client.call())).toBe("confirmation_declined");
        expect(client.asked).toHaveLength(2);
        expect(boundary.api.seen).toEqual([]);
        expect(said().map(({ what }) => what)).toEqual(["declined"]);
        await client.close();
      },
    );

    verifies(
      "approval.elicited",
      `${era}: a client that nobody listed is not asked, and gets the link`,
      async () => {
        const client = await open(() => YES, "some-other-client");
        const result = await client.call();
        expect(codeOf(result)).toBe("confirmation_required");
        expect(JSON.stringify(result)).toContain(`${boundary.url}/approve/`);
        expect(client.asked).toEqual([]);
        await client.close();
      },
    );

    verifies(
      ["approval.voided", "approval.elicited"],
      `${era}: whoever is locked while she reads has said yes to nothing`,
      async () => {
        const desk = stopDesk(boundary);
        const what = `user:${boundary.provider.issuer}#${String(who["sub"])}`;
        const client = await open(async () => {
          await desk.lock(what);
          return YES;
        });
        expect(codeOf(await client.call())).toBe("locked");
        await desk.unlock(what);
        expect(boundary.api.seen).toEqual([]);
        expect(said().map(({ what: it }) => it)).toEqual(["voided"]);
        await client.close();
      },
    );
  });
}

/** One call of 2026-07-28, with an answer that nobody was asked for. */
async function raw(client_id: string, more: Claims, call = CALL) {
  const { requestInit } = await place(client_id);
  const capabilities = {
    "io.modelcontextprotocol/clientCapabilities": { elicitation: { form: {} } },
  };
  const body = rpc("tools/call", { ...call, ...more }, capabilities);
  const headers = { ...mcpHeaders("tools/call", call.name), ...requestInit.headers };
  const { message } = await post(`${boundary.url}/mcp/desk`, headers, JSON.stringify(body));
  return message?.["result"] as Claims & Result;
}

const idOf = ({ structuredContent }: Result): string =>
  (structuredContent as { error: { details: { approval: string } } }).error.details.approval;
const answerTo = (approval: string): Claims => ({
  inputResponses: { approve: YES },
  requestState: approval,
});

/** A question as one without forms gets it: named in the error. */
async function question(call = CALL): Promise<string> {
  return idOf(await raw(TRUSTED, { inputResponses: {} }, call));
}

verifies(
  "approval.yours-alone",
  "a client that is not trusted cannot answer for its user, whatever it sends",
  async () => {
    const first = await raw("another", {});
    expect(codeOf(first)).toBe("confirmation_required");
    expect(codeOf(await raw("another", answerTo(idOf(first))))).toBe("confirmation_required");
    expect(boundary.api.seen).toEqual([]);
    expect(said()).toEqual([]);
  },
);

verifies(
  ["approval.elicited", "approval.bound"],
  "a trusted client's answer counts for the question that was put, and for no other",
  async () => {
    const asked = await question();
    const other = { ...CALL, arguments: { ...CALL.arguments, id: "8" } };
    const more = [
      raw(TRUSTED, answerTo(asked), other),
      raw(TRUSTED, answerTo("A".repeat(43))),
      raw(TRUSTED, { inputResponses: { approve: YES } }),
    ];
    const codes = (await Promise.all(more)).map((result) => codeOf(result));
    expect(codes).toEqual(codes.map(() => "confirmation_required"));
    expect(boundary.api.seen).toEqual([]);
    expect(await raw(TRUSTED, answerTo(asked))).toMatchObject({ structuredContent: { id: "7" } });
    // The same answer once more: a client that repeats itself has no second yes.
    expect(codeOf(await raw(TRUSTED, answerTo(asked)))).toBe("confirmation_required");
  },
);

verifies(
  ["approval.once", "approval.bound"],
  "of twenty calls at once one uses the yes; what the API then fails is not tried again with it",
  async () => {
    boundary.api.answer = (res) => void res.writeHead(500).end();
    const asked = await question();
    const all = await Promise.all(Array.from({ length: 20 }, () => raw(TRUSTED, answerTo(asked))));
    expect(boundary.api.seen.length).toBe(1);
    const failed = all.filter((result) => codeOf(result) === "downstream_error");
    expect(failed).toHaveLength(1);
    expect(JSON.stringify(failed)).toMatch(/approval is used up: another try needs another/);
    expect(codeOf(await raw(TRUSTED, answerTo(asked)))).toBe("confirmation_required");
    expect(boundary.api.seen.length).toBe(1);
  },
);

verifies("approval.once", "a call that a limit refuses leaves the yes for the next", async () => {
  const client = await modern(() => YES);
  const rename = (id: string) => client.call({ ...CALL, arguments: { id, name: "x" } });
  for (const id of ["1", "2"]) expect(codeOf(await rename(id))).toBeUndefined();
  expect(codeOf(await rename("3"))).toBe("rate_limited");
  boundary.pass(61_000);
  expect(codeOf(await rename("3"))).toBeUndefined();
  expect(client.asked).toHaveLength(3);
  await client.close();
});

verifies(
  ["limits.repeats", "approval.human"],
  "a client may ask thirty times whether the human has said yes; after that the yes still counts",
  async () => {
    const asked = await question();
    for (let i = 1; i < 30; i++) {
      expect(codeOf(await raw(TRUSTED, { inputResponses: {} }))).toBe("confirmation_required");
    }
    const repeated = await raw(TRUSTED, { inputResponses: {} });
    expect(repeated.structuredContent).toMatchObject({
      error: { code: "loop_detected", details: { repeated: { kind: "same_call", times: 30 } } },
    });
    // Another question is not part of it, and neither is a call that is allowed.
    const other = { ...CALL, arguments: { id: "8", name: "x" } };
    expect(codeOf(await raw(TRUSTED, { inputResponses: {} }, other))).toBe("confirmation_required");
    expect(await raw(TRUSTED, answerTo(asked))).toMatchObject({ structuredContent: { id: "7" } });
    expect(codeOf(await raw(TRUSTED, { inputResponses: {} }))).toBe("confirmation_required");
  },
);

verifies("approval.expires", "a question that was not answered in time is over", async () => {
  const link = async (): Promise<unknown> => {
    const { structuredContent } = await raw("another", {});
    return (structuredContent as { error: { details: { url: string } } }).error.details.url;
  };
  const first = await link();
  expect(await link()).toBe(first);
  boundary.pass(600_000);
  expect(await link()).not.toBe(first);
  const [expired] = said();
  expect(expired).toMatchObject({ what: "expired", tool: "item_rename", agent: "desk" });
  // What people write is sealed here as it is in the calls' own records.
  expect(JSON.stringify(expired)).not.toContain("lamp");
});

verifies("approval.bounded", "one client's questions leave room for another's", async () => {
  const ask = (id: string, client = "another") =>
    raw(client, {}, { ...CALL, arguments: { id, name: "x" } });
  for (const id of ["1", "2"]) expect(codeOf(await ask(id))).toBe("confirmation_required");
  const full = (scope: string) => ({
    error: { code: "capacity", details: { limit: "approvals_per_user_max", scope } },
  });
  expect((await ask("3")).structuredContent).toMatchObject(full("user, agent and client"));
  expect(codeOf(await ask("3", "a-third"))).toBe("confirmation_required");
  expect((await ask("4", "a-third")).structuredContent).toMatchObject(full("user"));
  expect(codeOf(await ask("1"))).toBe("confirmation_required");
});

verifies("approval.human", "a dry run says that it would be asked, and asks nobody", async () => {
  const token = await boundary.token("desk", who);
  const dry = {
    os_user: "a test",
    agent: "desk",
    token,
    tool: CALL.name,
    args: CALL.arguments,
  };
  const answer = await askLocal(boundary.data, "core", "/dry-run", dry);
  const message = expect.stringMatching(/ This was a dry run, so nobody was asked\.$/) as string;
  expect(answer).toMatchObject({
    allowed: false,
    error: { code: "confirmation_required", message },
  });
  expect(JSON.stringify(answer)).not.toContain("/approve/");
});

verifies("approval.human", "a tool that needs no yes is asked for none", async () => {
  const { requestInit } = await place();
  const { error } = await callTool(
    `${boundary.url}/mcp/desk`,
    requestInit.headers.authorization,
    "item_get",
    { id: "7" },
  );
  expect(error).toBeUndefined();
});
