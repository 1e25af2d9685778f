// scratch
import { test, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import { callTool, mcpHeaders, rpc, toolCall } from "../setup/mcp-post.ts";
import { exchange, readReply } from "../setup/raw-http.ts";
test("x", async () => {
  const b = await openBoundary({ file: { http: { body_bytes_max: 20000, headers_timeout_ms: 500, request_timeout_ms: 1000, depth_max: 12, keys_max: 100 } } });
  const t = await b.token("desk");
  const host = new URL(b.url).host;
  const H = ["Host: " + host];
  const A = [...H, `Authorization: Bearer ${t}`, ...Object.entries(mcpHeaders("tools/call","item_get")).map(([k,v]) => `${k}: ${v}`)];
  const body = JSON.stringify(toolCall("item_get", { id: "7" }));
  const big = "x".repeat(25000);
  const cases: Record<string, string[]> = {
    dslash: ["GET // HTTP/1.1", ...H],
    abs: ["GET http://evil.test/healthz HTTP/1.1", ...H],
    absmcp: ["POST http://evil.test/mcp/desk HTTP/1.1", ...A],
    star: ["OPTIONS * HTTP/1.1", ...H],
    trace: ["TRACE /healthz HTTP/1.1", ...H],
    tracemcp: ["TRACE /mcp/desk HTTP/1.1", ...A],
    connect: ["CONNECT evil.test:80 HTTP/1.1", ...H],
    post: ["POST /healthz HTTP/1.1", ...H],
    upgrade: ["GET /mcp/desk HTTP/1.1", ...A, "Upgrade: websocket", "Connection: upgrade"],
    get: ["GET /mcp/desk HTTP/1.1", ...A],
    put: ["PUT /mcp/desk HTTP/1.1", ...A],
    patch: ["PATCH /mcp/desk HTTP/1.1", ...A],
    del: ["DELETE /mcp/desk HTTP/1.1", ...A],
    head: ["HEAD /mcp/desk HTTP/1.1", ...A],
  };
  for (const [n, l] of Object.entries(cases)) {
    const p = exchange(b.url, [...l, "Connection: close", "", ""]);
    const r = await Promise.race([p, new Promise((res) => setTimeout(res, 3000, "HANG"))]);
    console.log(n, JSON.stringify(r).slice(0, 700));
  }
  const bodies: Record<string, string[]> = {
    ok: [`Content-Length: ${body.length}`, "Connection: close", "", body],
    toolong: [`Content-Length: ${big.length}`, "Connection: close", "", big],
    chunked: [`Transfer-Encoding: chunked`, "", "61a8", big, "0", "", ""],
    chunkedhang: [`Transfer-Encoding: chunked`, "", "61a8", big, ""],
    clte: [`Content-Length: 5`, "Transfer-Encoding: chunked", "", "0", "", "GET /metrics HTTP/1.1", ...H, "", ""],
    tecl: [`Transfer-Encoding: xchunked`, "Content-Length: 5", "", "0", "", ""],
    clcl: [`Content-Length: 5`, "Content-Length: 6", "", "12345"],
    tespace: [`Transfer-Encoding : chunked`, "", "0", "", ""],
    obsfold: [`Content-Length: 5`, "X-A: b", " c: d", "", "12345"],
    lf: ["Content-Length: 2\nX: y", "Connection: close", "", "{}"],
    dup: ["Content-Length: 13", "Connection: close", "", '{"a":1,"a":2}'],
    batch: [`Content-Length: ${body.length+2}`, "Connection: close", "", `[${body}]`],
    batch2: [`Content-Length: ${body.length*2+3}`, "Connection: close", "", `[${body},${body}]`],
    null: ["Content-Length: 4", "Connection: close", "", "null"],
    num: ["Content-Length: 1", "Connection: close", "", "1"],
    empty: ["Content-Length: 0", "Connection: close", "", ""],
    arr0: ["Content-Length: 2", "Connection: close", "", "[]"],
    obj: ["Content-Length: 2", "Connection: close", "", "{}"],
  };
  for (const [n, l] of Object.entries(bodies)) {
    const p = exchange(b.url, ["POST /mcp/desk HTTP/1.1", ...A, ...l]);
    const r = await Promise.race([p, new Promise((res) => setTimeout(res, 3000, "HANG"))]);
    console.log(n, JSON.stringify(r).slice(0, 900));
  }
  console.log(b.logged());
  await b.close();
}, 60000);
