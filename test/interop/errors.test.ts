// Errors as an agent receives them: one shape, an honest effect, and nothing that leaks.
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { STACK } from "../setup/strangers.ts";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { callTool, mcpHeaders, post, rpc, toolCall } from "../setup/mcp-post.ts";
import { verifies } from "../verifies.ts";

const CANARY = "canary-body-8c1d";
let world: Boundary;
let token = "";

beforeAll(async () => {
  world = await openBoundary();
  token = await world.token("desk");
});
afterAll(() => world.close());
beforeEach(async () => {
  await world.api.behave();
  await world.provider.up();
  world.provider.behave();
});

const call = (name: string, args: unknown) =>
  callTool(`${world.url}/mcp/desk`, `Bearer ${token}`, name, args);
const read = () => call("item_get", { id: "7" });
const write = () => call("item_rename", { id: "7", name: "x" });

function answers(status: number, body: string): void {
  world.api.answer = (res) =>
    res.writeHead(status, { "content-type": "application/json" }).end(body);
}

interface Case {
  readonly what: string;
  readonly arrange: () => unknown;
  readonly ask: () => ReturnType<typeof call>;
  readonly code: string;
  readonly effect: string;
}

const CASES: readonly Case[] = [
  {
    what: "arguments that do not fit",
    arrange: () => undefined,
    ask: () => call("item_rename", { id: 7 }),
    code: "invalid_arguments",
    effect: "none",
  },
  {
    what: "a token that the provider will not give",
    arrange: () => {
      world.provider.on = {
        token: (_req, res) =>
          res
            .writeHead(400, { "content-type": "application/json" })
            .end(`{"error":"access_denied","error_description":"${CANARY}"}`),
      };
    },
    ask: write,
    code: "delegation_refused",
    effect: "none",
  },
  {
    what: "an API that is down, for a write",
    arrange: () => world.api.down(),
    ask: write,
    code: "downstream_unavailable",
    effect: "none",
  },
  {
    what: "an API at an address that must not be dialled",
    arrange: () => undefined,
    ask: () => call("metadata_get", {}),
    code: "egress_refused",
    effect: "none",
  },
  {
    what: "an API that breaks off after a write was sent",
    arrange: () => {
      world.api.answer = (res) => res.destroy();
    },
    ask: write,
    code: "downstream_unavailable",
    effect: "unknown",
  },
  {
    what: "an API that breaks off in a read",
    arrange: () => {
      world.api.answer = (res) => res.destroy();
    },
    ask: read,
    code: "downstream_unavailable",
    effect: "none",
  },
  {
    what: "an API that never answers a write",
    arrange: () => {
      world.api.answer = () => undefined;
    },
    ask: write,
    code: "timeout",
    effect: "unknown",
  },
  {
    what: "an API that fails a read in its own words",
    arrange: () => answers(500, `{"trace":"${CANARY} at /srv/app.js:1:1"}`),
    ask: read,
    code: "downstream_error",
    effect: "none",
  },
  {
    what: "an answer of another shape, to a read",
    arrange: () => answers(200, `{"id":{"${CANARY}":1}}`),
    ask: read,
    code: "contract_drift",
    effect: "none",
  },
  {
    what: "an answer of another shape, to a write",
    arrange: () => answers(200, `{"name":"${CANARY}"}`),
    ask: write,
    code: "contract_drift",
    effect: "done",
  },
];

describe("an error", () => {
  for (const { what, arrange, ask, code, effect } of CASES) {
    verifies(
      ["errors.shape", "errors.effect", "errors.no-leak"],
      `of ${what} is ${code}, effect ${effect}, one line and one object`,
      async () => {
        await arrange();
        const answer = await ask();
        expect(answer.status).toBe(200);
        const result = answer.message?.["result"] as Record<string, unknown>;
        expect(result["isError"]).toBe(true);
        expect(answer.error).toMatchObject({ code, effect, call_id: answer.call_id });
        const [content, ...more] = result["content"] as { type: string; text: string }[];
        expect(more).toEqual([]);
        expect(content).toEqual({ type: "text", text: `${code}: ${answer.error?.message}` });
        expect(content?.text).not.toContain("\n");
        expect(result["structuredContent"]).toEqual({ error: answer.error });
        expect(answer.text).not.toContain(CANARY);
        expect(answer.text).not.toMatch(STACK);
        expect(answer.text).not.toContain(token.split(".")[2]);
        const last = world.ledger().findLast((line) => line["call_id"] === answer.call_id);
        expect(last).toMatchObject({ error_code: code, effect });
      },
    );
  }
});

describe("a protocol error", () => {
  const ask = (body: string, headers: Record<string, string> = {}) =>
    post(
      `${world.url}/mcp/desk`,
      { ...mcpHeaders("tools/call", "x"), authorization: `Bearer ${token}`, ...headers },
      body,
    );

  verifies("errors.protocol", "is for an unknown tool: -32602 and its name", async () => {
    const { status, message } = await ask(JSON.stringify(toolCall("x", {})));
    expect({ status, error: message?.["error"] }).toMatchObject({
      error: { code: -32_602, message: "Unknown tool: x" },
    });
    expect(message).not.toHaveProperty("result");
  });

  for (const key of [5, { a: 1 }, "", null, "k".repeat(257)]) {
    const said = JSON.stringify(key).slice(0, 20);
    verifies(
      "errors.protocol",
      `is for the idempotency key ${said}: it is used, or refused`,
      async () => {
        const meta = { "doorless/idempotency_key": key };
        const body = JSON.stringify(toolCall("item_get", { id: "7" }, meta));
        const { message } = await ask(body, { "mcp-name": "item_get" });
        expect(message).toMatchObject({
          error: { code: -32_602, message: expect.stringContaining("text of 1 to 256 characters") },
        });
      },
    );
  }

  verifies("errors.protocol", "is for what is no strict JSON: 400 and -32700", async () => {
    const { status, message } = await ask('{"jsonrpc":"2.0","id":1,"id":2}');
    expect(status).toBe(400);
    expect(message).toMatchObject({
      id: null,
      error: { code: -32_700, data: { error: { code: "parse_error", effect: "none" } } },
    });
  });

  verifies("errors.protocol", "is for a missing credential: 401 and a challenge", async () => {
    const headers = mcpHeaders("tools/list");
    const body = JSON.stringify(rpc("tools/list"));
    const { status, headers: got } = await post(`${world.url}/mcp/desk`, headers, body);
    expect(status).toBe(401);
    expect(got.get("www-authenticate")).toMatch(/^Bearer /);
  });

  verifies("errors.protocol", "is for a provider that cannot be asked: 503", async () => {
    const stranger = await openBoundary();
    try {
      const its = await stranger.token("desk");
      await stranger.provider.down();
      const got = await callTool(`${stranger.url}/mcp/desk`, `Bearer ${its}`, "item_get", {});
      expect(got.status).toBe(503);
      expect(JSON.parse(got.text)).toMatchObject({ error: { code: "identity_unavailable" } });
    } finally {
      await stranger.close();
    }
  });
});

describe("one call", () => {
  verifies("house.traces", "has one trace: the client's, our record's and the API's", async () => {
    const trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    const above = "00f067aa0ba902b7";
    const meta = { traceparent: `00-${trace_id}-${above}-01` };
    const headers = {
      ...mcpHeaders("tools/call", "item_get"),
      authorization: `Bearer ${token}`,
    };
    const body = JSON.stringify(toolCall("item_get", { id: "7" }, meta));
    const { message } = await post(`${world.url}/mcp/desk`, headers, body);
    expect(message).toHaveProperty("result.structuredContent.id", "7");
    const sent = String(world.api.seen[0]?.headers["traceparent"]);
    expect(sent).toMatch(new RegExp(`^00-${trace_id}-[0-9a-f]{16}-01$`));
    expect(sent).not.toContain(above);
    expect(world.ledger().findLast((line) => line["kind"] === "intent")).toMatchObject({
      trace_id,
    });
    const steps = world.ledger().findLast((line) => line["kind"] === "outcome")?.["steps"];
    expect(Object.keys(steps as object)).toEqual([
      "who",
      "alive",
      "door",
      "arguments",
      "resent",
      "approval",
      "limits",
      "intent",
      "as_whom",
      "run",
      "contract",
      "release",
    ]);
  });

  verifies("house.health", "is counted in /metrics, for this machine and no proxy", async () => {
    await read();
    const get = async (path: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${world.url}${path}`, { headers });
      return { status: response.status, text: await response.text() };
    };
    expect((await get("/healthz")).status).toBe(200);
    expect((await get("/readyz")).status).toBe(200);
    const { text } = await get("/metrics");
    expect(text).toMatch(/^doorless_calls_total\{tool="item_get",outcome="ok"\} \d+$/m);
    expect(text).toMatch(/^doorless_ready 1$/m);
    expect(text).not.toMatch(/"ada"|Ada L|acme/);
    const proxied = await get("/metrics", { "x-forwarded-for": "203.0.113.9" });
    expect(proxied.status).toBe(403);
    expect(proxied.text).not.toContain("doorless_");
  });
});
