// A code tool through the whole path: as the user, through the broker, and on record.
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { askLocal } from "../../src/console/local.ts";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { toolText } from "../setup/code.ts";
import { callTool } from "../setup/mcp-post.ts";
import { expectNoEcho } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

const WRITES = {
  effects: "{ readOnly: false, destructive: false, idempotent: true, openWorld: false }",
  uses: '["GET /items", "POST /items/{id}"]',
};
const ASK = 'await api.request("GET /items/{id}/card", { path: { id: 7 } })';
const CODE = {
  two_requests: toolText("two_requests", {
    run: `
      const card = ${ASK};
      const found = await api.request("GET /items", { query: { q: input.id, tags: ["a", "b"] } });
      log("asked", { secret: "what-the-log-says" });
      return { value: card.name + " " + found.id };`,
  }),
  undeclared: toolText("undeclared", {
    run: 'await api.request("GET /admin"); return { value: "" };',
  }),
  catches: toolText("catches", {
    run: `
      try { await api.request("DELETE /items"); } catch (error) {
        return { value: [error.name, error.code, error.status ?? "-"].join(" ") };
      }`,
  }),
  catches_answer: toolText("catches_answer", {
    run: `
      try { ${ASK}; } catch (error) { return { value: error.name + " " + error.code }; }
      return { value: "not refused" };`,
  }),
  refused_later: toolText("refused_later", { run: `${ASK}; return { value: "" };` }),
  throws: toolText("throws", { run: 'throw new TypeError("canary-in-a-message " + input.id);' }),
  wrong_shape: toolText("wrong_shape", { run: "return { value: 7 };" }),
  no_shape: toolText("no_shape", { run: "return undefined;" }),
  hangs: toolText("hangs", {
    change: { limits: "{ timeout_ms: 300 }" },
    run: "await new Promise(() => undefined);",
  }),
  loops: toolText("loops", { change: { limits: "{ timeout_ms: 300 }" }, run: "for (;;) {}" }),
  floods: toolText("floods", { run: 'for (;;) log("x".repeat(1000));' }),
  asks_much: toolText("asks_much", { run: `for (;;) ${ASK};` }),
  large: toolText("large", { run: 'return { value: "x".repeat(5_000_000) };' }),
  rejects_alone: toolText("rejects_alone", {
    run: 'void Promise.reject(new Error("canary-in-a-message")); await new Promise(() => 0);',
  }),
  console_tool: toolText("console_tool", {
    run: 'console.log("x"); return { value: typeof process };',
  }),
  writes: toolText("writes", {
    change: WRITES,
    run: `
      await api.request("POST /items/{id}", { path: { id: "a b" }, body: { n: 1 } });
      if (input.id === "throw") throw new Error("after the write");
      return { value: "done" };`,
  }),
  counts: toolText("counts", {
    head: "let calls = 0;",
    run: "calls += 1; return { value: String(calls) };",
  }),
  path_attack: toolText("path_attack", {
    run: `
      const said = [];
      for (const id of ["..", ".", "", "a/b", "a?b", "a#b", "%2e%2e", "\\u0000", "\\ud800"]) {
        try {
          await api.request("GET /items/{id}/card", { path: { id } });
          said.push("sent");
        } catch (error) { said.push(error.code); }
        if (said.length === 4) break;
      }
      return { value: said.join(" ") };`,
  }),
} as const;

let boundary: Boundary;
let token: string;

beforeAll(async () => {
  boundary = await openBoundary({ code: CODE, isolation: { code_tools: "process" } });
  token = await boundary.token("desk");
});

beforeEach(() => boundary.api.behave());

afterAll(() => boundary.close());

function call(name: keyof typeof CODE, args: object = {}, as = token) {
  return callTool(`${boundary.url}/mcp/desk`, `Bearer ${as}`, name, args);
}

function recordOf(call_id: string, kind = "outcome") {
  return boundary.ledger().find((line) => line["call_id"] === call_id && line["kind"] === kind);
}

describe("a code tool", () => {
  verifies(
    "sandbox.code-tool",
    "its requests go out as the user, and are in its record",
    async () => {
      const called = await call("two_requests", { id: "x" });
      expect(called.result).toEqual({ value: "a lamp 7" });
      expect(boundary.api.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
        "GET /items/7/card",
        "GET /items?q=x&tags=a&tags=b",
      ]);
      for (const { headers } of boundary.api.seen) {
        expect(headers["x-request-id"]).toBe(called.call_id);
        expect(headers.authorization).toMatch(/^Bearer eyJ/);
        expectNoEcho((headers.authorization ?? "").slice(7), called.text, boundary.logged());
      }
      const origin = boundary.api.origin;
      expect(recordOf(called.call_id)?.["downstream"]).toEqual([
        { method: "GET", url: `${origin}/items/7/card`, status: 200, request_id: called.call_id },
        { method: "GET", url: `${origin}/items`, status: 200, request_id: called.call_id },
      ]);
      const intent = recordOf(called.call_id, "intent");
      expect(intent).toMatchObject({ tool: "two_requests", args: { id: "x" } });
      expect(intent?.["isolation"]).toMatch(/^process \(probed at start: 18 attempts refused;/);
    },
  );

  verifies(
    "sandbox.code-tool",
    "what it logs is sealed in the ledger, and in no answer",
    async () => {
      const called = await call("two_requests", { id: "x" });
      const log = boundary.ledger().findLast((line) => line["event"] === "tool_log");
      expect(log).toMatchObject({ detail: { call_id: called.call_id, tool: "two_requests" } });
      const all = JSON.stringify(boundary.ledger()) + boundary.logged() + called.text;
      expect(all).not.toContain("what-the-log-says");
      // An auditor with a reason reads it beside the rest of the call.
      const asked = { os_user: "a test", call_id: called.call_id, reason: "a test" };
      const { record } = (await askLocal(boundary.data, "core", "/audit/reveal", asked)) as {
        record: { tool_log: unknown };
      };
      expect(JSON.stringify(record.tool_log)).toContain("what-the-log-says");
    },
  );

  verifies("sandbox.code-tool", "an operation that uses does not list is refused", async () => {
    const called = await call("undeclared");
    expect(called.error).toMatchObject({ code: "egress_refused", effect: "none" });
    expect(called.error?.message).toContain("GET /admin");
    expect((await call("catches")).result).toEqual({ value: "ApiError egress_refused -" });
    expect(boundary.api.seen).toEqual([]);
  });

  verifies("sandbox.code-tool", "no path value leaves its segment", async () => {
    const { result } = await call("path_attack");
    expect(result).toEqual({ value: "egress_refused egress_refused egress_refused sent" });
    expect(boundary.api.seen.map(({ url }) => url)).toEqual(["/items/a%2Fb/card"]);
  });

  verifies(
    "sandbox.code-tool",
    "a refusal of the API that it does not catch is its own end",
    async () => {
      boundary.api.answer = (res) => res.writeHead(403).end("{}");
      const called = await call("refused_later");
      expect(called.error).toMatchObject({ code: "downstream_error", details: { status: 403 } });
      expect(recordOf(called.call_id)).toMatchObject({ outcome: "downstream_error" });
    },
  );

  const UNFIT: Readonly<Record<string, string>> = {
    "a key __proto__": '{"name":{"__proto__":{"a":1}}}',
    "nesting without end": `{"name":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
  };
  for (const [what, body] of Object.entries(UNFIT)) {
    verifies("sandbox.code-tool", `an answer with ${what} can be caught`, async () => {
      boundary.api.answer = (res) => res.writeHead(200).end(body);
      const caught = await call("catches_answer");
      expect(caught.result).toEqual({ value: "ApiError contract_drift" });
      const called = await call("refused_later");
      expect(called.error).toMatchObject({ code: "contract_drift", effect: "none" });
    });
  }

  verifies(
    "broker.token-echo",
    "a token that the API gives back never reaches a worker",
    async () => {
      boundary.api.answer = (res, { headers }) =>
        res.writeHead(200).end(JSON.stringify({ name: headers.authorization, id: "7" }));
      const called = await call("two_requests", { id: "x" });
      expect(called.error).toMatchObject({ code: "credential_exposed" });
      boundary.api.answer = undefined;
      expect(boundary.api.seen).toHaveLength(1);
    },
  );

  verifies(
    "sandbox.code-tool",
    "a write that failed later says that something may have happened",
    async () => {
      const done = await call("writes", { id: "fine" });
      expect(done.result).toEqual({ value: "done" });
      const [seen] = boundary.api.seen;
      expect([seen?.url, seen?.body]).toEqual(["/items/a%20b", '{"n":1}']);
      const { origin } = boundary.api;
      expect(recordOf(done.call_id)).toMatchObject({
        effect: "done",
        downstream: [{ method: "POST", url: `${origin}/items/{id}` }],
      });
      const failed = await call("writes", { id: "throw" });
      expect(failed.error).toMatchObject({ code: "tool_error", effect: "unknown" });
    },
  );

  verifies(
    "sandbox.worker-owner",
    "one session's calls share a worker, another's do not",
    async () => {
      const values = [];
      for (let i = 0; i < 3; i++) values.push((await call("counts")).result?.["value"]);
      expect(values).toEqual(["1", "2", "3"]);
      const other = await boundary.token("desk", { sub: "bob", sid: "sign-in-2", name: "Bob" });
      expect((await call("counts", {}, other)).result).toEqual({ value: "1" });
      const again = await boundary.token("desk", { sid: "sign-in-3" });
      expect((await call("counts", {}, again)).result).toEqual({ value: "1" });
      const promoted = await boundary.token("desk", {
        org: { tenant: "acme", roles: ["staff", "reader"] },
      });
      expect((await call("counts", {}, promoted)).result).toEqual({ value: "1" });
      expect((await call("counts")).result).toEqual({ value: "1" });
    },
  );
});

describe("a tool that misbehaves", () => {
  const ENDS: readonly (readonly [keyof typeof CODE, string])[] = [
    ["throws", "tool_error"],
    ["wrong_shape", "tool_error"],
    ["no_shape", "tool_error"],
    ["hangs", "timeout"],
    ["loops", "timeout"],
    ["floods", "resource_limit"],
    ["asks_much", "resource_limit"],
    ["large", "tool_error"],
    ["rejects_alone", "tool_error"],
  ];
  for (const [name, code] of ENDS) {
    verifies(
      "sandbox.tool-fails",
      `${name}: its call ends with ${code}, and the next one works`,
      async () => {
        const called = await call(name, { id: "some-text" });
        expect(called.error).toMatchObject({ code, effect: "none" });
        expect(recordOf(called.call_id)).toMatchObject({ error_code: code });
        const said = called.text + boundary.logged() + JSON.stringify(boundary.ledger());
        expect(said).not.toContain("canary-in-a-message");
        expect((await call("console_tool")).result).toEqual({ value: "undefined" });
      },
    );
  }
});
