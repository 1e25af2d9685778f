// From checked arguments to the one request: what stands in a path, a query, a header and a body.
import { describe, expect } from "vitest";
import { buildRequest } from "../../../src/sandbox/request.ts";
import { verifies } from "../../verifies.ts";
import { catalogOf, toolFile } from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";

const TEXT = { type: "string", maxLength: 500 };

function built(changes: Json, args: Json) {
  const writes = { readOnly: false, destructive: false, idempotent: true, openWorld: false };
  const file = toolFile("item_do", { effects: writes, target: "none", ...changes });
  const tool = catalogOf(file).tools.get("item_do");
  if (tool?.kind !== "declarative") throw new Error("no tool");
  return buildRequest(tool, args);
}

const PATH = {
  operation: "GET /items/{id}/card",
  input: { id: { in: "path", schema: TEXT } },
};

function pathOf(id: unknown): string {
  const request = built(PATH, { id });
  return request.ok ? request.value.path : request.refusal.code;
}

describe("path", () => {
  for (const [id, path] of [
    ["7", "/items/7/card"],
    ["a/b", "/items/a%2Fb/card"],
    ["../admin", "/items/..%2Fadmin/card"],
    ["x?y=1#z", "/items/x%3Fy%3D1%23z/card"],
    ["%2e%2e", "/items/%252e%252e/card"],
    ["a b\u{e9}", "/items/a%20b%C3%A9/card"],
    ["$&$`{id}", "/items/%24%26%24%60%7Bid%7D/card"],
    ["http://evil.test", "/items/http%3A%2F%2Fevil.test/card"],
    ["@evil.test:80", "/items/%40evil.test%3A80/card"],
    [7, "/items/7/card"],
  ] as const) {
    verifies("broker.declared-operations", `${JSON.stringify(id)} stays one segment`, () => {
      expect(pathOf(id)).toBe(path);
      const resolved = new URL(path, "https://shop.test");
      expect(resolved.origin).toBe("https://shop.test");
      expect(resolved.pathname).toBe(path);
    });
  }

  for (const id of ["", ".", "..", "a\u{0}b", "a\r\nHost: x", "\u{d800}", "a\u{85}b"]) {
    verifies("broker.declared-operations", `${JSON.stringify(id)} cannot stand in a path`, () => {
      expect(pathOf(id)).toBe("invalid_arguments");
    });
  }

  verifies("broker.declared-operations", "two arguments in one segment make no dot segment", () => {
    const pair = {
      operation: "GET /items/{a}{b}/card",
      input: { a: { in: "path", schema: TEXT }, b: { in: "path", schema: TEXT } },
    };
    const request = built(pair, { a: "x", b: "y" });
    expect(request.ok && request.value.path).toBe("/items/xy/card");
    // Each is refused by itself, so that no pair of them can become "..".
    expect(built(pair, { a: ".", b: "." }).ok).toBe(false);
    expect(built(pair, { a: "", b: ".." }).ok).toBe(false);
  });

  verifies(
    "broker.declared-operations",
    "a value that looks like another placeholder is text",
    () => {
      const two = {
        operation: "GET /a/{a}/b/{b}",
        input: { a: { in: "path", schema: TEXT }, b: { in: "path", schema: TEXT } },
      };
      const request = built(two, { a: "{b}", b: "2" });
      expect(request.ok && request.value.path).toBe("/a/%7Bb%7D/b/2");
    },
  );
});

describe("query, header and body", () => {
  const FULL = {
    operation: "POST /items",
    input: {
      q: { in: "query", as: "search[text]", optional: true, schema: TEXT },
      tags: {
        in: "query",
        optional: true,
        schema: { type: "array", maxItems: 5, items: TEXT },
      },
      note: { in: "header", as: "X-Note", optional: true, schema: TEXT },
      text: { in: "body", as: "__proto__x", optional: true, schema: TEXT },
      n: { in: "body", optional: true, schema: { type: "integer" } },
    },
  };

  verifies("broker.declared-operations", "each argument goes where its tool says", () => {
    const args = { q: "a&b=c", tags: ["x", "y&z"], note: "hi", text: "t", n: 1 };
    const request = built(FULL, args);
    expect(request).toEqual({
      ok: true,
      value: {
        method: "POST",
        path: "/items?search%5Btext%5D=a%26b%3Dc&tags=x&tags=y%26z",
        headers: {
          accept: "application/json",
          "content-type": "application/json",
          "x-note": "hi",
        },
        body: '{"__proto__x":"t","n":1}',
      },
    });
  });

  verifies("broker.declared-operations", "what is not given is not sent", () => {
    const request = built(FULL, {});
    expect(request.ok && request.value).toEqual({
      method: "POST",
      path: "/items",
      headers: { accept: "application/json", "content-type": "application/json" },
      body: "{}",
    });
  });

  verifies("broker.declared-operations", "arguments that the tool does not have go nowhere", () => {
    const request = built(FULL, { url: "https://evil.test", method: "DELETE", path: "/admin" });
    expect(JSON.stringify(request)).not.toMatch(/evil|DELETE|admin/);
  });

  for (const note of ["a\r\nAuthorization: Bearer x", "a\u{0}b", "é", "\t"]) {
    verifies(
      "broker.declared-operations",
      `${JSON.stringify(note)} cannot stand in a header`,
      () => {
        const request = built(FULL, { note });
        expect(request.ok).toBe(false);
        if (!request.ok) expect(JSON.stringify(request.refusal)).not.toContain("Bearer");
      },
    );
  }

  verifies("broker.declared-operations", "GET and DELETE have no body", () => {
    const request = built({ operation: "DELETE /items", input: {} }, {});
    expect(request.ok && request.value).toEqual({
      method: "DELETE",
      path: "/items",
      headers: { accept: "application/json" },
      body: undefined,
    });
  });
});
