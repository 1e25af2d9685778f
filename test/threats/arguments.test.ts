// Tools that are not there and arguments that do not fit: each gets its own answer, nothing runs.
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { callTool, mcpHeaders, post, toolCall } from "../setup/mcp-post.ts";
import type { Called } from "../setup/mcp-post.ts";
import { STACK } from "../setup/strangers.ts";
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

interface Wrong {
  readonly path: string;
  readonly expected: string;
}

/** Refused as a tool result that names the fields, recorded as a refusal, and nothing ran. */
async function expectWrong(args: unknown, ...paths: readonly string[]): Promise<void> {
  const token_hits = boundary.provider.hits.token;
  // Identical refusals within ten seconds would be counted into one record.
  boundary.pass(10_001);
  const called = await call("item_typed", args);
  expect(called.status).toBe(200);
  expect(called.error).toMatchObject({
    code: "invalid_arguments",
    effect: "none",
    who_can_fix: "agent",
    call_id: called.call_id,
  });
  const wrong = (called.error?.details?.["arguments"] ?? []) as Wrong[];
  expect(wrong.map(({ path }) => path)).toEqual(paths);
  expect(boundary.ledger().at(-1)).toMatchObject({
    kind: "refusal",
    call_id: called.call_id,
    outcome: "refused",
    effect: "none",
    error_code: "invalid_arguments",
    downstream: [],
  });
  expect(boundary.api.seen).toEqual([]);
  expect(boundary.provider.hits.token).toBe(token_hits);
  expect(called.text).not.toMatch(STACK);
}

const one = (name: string, ...values: readonly unknown[]): (readonly [string, unknown])[] =>
  values.map((value) => [name, value]);

const WRONG_VALUES = [
  ...one("count", "1", "", null, true, [1], { a: 1 }, 1.5, 0, 11, -1, 1e21, 2 ** 53),
  ...one("price", "1.5", 0, -1, null, [], "1e400"),
  ...one("flag", "true", 1, 0, null, "yes"),
  ...one("kind", "c", "A", "a ", "", 1, null, ["a"]),
  ...one("day", "2026-02-30", "2026-2-3", "today", "2026-01-01T00:00:00Z", "", 20_260_101),
  ...one("text", "", "x".repeat(11), "\u{1f600}".repeat(11), 1, null, ["a"], { toString: 1 }),
  ...one("list", [1, 2, 3], "1,2", { "0": 1, length: 1 }, null),
  ...one("deep", [], "a", null),
] as const;

describe("an argument of the wrong type or size", () => {
  for (const [name, value] of WRONG_VALUES) {
    const shown = JSON.stringify(value).slice(0, 30);
    verifies("bad-input.arguments", `is refused by name: ${name} = ${shown}`, async () => {
      await expectWrong({ count: 1, [name]: value }, `/${name}`);
    });
  }

  verifies("bad-input.arguments", "deep inside is named by its path", async () => {
    await expectWrong({ count: 1, list: [1, "2"] }, "/list/1");
    await expectWrong({ count: 1, deep: {} }, "/deep/a");
    await expectWrong({ count: 1, deep: { a: 1, b: 1 } }, "/deep/b");
    await expectWrong({ count: 1, deep: { a: { a: 1 } } }, "/deep/a");
  });

  verifies("bad-input.arguments", "is not echoed, however long", async () => {
    const secret = "hunter2-".repeat(60_000);
    await expectWrong({ count: 1, text: secret }, "/text");
    const { text } = await call("item_typed", { count: 1, text: secret });
    expect(text).not.toContain("hunter2");
    expect(text.length).toBeLessThan(2000);
    expect(JSON.stringify(boundary.ledger().at(-1))).not.toContain("hunter2");
    expect(boundary.logged()).not.toContain("hunter2");
  });
});

describe("arguments that are missing or too many", () => {
  verifies("bad-input.arguments", "missing ones are named", async () => {
    await expectWrong({}, "/count");
    await expectWrong({ COUNT: 1 }, "/count", "/COUNT");
  });

  verifies("bad-input.arguments", "unknown ones are named, cut to a length", async () => {
    const names = [
      "admin",
      "constructor",
      "toString",
      "hasOwnProperty",
      "",
      "count ",
      "cou\u0000nt",
    ];
    for (const name of names) await expectWrong({ count: 1, [name]: 1 }, `/${name}`);
    const long = "n".repeat(9000);
    await expectWrong({ count: 1, [long]: 1 }, `/${long.slice(0, 64)}`);
  });

  verifies("bad-input.arguments", "many wrong ones are not all listed", async () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, 1]));
    const { error, text } = await call("item_typed", many);
    expect(error?.details?.["arguments"]).toHaveLength(10);
    expect(text.length).toBeLessThan(8000);
  });

  verifies("bad-input.arguments", "none at all are like empty ones", async () => {
    const body = { ...(toolCall("item_typed", {}) as { params: Record<string, unknown> }) };
    delete body.params["arguments"];
    const headers = { ...mcpHeaders("tools/call", "item_typed"), authorization: `Bearer ${token}` };
    const { text } = await post(`${boundary.url}/mcp/desk`, headers, JSON.stringify(body));
    expect(text).toContain("invalid_arguments");
    expect(boundary.api.seen).toEqual([]);
  });

  verifies("bad-input.arguments", "that are no object are invalid arguments", async () => {
    for (const args of [[], "x", 1, true, null]) {
      const called = await call("item_typed", args);
      expect(called.error).toMatchObject({ code: "invalid_arguments", effect: "none" });
      expect(called.text).not.toMatch(STACK);
    }
    expect(boundary.api.seen).toEqual([]);
  });
});

describe("arguments that fit", () => {
  verifies("bad-input.arguments", "reach the API as they were given", async () => {
    const args = {
      count: 10,
      price: 0.1,
      flag: false,
      kind: "b",
      day: "2024-02-29",
      text: "\u{1f600}".repeat(10),
      list: [],
      deep: { a: -1 },
    };
    expect((await call("item_typed", args)).error).toBeUndefined();
    expect(JSON.parse(boundary.api.seen[0]?.body ?? "")).toEqual(args);
  });
});

describe("a tool that is not there", () => {
  const NAMES = [
    "nobody",
    "ITEM_GET",
    "item_get ",
    " item_get",
    "item-get",
    "item_get\u0000",
    "item_get/../item_rename",
    "\u0456tem_get",
    "item_get\u200b",
    "shop.item_get",
    "constructor",
    "toString",
    "hasOwnProperty",
    "",
    "x".repeat(5000),
  ];
  for (const name of NAMES) {
    const shown = JSON.stringify(name).slice(0, 40);
    verifies("bad-input.arguments", `answers Unknown tool: ${shown}`, async () => {
      const lines = boundary.ledger().length;
      const body = JSON.stringify(toolCall(name, { id: "7" }));
      const headers = { ...mcpHeaders("tools/call"), authorization: `Bearer ${token}` };
      const encoded = { ...headers, "mcp-name": headerOf(name) };
      const { message, text } = await post(`${boundary.url}/mcp/desk`, encoded, body);
      expect(message).toMatchObject({ error: { code: -32602, message: `Unknown tool: ${name}` } });
      expect(text).not.toMatch(STACK);
      expect(boundary.api.seen).toEqual([]);
      const added = boundary.ledger().slice(lines);
      expect(added).toMatchObject([{ kind: "refusal", error_code: "unknown_tool" }]);
      expect(String(added[0]?.["tool"]).length).toBeLessThanOrEqual(128);
    });
  }
});

/** MCP 2026-07-28, standard headers: a value that a header cannot hold comes in base64. */
function headerOf(name: string): string {
  const plain = /^[\x21-\x7e]+(?: [\x21-\x7e]+)*$/.test(name);
  return plain ? name : `=?base64?${Buffer.from(name).toString("base64")}?=`;
}
