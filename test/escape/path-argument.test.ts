// Arguments that try to become something else: another path, query, header or body field (T36).
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { loadCatalog } from "../../src/catalog/load.ts";
import { toolFiles } from "../setup/boundary-tools.ts";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { callTool } from "../setup/mcp-post.ts";
import type { Called } from "../setup/mcp-post.ts";
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

const CANNOT_STAND = [
  "",
  ".",
  "..",
  "\n",
  "a\r\nX-Evil: 1",
  "a\u0000b",
  "\u0085",
  "\ud800",
  "a\udfff",
];

const STANDS = [
  "...",
  "../..",
  "../../admin",
  "..\\..\\admin",
  "%2e%2e",
  "%2E%2E%2Fadmin",
  "..%2f",
  "..%00",
  "%2e",
  "..;",
  "..;/admin",
  "/",
  "//evil.test",
  "/etc/passwd",
  "http://evil.test/",
  "@evil.test",
  "?admin=1",
  "7?x=1#y",
  "#",
  "7/delete",
  "7;v=1",
  "{id}",
  "$&",
  "$`",
  "%",
  "%zz",
  " ",
  " .. ",
  "~",
  "*",
  "a b+c",
  "\u2025",
  "\uff0e\uff0e",
  "\u202e..",
  "\u{1f600}",
  "caf\u00e9",
  "e\u0301",
  "' OR 1=1 --",
  "$(id)",
  "__proto__",
  "x".repeat(2000),
];

/** What a tolerant API would make of the path: decoded until nothing changes. */
function segmentsOf(url: string): string[] {
  return new URL(url, "http://api.test").pathname.split("/");
}

describe("a path argument", () => {
  for (const id of CANNOT_STAND) {
    verifies("bad-input.arguments", `${JSON.stringify(id)} sends nothing`, async () => {
      for (const tool of ["item_get", "item_rename"]) {
        const args = tool === "item_get" ? { id } : { id, name: "x" };
        const called = await call(tool, args);
        expect(called.error).toMatchObject({ code: "invalid_arguments", effect: "none" });
      }
      expect(boundary.api.seen).toEqual([]);
      expect(boundary.ledger().at(-1)).toMatchObject({
        kind: "refusal",
        error_code: "invalid_arguments",
      });
    });
  }

  verifies(["bad-input.arguments", "broker.origin-only"], "is one segment, or none", async () => {
    for (const id of STANDS) {
      const called = await call("item_get", { id });
      expect([id.slice(0, 40), called.error]).toEqual([id.slice(0, 40), undefined]);
      const seen = boundary.api.seen.at(-1)?.url ?? "";
      const [empty, items, segment = "", card, ...more] = segmentsOf(seen);
      expect([empty, items, card, more]).toEqual(["", "items", "card", []]);
      expect(decodeURIComponent(segment)).toBe(id);
      expect(seen).not.toMatch(/[?#\\ ]/);
      expect(boundary.ledger().at(-2)).toMatchObject({ kind: "intent", target: `item:${id}` });
    }
    expect(boundary.api.seen).toHaveLength(STANDS.length);
  });

  verifies("bad-input.arguments", "beside another cannot make dots of the two", async () => {
    for (const [left, right] of [
      [".", "."],
      ["..", "x"],
      ["", ".."],
      ["{right}", "."],
    ]) {
      const { error } = await call("item_pair", { left, right });
      expect(error).toMatchObject({ code: "invalid_arguments" });
    }
    await call("item_pair", { left: "{right}", right: "$1" });
    expect(boundary.api.seen.map(({ url }) => url)).toEqual(["/pairs/%7Bright%7D%241/card"]);
  });
});

describe("a query argument", () => {
  verifies("bad-input.arguments", "stays the value of its own parameter", async () => {
    const values = ["a&admin=1", "a#b", "a=b", "a;b", "%26x=1", "+", "\r\nX: y", "\u0000", "é", ""];
    for (const q of values) {
      await call("item_find", { q });
      const url = new URL(boundary.api.seen.at(-1)?.url ?? "", "http://api.test");
      expect([...url.searchParams]).toEqual([["q", q]]);
      expect([url.pathname, url.hash]).toEqual(["/items", ""]);
    }
    await call("item_find", { tags: ["a&q=1", "b,c"] });
    const url = new URL(boundary.api.seen.at(-1)?.url ?? "", "http://api.test");
    expect([...url.searchParams]).toEqual([
      ["tags", "a&q=1"],
      ["tags", "b,c"],
    ]);
  });
});

describe("a header argument", () => {
  const OWNED = ["Host", "authorization", "Cookie", "Content-Length", "X-Forwarded-For", "a b"];
  verifies(["broker.tool-files", "broker.origin-only"], "is none that is the broker's", () => {
    const folder = mkdtempSync(join(tmpdir(), "doorless-catalog-"));
    mkdirSync(join(folder, "shop"));
    const about = { connector: "shop", title: "shop" };
    writeFileSync(join(folder, "shop", "connector.yaml"), JSON.stringify(about));
    const { connector: _, ...tool } = toolFiles().find(({ name }) => name === "item_find") ?? {};
    const load = (as: string): unknown => {
      const note = { in: "header", as, schema: { type: "string", maxLength: 9 } };
      const file = join(folder, "shop", "item_find.tool.yaml");
      writeFileSync(file, JSON.stringify({ ...tool, input: { note } }));
      return loadCatalog(folder).tools.size;
    };
    try {
      expect(load("X-Note")).toBe(1);
      for (const as of OWNED) expect(() => load(as)).toThrow(/belongs to the broker/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  verifies("bad-input.arguments", "that could begin another header sends nothing", async () => {
    for (const note of ["a\r\nX-Evil: 1", "a\nb", "a\rb", "\u0000", "a\tb", "é", "\u{1f600}"]) {
      const { error } = await call("item_find", { note });
      expect(error).toMatchObject({ code: "invalid_arguments", effect: "none" });
    }
    expect(boundary.api.seen).toEqual([]);
    await call("item_find", { note: "Authorization: Bearer x" });
    expect(boundary.api.seen[0]?.headers["x-note"]).toBe("Authorization: Bearer x");
  });
});

describe("a body argument", () => {
  verifies("bad-input.arguments", "stays the value of its own field", async () => {
    for (const name of ['","admin":true,"x":"', "\u2028\u0000\ud83d\ude00", "\\", "</script>"]) {
      await call("item_rename", { id: "7", name });
      const seen = boundary.api.seen.at(-1);
      expect(JSON.parse(seen?.body ?? "")).toEqual({ name });
      expect(seen?.headers["content-length"]).toBe(String(Buffer.byteLength(seen?.body ?? "")));
    }
  });
});
