// From checked arguments to the one request: what stands in a path, a query, a header and a body.
import { describe, expect } from "vitest";
import type { CodeTool } from "../../../src/catalog/definition.ts";
import { buildDeclared, buildRequest } from "../../../src/sandbox/request.ts";
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

const LIST = { type: "array", maxItems: 200, items: TEXT };
const OBJECT = { type: "object", additionalProperties: TEXT };
const CLOSED = {
  type: "object",
  properties: { j: TEXT, k: TEXT, o: TEXT },
  additionalProperties: false,
};
const POST = { operation: "POST /items" };

/** What is sent, or where and what was expected instead. */
function sent(changes: Json, args: Json): string {
  const request = built(changes, args);
  if (request.ok) return request.value.body ?? request.value.path;
  const { code, details } = request.refusal;
  expect(code).toBe("invalid_arguments");
  const [one] = (details as { arguments: { path: string; expected: string }[] }).arguments;
  return `${one?.path}: ${one?.expected}`;
}

describe("a form", () => {
  const FORM = {
    ...POST,
    body: "form",
    input: {
      name: { in: "body", optional: true, schema: TEXT },
      tags: { in: "body", optional: true, schema: LIST },
      meta: { in: "body", optional: true, schema: { type: "object" } },
      expand: { in: "body", style: "deepObject", optional: true, schema: LIST },
    },
  };

  verifies("broker.styles", "is written as its fields say, and says what it is", () => {
    const args = { name: "a b&c", tags: ["x", "y"], meta: { a: { b: [1, "2"] } }, expand: ["z"] };
    const request = built(FORM, args);
    expect(request.ok && request.value.headers["content-type"]).toBe(
      "application/x-www-form-urlencoded",
    );
    expect(sent(FORM, args)).toBe(
      "name=a%20b%26c&tags=x&tags=y&meta%5Ba%5D%5Bb%5D%5B0%5D=1&meta%5Ba%5D%5Bb%5D%5B1%5D=2" +
        "&expand%5B0%5D=z",
    );
    expect(sent(FORM, {})).toBe("");
  });

  verifies("broker.styles", "says where it cannot be written, and how it could", () => {
    expect(sent(FORM, { meta: { "a]": 1 } })).toBe("/meta: names without brackets");
    expect(sent(FORM, { meta: { a: [] } })).toMatch(/^\/meta\/a: at least one/);
    expect(sent(FORM, { meta: { a: [null] } })).toMatch(/^\/meta\/a\/0: text, a number/);
    expect(sent(FORM, { name: "\ud800" })).toMatch(/^\/name: well-formed/);
  });

  verifies("broker.styles", "that is one argument has its properties as fields", () => {
    const whole = {
      ...POST,
      body: "form",
      input: { form: { in: "body", whole: true, schema: OBJECT } },
    };
    expect(sent(whole, { form: { a: "1", "b&c": "2=3" } })).toBe("a=1&b%26c=2%3D3");
    expect(sent(whole, { form: { "a[b]": "1" } })).toBe("/form: names without brackets");
  });
});

describe("a whole body", () => {
  const WHOLE = {
    ...POST,
    input: { all: { in: "body", optional: true, whole: true, schema: LIST } },
  };

  verifies("broker.styles", "is the argument itself, or nothing at all", () => {
    expect(sent(WHOLE, { all: ["a", "b"] })).toBe('["a","b"]');
    const request = built(WHOLE, {});
    expect(request.ok && request.value).toMatchObject({
      body: undefined,
      headers: { accept: "application/json" },
    });
    expect(request.ok && Object.keys(request.value.headers)).toEqual(["accept"]);
  });

  verifies(
    "broker.styles",
    "of JSON is read back exactly, or is no JSON that all read alike",
    () => {
      const text = {
        ...POST,
        input: { all: { in: "body", whole: true, schema: { type: "object" } } },
      };
      for (const one of [
        "\0",
        "\u{2028}",
        '"',
        "\\",
        "</script>",
        "\r\n",
        "\u{1f44d}",
        "__proto__x",
      ]) {
        const all = { [one]: { a: [one] } };
        expect(JSON.parse(sent(text, { all }))).toEqual(all);
      }
      expect(sent(text, { all: { "\ud800": 1 } })).toMatch(/^\/all: well-formed/);
      expect(sent(text, { all: { a: ["\udfff"] } })).toMatch(/^\/all\/a\/0: well-formed/);
      let deep: unknown = 1;
      for (let level = 0; level < 70; level++) deep = { a: deep };
      expect(sent(text, { all: deep })).toMatch(/: fewer levels$/);
    },
  );
});

describe("names and lengths", () => {
  verifies("broker.styles", "no name of an exploded object passes for another argument", () => {
    const two = {
      operation: "GET /items/{a}{b}",
      input: {
        a: { in: "path", style: "matrix", explode: true, schema: OBJECT },
        b: { in: "path", style: "matrix", schema: TEXT },
        o: { in: "query", optional: true, schema: CLOSED },
        p: { in: "query", optional: true, schema: CLOSED },
      },
    };
    expect(sent(two, { a: { x: "1" }, b: "2" })).toBe("/items/;x=1;b=2");
    expect(sent(two, { a: { b: "1" }, b: "2" })).toBe("/a: names that no other argument has");
    const given = { a: { x: "1" }, b: "2", o: { k: "1" } };
    expect(sent(two, { ...given, p: { j: "2" } })).toBe("/items/;x=1;b=2?k=1&j=2");
    expect(sent(two, { ...given, p: { k: "2" } })).toBe("/p: names that no other argument has");
    expect(sent(two, { ...given, p: { o: "2" } })).toBe("/p: names that no other argument has");
    // What the file does not declare may be an argument that this tool was not given.
    expect(sent(two, { ...given, p: { admin: "1" } })).toBe("/p: names that the tool declares");
  });

  verifies("broker.styles", "no item of a matrix begins another", () => {
    const list = {
      operation: "GET /items/{a}",
      input: { a: { in: "path", style: "matrix", schema: LIST } },
    };
    expect(sent(list, { a: ["x", "y"] })).toBe("/items/;a=x,y");
    expect(sent(list, { a: ["x;b=1"] })).toBe('/a/0: text without ";"');
  });

  verifies("broker.styles", "what is fixed is sent with each call", () => {
    const fixed = { fixed: { query: { v: "1&2" }, header: { "X-Api": "2026" } } };
    const request = built({ ...PATH, ...fixed }, { id: "7" });
    expect(request.ok && request.value).toMatchObject({
      path: "/items/7/card?v=1%262",
      headers: { "x-api": "2026" },
    });
  });

  verifies(
    "broker.styles",
    "a URL or headers that no server takes are refused, and not cut",
    () => {
      const long = {
        ...POST,
        input: {
          q: { in: "query", schema: LIST },
          h: { in: "header", as: "X-H", optional: true, schema: LIST },
        },
      };
      const words = (n: number): string[] => Array.from({ length: n }, () => "x".repeat(100));
      expect(sent(long, { q: words(150) })).toMatch(/^\/items\?q=x/);
      expect(sent(long, { q: words(170) })).toMatch(
        /^: less: the URL would have 1\d{4} bytes of 16384/,
      );
      expect(sent(long, { q: ["a"], h: words(90) })).toMatch(/^\/h: less/);
    },
  );
});

verifies("broker.declared-operations", "a code tool's request has each header once", () => {
  const file = catalogOf(toolFile("item_get")).tools.get("item_get");
  if (file?.kind !== "declarative") throw new Error("no tool");
  const headers = {
    Accept: "application/vnd.shop+json",
    "CONTENT-TYPE": "text/plain",
    "X-Api": "2",
  };
  const tool: CodeTool = {
    ...file,
    kind: "code",
    connector: { ...file.connector, headers },
    uses: new Set(["POST /items"]),
    requests_max: 1,
    source: "",
  };
  const request = buildDeclared(tool, { operation: "POST /items", path: {}, query: {} });
  expect(request.ok && request.value.headers).toEqual({
    accept: "application/vnd.shop+json",
    "content-type": "application/json",
    "x-api": "2",
  });
});
