// Request bodies and requests that are no requests: bombs, twins, smuggling (T24, T25, T37).
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { callTool, mcpHeaders, post, toolCall } from "../setup/mcp-post.ts";
import { exchange, Line, readReply } from "../setup/raw-http.ts";
import { STACK } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

const LIMITS = { body_bytes_max: 20_000, depth_max: 12, keys_max: 100 };

let boundary: Boundary;
let token: string;

beforeAll(async () => {
  boundary = await openBoundary({ file: { http: LIMITS } });
  token = await boundary.token("desk");
});

beforeEach(() => boundary.api.behave());

afterAll(() => boundary.close());

const headers = (): Record<string, string> => ({
  ...mcpHeaders("tools/call", "item_get"),
  authorization: `Bearer ${token}`,
});

const send = (body: string, changes: Record<string, string> = {}) =>
  post(`${boundary.url}/mcp/desk`, { ...headers(), ...changes }, body);

const CALL = toolCall("item_get", { id: "7" });
const good = JSON.stringify(CALL);

/** The head of a POST by hand; the caller says how the body comes. */
function head(...lines: string[]): string {
  const own = Object.entries(headers()).map(([name, value]) => `${name}: ${value}`);
  const host = `Host: ${new URL(boundary.url).host}`;
  return ["POST /mcp/desk HTTP/1.1", host, ...own, ...lines, "", ""].join("\r\n");
}

/** Nothing ran, nothing leaked, and the next request is served. */
async function expectUnharmed(text: string): Promise<void> {
  expect(text).not.toMatch(STACK);
  expect(boundary.api.seen).toEqual([]);
  const { result } = await callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_get", {
    id: "7",
  });
  expect(result).toEqual({ id: "7", name: "a lamp" });
}

const nested = (open: string, close: string, levels: number): string =>
  open.repeat(levels) + "1" + close.repeat(levels);

const NOT_STRICT: Readonly<Record<string, string>> = {
  "no body": "",
  "no JSON": "hello",
  "half of it": good.slice(0, 60),
  "something after it": `${good} x`,
  "two of them": good + good,
  "a comment": `/* */${good}`,
  "a trailing comma": '{"a":1,}',
  "single quotes": "{'a':1}",
  NaN: '{"a":NaN}',
  "a number beyond a double": '{"a":1e400}',
  "a number with a leading zero": '{"a":01}',
  "a raw newline in a string": '{"a":"\n"}',
  "a BOM": `\ufeff${good}`,
  "a key given twice": good.replace('"id":1,', '"id":1,"method":"tools/list",'),
  "a key given twice, once escaped": '{"a":1,"\\u0061":2}',
  "a key given twice, deep inside": '{"a":[{"b":{"c":1,"c":1}}]}',
  "a __proto__ key": good.replace('{"id":"7"}', '{"__proto__":{"id":"7"}}'),
  "an escaped __proto__ key": '{"\\u005f_proto__":{}}',
  "objects too deep": nested('{"a":', "}", 13),
  "arrays too deep": nested("[", "]", 13),
  "arrays far too deep": "[".repeat(19_000),
  "too many keys": `{${Array.from({ length: 101 }, (_, i) => `"k${i}":1`).join(",")}}`,
  "too many items": `[${Array.from({ length: 101 }, () => "1").join(",")}]`,
};

describe("a body that is not strict JSON", () => {
  for (const [what, body] of Object.entries(NOT_STRICT)) {
    verifies("bad-input.bodies", `is refused with parse_error: ${what}`, async () => {
      const { status, message, text } = await send(body);
      expect(status).toBe(400);
      const data = { error: { code: "parse_error", effect: "none", retry: "never" } };
      expect(message).toMatchObject({ jsonrpc: "2.0", id: null, error: { code: -32700, data } });
      await expectUnharmed(text);
    });
  }

  verifies("bad-input.bodies", "is refused where it is not UTF-8", async () => {
    const latin = [0xff, 0xc3, 0xe9].map((byte) => Buffer.from([0x7b, 0x22, byte, 0x22]));
    const surrogate = Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]);
    const overlong = Buffer.from([0x22, 0xc0, 0xaf, 0x22]);
    for (const body of [...latin, surrogate, overlong, Buffer.from(good, "utf16le")]) {
      const start = head(`Content-Length: ${body.length}`, "Connection: close");
      const reply = await exchange(boundary.url, Buffer.concat([Buffer.from(start), body]));
      expect(readReply(reply)).toMatchObject({ status: 400 });
      await expectUnharmed(reply);
      await boundary.api.behave();
    }
  });

  verifies("bad-input.bodies", "is accepted at exactly the limits", async () => {
    const depth = nested("[", "]", LIMITS.depth_max - 3);
    // The call itself has three levels above, and eleven keys.
    const deep = await send(good.replace('{"id":"7"}', `{"id":${depth}}`));
    expect(deep.status).toBe(200);
    const padded = good + " ".repeat(LIMITS.body_bytes_max - good.length);
    expect((await send(padded)).status).toBe(200);
    expect((await send(`${padded} `)).status).toBe(413);
  });
});

describe("a body that is too large", () => {
  verifies("bad-input.bodies", "is refused by its length before it comes", async () => {
    const reply = await exchange(boundary.url, [head("Content-Length: 20001")]);
    expect(readReply(reply)).toMatchObject({ status: 413 });
    expect(readReply(reply).head.toLowerCase()).toContain("connection: close");
    await expectUnharmed(reply);
  });

  verifies("bad-input.bodies", "without a length is counted while it comes", async () => {
    const line = await Line.open(boundary.url);
    const chunk = `1000\r\n${" ".repeat(4096)}\r\n`;
    line.send(head("Transfer-Encoding: chunked") + chunk.repeat(5));
    expect(readReply(await line.closed())).toMatchObject({ status: 413 });
    await expectUnharmed(line.received);
  });

  verifies("bad-input.bodies", "is not unpacked: a compressed bomb is only bytes", async () => {
    for (const encoding of ["gzip", "br", "deflate"]) {
      const { status, text } = await send(good, { "content-encoding": encoding });
      expect(status).toBe(415);
      await expectUnharmed(text);
      await boundary.api.behave();
    }
  });
});

describe("a body of another type", () => {
  const TYPES = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""];
  for (const type of [...TYPES, "application/jsonp", "text/json", "application/json/x"]) {
    verifies("bad-input.bodies", `is refused: "${type}"`, async () => {
      const { status, text } = await send(good, { "content-type": type });
      expect(status).toBe(415);
      await expectUnharmed(text);
    });
  }

  verifies("bad-input.bodies", "is refused: no type", async () => {
    const start = head(`Content-Length: ${good.length}`, "Connection: close");
    const reply = await exchange(boundary.url, [start.replace(/content-type.*\r\n/, "") + good]);
    expect(readReply(reply).status).toBe(415);
    await expectUnharmed(reply);
  });
});

describe("a JSON value that is no message", () => {
  for (const body of ["null", "1", '""', "[]", "{}", "true", '{"jsonrpc":"1.0"}', "[[]]", "[1]"]) {
    verifies("bad-input.bodies", `is refused: ${body}`, async () => {
      for (const changes of [{}, { "mcp-protocol-version": "2025-03-26", "mcp-method": "" }]) {
        const { status, text, message } = await send(body, changes);
        expect(status).toBe(400);
        expect(message).toMatchObject({ error: expect.anything() });
        await expectUnharmed(text);
        await boundary.api.behave();
      }
    });
  }

  verifies("bad-input.bodies", "a batch runs nothing in either era", async () => {
    const legacy = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "item_get" } };
    const bodies = [`[${good}]`, `[${good},${good}]`, JSON.stringify([legacy, legacy])];
    for (const body of bodies) {
      const { status, text } = await send(body);
      expect(status).toBe(400);
      await expectUnharmed(text);
      await boundary.api.behave();
    }
  });
});

describe("a request that two parsers could read differently", () => {
  const SMUGGLED: Readonly<Record<string, () => string>> = {
    "both lengths": () =>
      `${head("Content-Length: 5", "Transfer-Encoding: chunked")}0\r\n\r\nGET /metrics HTTP/1.1`,
    "both lengths, the other way": () =>
      `${head("Transfer-Encoding: chunked", "Content-Length: 5")}0\r\n\r\nGET /metrics HTTP/1.1`,
    "two lengths": () => `${head("Content-Length: 5", "Content-Length: 6")}12345`,
    "a negative length": () => head("Content-Length: -1"),
    "a length with a sign": () => `${head("Content-Length: +5")}12345`,
    "an unknown coding": () => `${head("Transfer-Encoding: xchunked")}0\r\n\r\n`,
    "a coding after chunked": () => `${head("Transfer-Encoding: chunked, identity")}0\r\n\r\n`,
    "a space before the colon": () => `${head("Transfer-Encoding : chunked")}0\r\n\r\n`,
    "a folded header": () => head("X-A: b", " c: d"),
    "a bare newline": () => head("X-A: b\nTransfer-Encoding: chunked"),
    "a NUL": () => head("X-A: \u0000"),
    "a chunk size that is no number": () => `${head("Transfer-Encoding: chunked")}zz\r\n`,
    "a newline in the path": () => head().replace("/mcp/desk", "/mcp/desk\n"),
    "no HTTP": () => "\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n",
    "another protocol": () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  };
  for (const [what, bytes] of Object.entries(SMUGGLED)) {
    verifies("bad-input.bodies", `is answered 400 and cut off: ${what}`, async () => {
      const reply = await exchange(boundary.url, [bytes()]);
      expect(readReply(reply).status).toBe(400);
      expect(reply.match(/HTTP\/1\.1 \d/g)).toHaveLength(1);
      await expectUnharmed(reply);
    });
  }

  verifies("bad-input.bodies", "headers beyond the cap are answered 431", async () => {
    const reply = await exchange(boundary.url, [head(`X-Big: ${"x".repeat(100_000)}`)]);
    expect(readReply(reply).status).toBe(431);
    await expectUnharmed(reply);
  });

  verifies("bad-input.bodies", "pipelined requests are answered in order, each once", async () => {
    const body = (id: number): string => good.replace('"id":1', `"id":${id}`);
    const one = (id: number, ...more: string[]): string =>
      head(`Content-Length: ${body(id).length}`, ...more) + body(id);
    const reply = await exchange(boundary.url, [one(1) + one(2) + one(3, "Connection: close")]);
    expect(reply.match(/HTTP\/1\.1 200/g)).toHaveLength(3);
    const ids = [...reply.matchAll(/"jsonrpc":"2\.0","id":(\d)/g)].map(([, id]) => id);
    expect(ids).toEqual(["1", "2", "3"]);
    expect(boundary.api.seen).toHaveLength(3);
  });
});

describe("a method or a target that is not ours", () => {
  verifies("errors.no-leak", "answers 4xx without an internal error", async () => {
    const lines = [
      "GET // HTTP/1.1",
      "GET //evil.test/metrics HTTP/1.1",
      "GET http://evil.test/healthz HTTP/1.1",
      "GET http:// HTTP/1.1",
      "OPTIONS * HTTP/1.1",
      "TRACE /healthz HTTP/1.1",
      "TRACE /mcp/desk HTTP/1.1",
      "PROPFIND /mcp/desk HTTP/1.1",
      "PUT /mcp/desk HTTP/1.1",
      "PATCH /mcp/desk HTTP/1.1",
      "HEAD /mcp/desk HTTP/1.1",
      "GET /mcp/desk HTTP/1.1",
      "POST /healthz HTTP/1.1",
      "DELETE /metrics HTTP/1.1",
      "GET /%00 HTTP/1.1",
      "GET /%ff%fe HTTP/1.1",
      "GET /../../etc/passwd HTTP/1.1",
      "GET /.well-known/oauth-protected-resource/mcp/%2e%2e HTTP/1.1",
      "GET /\\..\\ HTTP/1.1",
    ];
    for (const line of lines) {
      const request = head("Connection: close").replace(/^POST .*/, line);
      const { status, body } = readReply(await exchange(boundary.url, [request]));
      expect({ line, ok: status >= 400 && status < 500 }).toEqual({ line, ok: true });
      expect(body).not.toMatch(/"internal"|evil/);
    }
    expect(boundary.logged()).not.toContain("a request failed");
    await expectUnharmed("");
  });
});
