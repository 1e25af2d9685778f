// Downstream APIs that are down, slow, broken or lying: each fault has its own error, says what
// happened to the world, gives nothing of the API's words away, and is in the ledger.
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { flood, FLOOD_TAKEN_MAX, flooded, ITEM } from "../setup/hostile-peer.ts";
import type { HostileApi } from "../setup/hostile-peer.ts";
import { callTool } from "../setup/mcp-post.ts";
import type { Called } from "../setup/mcp-post.ts";
import { expectNoEcho, STACK } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

let boundary: Boundary;
let token: string;

beforeAll(async () => {
  boundary = await openBoundary();
  token = await boundary.token("desk");
});

beforeEach(() => boundary.api.behave());

afterAll(() => boundary.close());

const call = (tool: string, args: unknown): Promise<Called> =>
  callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, tool, args);

const KINDS = {
  read: () => call("item_get", { id: "7" }),
  write: () => call("item_rename", { id: "7", name: "a CANARY" }),
};

/** What the API does, the error that it becomes, and what that says of the world. */
interface Fault {
  readonly code: string;
  readonly outcome: string;
  readonly write_effect: "none" | "unknown" | "done";
  /** Where a read is told something else. */
  readonly read?: { readonly code: string; readonly outcome: string };
  readonly answer?: HostileApi["answer"];
  readonly status?: number;
  readonly requests?: number;
}

const CANARY = "CANARY at /srv/api/index.js:10:20 password=hunter2";
const JSON_TYPE = { "content-type": "application/json" };

const status = (code: number, headers: Record<string, string> = {}): Fault => ({
  code: "downstream_error",
  outcome: "downstream_error",
  write_effect: "unknown",
  status: code,
  answer: (res) => res.writeHead(code, headers).end(JSON.stringify({ error: CANARY })),
});

const drift = (body: string, headers = JSON_TYPE): Fault => ({
  code: "contract_drift",
  outcome: "drift",
  write_effect: "done",
  status: 200,
  answer: (res) => res.writeHead(200, headers).end(body),
});

const broken = (answer: HostileApi["answer"], code_status?: number): Fault => ({
  code: "downstream_unavailable",
  outcome: "downstream_error",
  write_effect: "unknown",
  answer,
  ...(code_status === undefined ? {} : { status: code_status }),
});

const slow = (answer: HostileApi["answer"], code_status?: number): Fault => ({
  ...broken(answer, code_status),
  code: "timeout",
  outcome: "timeout",
});

const changed = (changes: Record<string, unknown>): Fault =>
  drift(JSON.stringify({ ...ITEM, ...changes }));

const tooLarge = (headers: Record<string, string>): Fault => ({
  ...status(200),
  // Who reads can ask for less; whether a write was done, nobody knows.
  read: { code: "result_too_large", outcome: "tool_error" },
  answer: (res) => {
    res.writeHead(200, { ...JSON_TYPE, ...headers }).write("[");
    flood(res);
  },
});

const FAULTS: Readonly<Record<string, Fault>> = {
  "400": status(400),
  "401": status(401, { "www-authenticate": `Bearer error="${CANARY}"` }),
  "403": status(403),
  "404": status(404),
  "409": status(409),
  "422": status(422),
  "429": { ...status(429, { "retry-after": "1" }), code: "downstream_rate_limited" },
  "500": status(500),
  "503": status(503),
  "300": status(300),
  "304": status(304),
  HTML: drift(`<html>${CANARY}</html>`),
  "half a document": drift('{"id":"7","name":"CAN'),
  "two documents": drift(JSON.stringify(ITEM).repeat(2)),
  "a BOM before it": drift(`\ufeff${JSON.stringify(ITEM)}`),
  "gzip that nobody asked for": drift("\u001f\u008b\u0008CANARY", {
    ...JSON_TYPE,
    "content-encoding": "gzip",
  } as typeof JSON_TYPE),
  nothing: drift(""),
  null: drift("null"),
  "a list": drift("[]"),
  text: drift('"CANARY"'),
  "a field less": changed({ name: undefined }),
  "a field of another type": changed({ id: 7, secret: CANARY }),
  "a field that is null": changed({ name: null }),
  "a field that is too long": changed({ name: "CANARY".repeat(400) }),
  "the field in a prototype": drift('{"__proto__":{"id":"7","name":"CANARY"}}'),
  "a body beyond the cap": tooLarge({}),
  "a body beyond the cap, announced": tooLarge({ "content-length": "100000000" }),
  "no answer": slow(() => undefined),
  "headers and no body": slow((res) => res.writeHead(200, JSON_TYPE).flushHeaders(), 200),
  "half a body, and silence": slow((res) => {
    res.writeHead(200, { ...JSON_TYPE, "content-length": "100" }).write('{"id":"7"');
  }, 200),
  "a reset after the request": broken((res) => void res.socket?.resetAndDestroy()),
  "a close after the request": broken((res) => void res.socket?.end()),
  "a reset in its body": broken((res) => {
    res.writeHead(200, { ...JSON_TYPE, "content-length": "100" });
    res.write('{"id":"7"', () => res.socket?.resetAndDestroy());
  }, 200),
  "no HTTP": broken((res) => void res.socket?.end("hello CANARY\r\n\r\n")),
  "two lengths": broken((res) => {
    const lengths = "Content-Length: 2\r\nContent-Length: 3";
    res.socket?.end(`HTTP/1.1 200 OK\r\n${lengths}\r\n\r\n{}x`);
  }),
  "endless headers": broken((res) => {
    res.socket?.write(`HTTP/1.1 200 OK\r\nX-Big: ${"x".repeat(200_000)}\r\n\r\n{}`);
  }),
};

async function expectFault(kind: "read" | "write", fault: Fault): Promise<void> {
  const effect = kind === "read" ? "none" : fault.write_effect;
  const { code, outcome } = (kind === "read" ? fault.read : undefined) ?? fault;
  boundary.api.answer = fault.answer;
  const before = flooded();
  const called = await KINDS[kind]();
  expect(flooded() - before).toBeLessThan(FLOOD_TAKEN_MAX);
  expect(called.status).toBe(200);
  expect(called.error).toMatchObject({ code, effect, call_id: called.call_id });
  expect(boundary.api.seen).toHaveLength(fault.requests ?? 1);
  const halves = boundary.ledger().filter(({ call_id }) => call_id === called.call_id);
  const downstream = { method: kind === "read" ? "GET" : "PATCH", ...statusOf(fault) };
  expect(halves).toMatchObject([
    { kind: "intent", subject: "ada", target: "item:7" },
    { kind: "outcome", outcome, effect, error_code: code, result: null },
  ]);
  expect(halves[1]?.["downstream"]).toMatchObject([downstream]);
  expect(called.text).not.toMatch(STACK);
  expect(called.text).not.toMatch(/CANARY|hunter2|srv/);
  expect(boundary.logged()).not.toMatch(/CANARY|hunter2/);
  expectNoEcho(token, called.text, boundary.logged());
}

const statusOf = ({ status: code }: Fault) => (code === undefined ? {} : { status: code });

describe("an API that answers", () => {
  for (const [what, fault] of Object.entries(FAULTS)) {
    const claim = `${what} becomes ${fault.code}, for a read and a write`;
    verifies(["bad-input.api", "errors.effect", "errors.no-leak"], claim, async () => {
      await expectFault("read", fault);
      await boundary.api.behave();
      await expectFault("write", fault);
      await boundary.api.behave();
      expect((await KINDS.read()).result).toEqual(ITEM);
    });
  }
});

describe("an API that is down", () => {
  verifies(
    ["bad-input.api", "errors.effect"],
    "did provably nothing, even for a write",
    async () => {
      const fault: Fault = { ...broken(undefined), write_effect: "none", requests: 0 };
      for (const kind of ["read", "write"] as const) {
        await boundary.api.down();
        await expectFault(kind, fault);
        await boundary.api.behave();
        expect((await KINDS[kind]()).result).toEqual(ITEM);
        await boundary.api.behave();
      }
    },
  );
});

describe("what an API may say", () => {
  verifies("broker.projection", "is the projected fields, and not one more", async () => {
    const more = { ...ITEM, secret: CANARY, nested: { id: 9 } };
    boundary.api.answer = (res) => res.writeHead(200, JSON_TYPE).end(JSON.stringify(more));
    const { result, text } = await KINDS.read();
    expect(result).toEqual(ITEM);
    expect(text).not.toContain("CANARY");
  });

  verifies("bad-input.api", "as its own request id is taken where it is printable", async () => {
    const said = async (id: string): Promise<string> => {
      const headers = { ...JSON_TYPE, "x-request-id": id };
      boundary.api.answer = (res) => res.writeHead(200, headers).end(JSON.stringify(ITEM));
      const { call_id } = await KINDS.read();
      const outcome = boundary.ledger().findLast((line) => line["call_id"] === call_id);
      const attempts = (outcome?.["downstream"] ?? []) as { request_id: string }[];
      const [id_kept = "none"] = attempts.map(({ request_id }) => request_id);
      return id_kept === call_id ? "ours" : id_kept;
    };
    expect(await said("api-77")).toBe("api-77");
    for (const id of ["two words", "x".repeat(129), "caf\u00e9", "", "a\tb"]) {
      expect([id, await said(id)]).toEqual([id, "ours"]);
    }
  });
});
