// One user with one token and no manners: what he opens must leave room for everybody else.
import { afterAll, beforeAll, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { callTool, mcpHeaders, post, rpc } from "../setup/mcp-post.ts";
import { verifies } from "../verifies.ts";

const STREAMS_MAX = 4;
let boundary: Boundary;

beforeAll(async () => {
  boundary = await openBoundary({
    file: {
      http: {
        connections_max: 40,
        streams_per_user_max: STREAMS_MAX,
        requests_per_user_max: 16,
        strangers_per_address: { calls: 60, per_s: 3600, burst: 8 },
      },
      limits: { requests_per_user: { calls: 60, per_s: 3600, burst: 60 } },
    },
  });
});

afterAll(() => boundary.close());

const LISTEN = rpc("subscriptions/listen", { notifications: { toolsListChanged: true } });

verifies("limits.loop", "streams beyond a user's share are refused, others go on", async () => {
  const url = `${boundary.url}/mcp/desk`;
  const authorization = `Bearer ${await boundary.token("desk")}`;
  const stop = new AbortController();
  const open = async (): Promise<Response> => {
    const headers = { ...mcpHeaders("subscriptions/listen"), authorization };
    const init = { method: "POST", headers, body: JSON.stringify(LISTEN), signal: stop.signal };
    return fetch(url, init);
  };
  // Each answer is held on to: fetch hangs up on one that was collected, and its place is free.
  const answers = await Promise.all(Array.from({ length: 30 }, open));
  const counted = (status: number): number => answers.filter((a) => a.status === status).length;
  expect([counted(200), counted(503)]).toEqual([STREAMS_MAX, 30 - STREAMS_MAX]);
  const other = `Bearer ${await boundary.token("desk", { sub: "grace" })}`;
  expect((await callTool(url, other, "item_get", { id: "7" })).error).toBeUndefined();
  expect((await fetch(`${boundary.url}/healthz`)).status).toBe(200);
  stop.abort();
});

verifies("limits.loop", "initialize and ping take from the user's requests as well", async () => {
  const url = `${boundary.url}/mcp/desk`;
  const authorization = `Bearer ${await boundary.token("desk", { sub: "mallory" })}`;
  const headers = { ...mcpHeaders("server/discover"), authorization };
  const statuses: number[] = [];
  for (let i = 0; i < 70; i++) {
    statuses.push((await post(url, headers, JSON.stringify(rpc("server/discover")))).status);
  }
  expect(statuses.slice(0, 50)).not.toContain(429);
  expect(statuses.at(-1)).toBe(429);
  const told = await post(url, headers, JSON.stringify(rpc("server/discover")));
  // One a minute comes back.
  expect(Number(told.headers.get("retry-after"))).toBeGreaterThan(0);
  const { error } = told.message as { error: { details: unknown } };
  expect(error.details).toEqual({ limit: "requests_per_user", scope: "user", remaining: 0 });
  // What is no call has an event to show for it, what is a call its record.
  const event = boundary.ledger().find((line) => line["event"] === "limit");
  expect(event?.["detail"]).toMatchObject({ subject: "mallory", limit: "requests_per_user" });
  for (const name of ["no_such_tool", "item_get"]) {
    expect((await callTool(url, authorization, name, {})).error?.code).toBe("rate_limited");
  }
});

verifies("bad-input.arguments", "arguments that are no object are invalid_arguments", async () => {
  const url = `${boundary.url}/mcp/desk`;
  const authorization = `Bearer ${await boundary.token("desk", { sub: "eve" })}`;
  for (const args of [[], null, "text", 5]) {
    const called = await callTool(url, authorization, "item_get", args);
    expect(called.error?.code).toBe("invalid_arguments");
    const hidden = await callTool(url, authorization, "no_such_tool", args);
    expect(hidden.text).toContain("Unknown tool: no_such_tool");
  }
});

verifies("bad-input.tokens", "a token that is bound to a key is no bearer token", async () => {
  const bound = await boundary.token("desk", { cnf: { jkt: "x" } });
  const headers = { ...mcpHeaders("tools/list"), authorization: `Bearer ${bound}` };
  const url = `${boundary.url}/mcp/desk`;
  expect((await post(url, headers, JSON.stringify(rpc("tools/list")))).status).toBe(401);
});

verifies("errors.shape", "an API's rate limit says when to come back", async () => {
  boundary.api.answer = (res) => res.writeHead(429, { "retry-after": "7" }).end("{}");
  const authorization = `Bearer ${await boundary.token("desk", { sub: "judy" })}`;
  const called = await callTool(`${boundary.url}/mcp/desk`, authorization, "item_get", { id: "7" });
  expect(called.error).toMatchObject({
    code: "downstream_rate_limited",
    retry: "after",
    retry_after_ms: 7000,
  });
});

verifies("limits.strangers", "bad tokens are 401 and then 429; who is known goes on", async () => {
  const url = `${boundary.url}/mcp/desk`;
  const known = `Bearer ${await boundary.token("desk", { sub: "trudy" })}`;
  const fresh = `Bearer ${await boundary.token("desk", { sub: "victor" })}`;
  const list = (authorization?: string) => {
    const headers = { ...mcpHeaders("tools/list"), ...(authorization ? { authorization } : {}) };
    return post(url, headers, JSON.stringify(rpc("tools/list")));
  };
  expect((await list(known)).status).toBe(200);
  const statuses: number[] = [];
  for (let i = 0; i < 10; i++) {
    statuses.push((await list(i % 2 === 0 ? undefined : `Bearer forged-${i}`)).status);
  }
  // The test before has used one.
  expect(statuses).toEqual([...Array<number>(7).fill(401), 429, 429, 429]);
  const refused = await list(fresh);
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(refused.message?.["error"]).toMatchObject({
    code: "rate_limited",
    details: { limit: "strangers_per_address", scope: "address", remaining: 0 },
  });
  // A minute later one more is looked at, and it proves who asks.
  boundary.pass(60_000);
  expect((await list(known)).status).toBe(200);
  expect((await list(fresh)).status).toBe(200);
  expect((await fetch(`${boundary.url}/healthz`)).status).toBe(200);
});
