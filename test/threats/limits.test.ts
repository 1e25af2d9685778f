// A runaway agent at the boundary: many sessions, all at once, again after a restart; loops; and
// requests and answers that are larger than they may be.
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { toolFiles } from "../setup/boundary-tools.ts";
import type { Claims } from "../setup/hostile-provider.ts";
import { callTool } from "../setup/mcp-post.ts";
import type { Called } from "../setup/mcp-post.ts";
import { verifies } from "../verifies.ts";

const HOUR_MS = 3_600_000;
let boundary: Boundary;

beforeAll(async () => {
  boundary = await openBoundary({
    world: patient(),
    file: {
      // One exchange for many calls: what is measured here is not the provider.
      delegation: { reuse_ms_max: 10_000 },
      http: { connections_max: 4096, requests_per_user_max: 4096 },
      limits: {
        requests_per_user: { calls: 1_000_000, per_s: 60, burst: 100_000 },
        calls_per_user: { calls: 1, per_s: 3600, burst: 100 },
        calls_per_user_and_tool: { calls: 1_000_000, per_s: 60, burst: 100_000 },
        running_calls_per_user_max: 1024,
        running_calls_max: 1024,
        loops: { same_calls_max: 5, same_errors_max: 3 },
        request_bytes_max: 1000,
        result_tokens_max: 600,
      },
    },
  });
});

beforeEach(() => boundary.api.behave());

afterAll(() => boundary.close());

/** The shop's tools with all the time in the world: a slow machine must not look like a failure. */
function patient() {
  const limits = { timeout_ms: 120_000, response_bytes_max: 4096 };
  const tools = toolFiles()
    .filter(({ connector }) => connector === "shop")
    .map((tool) => ({ ...tool, limits }));
  const has = Object.fromEntries(tools.map(({ name }) => [name, {}]));
  const desk = { title: "Desk", purpose: "x", tokens: { audience: "own" }, tools: has };
  return { tools, agents: { desk } };
}

type Caller = (tool: string, args: unknown) => Promise<Called>;

async function caller(subject: string, changes: Claims = {}): Promise<Caller> {
  const token = await boundary.token("desk", { sub: subject, ...changes });
  return (tool, args) => callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, tool, args);
}

verifies(
  ["limits.exact", "limits.kept", "limits.loop"],
  "1,000 calls at once over ten sessions of one user: exactly 100 run, a restart in the middle",
  async () => {
    const sessions = await Promise.all(
      Array.from({ length: 10 }, (_, i) => caller("runaway", { sid: `sign-in ${i}` })),
    );
    const flood = async (from: number, to: number): Promise<Called[]> => {
      const calls: Promise<Called>[] = [];
      for (let i = from; i < to; i++) {
        const call = sessions[i % 10];
        if (call !== undefined) calls.push(call("item_get", { id: String(i) }));
      }
      return Promise.all(calls);
    };
    const before = await flood(0, 60);
    await boundary.restart();
    const grace = await caller("grace");
    const beside = async (): Promise<Called[]> => {
      const calls: Called[] = [];
      for (let i = 0; i < 20; i++) calls.push(await grace("item_get", { id: String(i) }));
      return calls;
    };
    const [after, theirs] = await Promise.all([flood(60, 1000), beside()]);
    // What one user does is nothing to another.
    expect(theirs.filter(({ error }) => error !== undefined)).toEqual([]);
    const all = [...before, ...after];
    const ran = all.filter(({ error }) => error === undefined);
    expect([ran.length, boundary.api.seen.length]).toEqual([100, 100 + theirs.length]);
    const refused = all.flatMap(({ error }) => error ?? []);
    for (const error of refused) {
      expect(error).toMatchObject({
        code: "rate_limited",
        retry: "after",
        effect: "none",
        details: { limit: "calls_per_user", scope: "user", remaining: 0 },
      });
    }
    const [error] = refused as unknown as { retry_after_ms: number }[];
    expect(error?.retry_after_ms).toBeLessThanOrEqual(HOUR_MS);
    const told = boundary.ledger().filter((line) => line["event"] === "limit");
    boundary.pass(error?.retry_after_ms ?? 0);
    const next = await flood(1000, 1010);
    expect(next.filter((called) => called.error === undefined)).toHaveLength(1);
    // Once a session, not once a call.
    expect(told).toHaveLength(10);
    expect(told[0]?.["detail"]).toMatchObject({
      subject: "runaway",
      limit: "calls_per_user",
      scope: "user",
    });
  },
);

verifies(
  "limits.exact",
  "what is limited is on record as rate_limited, and moved nothing",
  async () => {
    const call = await caller("recorded");
    const calls = Array.from({ length: 100 }, (_, i) => call("item_get", { id: String(i) }));
    await Promise.all(calls);
    const refused = await call("item_get", { id: "over" });
    expect(refused.error?.code).toBe("rate_limited");
    const lines = boundary.ledger();
    const record = lines.find((line) => line["call_id"] === refused.call_id);
    expect(record).toMatchObject({ kind: "refusal", outcome: "rate_limited", effect: "none" });
    const ended = lines.findLast((line) => line["kind"] === "outcome");
    expect(ended?.["bytes"]).toBe(Buffer.byteLength('{"id":"7","name":"a lamp"}'));
  },
);

describe("a loop", () => {
  verifies(
    "limits.repeats",
    "of one call, of two in turn, of one error: refused and named",
    async () => {
      const call = await caller("loops");
      const same = [];
      for (let i = 0; i < 6; i++) same.push((await call("item_get", { id: "1" })).error?.code);
      expect(same).toEqual([...Array<undefined>(5).fill(undefined), "loop_detected"]);
      for (const id of ["2", "3", "2", "3", "2"]) await call("item_get", { id });
      const turn = await call("item_get", { id: "3" });
      expect(turn.error).toMatchObject({
        code: "loop_detected",
        retry: "never",
        details: { repeated: { kind: "ping_pong", tools: ["item_get", "item_get"], times: 5 } },
      });
      boundary.api.answer = (res) => res.writeHead(404).end("{}");
      const errors = [];
      for (let i = 0; i < 4; i++) errors.push(await call("item_find", { q: String(i) }));
      expect(errors.map(({ error }) => error?.code)).toEqual([
        "downstream_error",
        "downstream_error",
        "downstream_error",
        "loop_detected",
      ]);
      expect(errors.at(-1)?.error?.details).toEqual({
        repeated: {
          kind: "same_error",
          tools: ["item_find"],
          times: 3,
          error_code: "downstream_error",
        },
      });
      const record = boundary.ledger().findLast((line) => line["kind"] === "refusal");
      expect(record).toMatchObject({ error_code: "loop_detected", outcome: "rate_limited" });
    },
  );
});

verifies(
  "limits.repeats",
  "a call that is refused again and again is a loop, too; the one that fits still runs",
  async () => {
    const call = await caller("stubborn");
    const codes = [];
    for (let i = 0; i < 5; i++) codes.push((await call("item_get", { id: i })).error?.code);
    const wrong = Array<string>(3).fill("invalid_arguments");
    expect(codes).toEqual([...wrong, "loop_detected", "loop_detected"]);
    expect((await call("item_get", { id: "1" })).error).toBeUndefined();
    expect((await call("item_get", { id: 1 })).error?.code).toBe("invalid_arguments");
    const record = boundary.ledger().find((line) => line["error_code"] === "loop_detected");
    expect(record).toMatchObject({ kind: "refusal", tool: "item_get" });
  },
);

describe("too large", () => {
  verifies("limits.resources", "a request to the API is an error, and is not sent", async () => {
    const call = await caller("large");
    const fits = await call("item_rename", { id: "1", name: "x".repeat(900) });
    expect(fits.error).toBeUndefined();
    const over = await call("item_rename", { id: "1", name: "x".repeat(1000) });
    expect(over.error).toMatchObject({
      code: "invalid_arguments",
      effect: "none",
      details: { limit: "request_bytes_max", bytes: 1011, max: 1000 },
    });
    expect(boundary.api.seen).toHaveLength(1);
  });

  verifies("limits.resources", "a result for the model is an error, and is not cut", async () => {
    const call = await caller("large");
    // {"id":"7","name":"…"}: 20 bytes around the name, 1,800 in all.
    boundary.api.answer = (res) => res.end(JSON.stringify({ id: "7", name: "y".repeat(1780) }));
    expect((await call("item_get", { id: "a" })).error).toBeUndefined();
    boundary.api.answer = (res) => res.end(JSON.stringify({ id: "7", name: "y".repeat(1781) }));
    const read = await call("item_get", { id: "b" });
    expect(read.error).toMatchObject({
      code: "result_too_large",
      effect: "none",
      details: { limit: "result_tokens_max", tokens: 601, max: 600 },
    });
    expect(read.text).not.toContain("yyy");
    const written = await call("item_rename", { id: "1", name: "n" });
    expect(written.error).toMatchObject({ code: "result_too_large", effect: "done" });
    expect(written.error?.message).toContain("do not repeat it");
  });
});
