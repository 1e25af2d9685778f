// A remote MCP server that asks, redirects, gives tokens back, never ends, or talks nonsense: each
// ends the call, with what may have happened said as it is.
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect } from "vitest";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { protectionOf } from "../../src/identity/protected-resource.ts";
import { createGuardedFetch } from "../../src/identity/guarded-fetch.ts";
import { Secret } from "../../src/kernel/secret.ts";
import type { Attempt } from "../../src/sandbox/broker.ts";
import { openHttpWay } from "../../src/sandbox/upstream/http.ts";
import type {
  UpstreamMcp,
  UpstreamTurn,
  UpstreamWay,
} from "../../src/sandbox/upstream/upstream.ts";
import { openPeer } from "../setup/hostile-peer.ts";
import type { Peer } from "../setup/hostile-peer.ts";
import { json } from "../setup/hostile-provider.ts";
import { verifies } from "../verifies.ts";

type Message = { id?: number; method: string; params?: Record<string, unknown> };
type Answer = (message: Message, res: ServerResponse, req: IncomingMessage) => unknown;

const TOKEN = "a-users-token-that-nobody-else-may-have";
let peer: Peer;
let changes = 0;
const ways: UpstreamWay[] = [];

beforeAll(async () => {
  peer = await openPeer();
});
afterAll(async () => {
  await Promise.all([...ways.map((way) => way.close()), peer.close()]);
});

function open(allow_private_addresses = true): UpstreamMcp {
  const way = openHttpWay(
    {
      mcp: { url: `${peer.origin}/mcp`, check_s: 60 },
      allow_private_addresses,
      delegation: { kind: "exchange", resource: "https://mcp.test", extra_scopes: [] },
    },
    "1",
  );
  if (way === undefined) throw new Error("no way");
  ways.push(way);
  return way.open(undefined, () => void changes++);
}

function turn(more: Partial<UpstreamTurn> = {}): UpstreamTurn {
  return {
    token: new Secret(TOKEN),
    connector: { headers: {}, request_id_header: "X-Request-Id" },
    call_id: "a-call",
    traceparent: undefined,
    left_ms: () => 20_000,
    bytes_max: 4096,
    signals: [],
    moved: () => undefined,
    note: () => () => undefined,
    ...more,
  };
}

const result = (id: number | undefined, value: object): object => ({
  jsonrpc: "2.0",
  id,
  result: value,
});
const HELLO = {
  protocolVersion: "2025-06-18",
  capabilities: {},
  serverInfo: { name: "p", version: "1" },
};

/** A server of 2025-06-18 that greets well, and does `answer` from then on. */
function serve(answer: Answer): void {
  peer.serve(async (req, res) => {
    const message = JSON.parse(await text(req)) as Message;
    if (message.method === "server/discover") return json(res, 400, {});
    if (message.method === "initialize") return json(res, 200, result(message.id, HELLO));
    if (message.id === undefined) return res.writeHead(202).end();
    return answer(message, res, req);
  });
}

function events(res: ServerResponse, ...data: readonly object[]): ServerResponse {
  res.writeHead(200, { "content-type": "text/event-stream" });
  for (const one of data) res.write(`event: message\ndata: ${JSON.stringify(one)}\n\n`);
  return res;
}

const fine = { content: [{ type: "text", text: "fine" }] };

verifies(
  "upstream.hostile",
  "a question of the server's own ends the call, and is answered by nobody",
  async () => {
    for (const method of ["elicitation/create", "sampling/createMessage", "roots/list"]) {
      // It waits for an answer that never comes; the stream stays open.
      serve((_message, res) => events(res, { jsonrpc: "2.0", id: 7, method, params: {} }));
      const answer = await open().call("x", {}, turn());
      expect(answer).toMatchObject({
        ok: false,
        sent: true,
        refusal: { code: "downstream_error", details: { asked: method } },
      });
    }
    serve(({ id }, res) => json(res, 200, result(id, { resultType: "input_required" })));
    const asked = await open().call("x", {}, turn());
    expect(asked).toMatchObject({ ok: false, refusal: { details: { asked: "input_required" } } });
  },
);

verifies(
  "upstream.hostile",
  "an answer with the token in it is withheld, however it is written",
  async () => {
    const spelled = Array.from(
      TOKEN,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
    ).join("");
    for (const said of [TOKEN, spelled]) {
      serve(({ id }, res) => {
        res.writeHead(200, { "content-type": "text/event-stream" });
        const block = `{"type":"text","text":"${said}"}`;
        const body = `{"jsonrpc":"2.0","id":${id},"result":{"content":[${block}]}}`;
        res.write(`data: ${body}\n\n`);
      });
      expect(await open().call("x", {}, turn())).toMatchObject({
        ok: false,
        sent: true,
        refusal: { code: "credential_exposed" },
      });
    }
  },
);

verifies(
  "upstream.hostile",
  "redirects, refusals and nonsense are each named, without their words",
  async () => {
    const cases: readonly (readonly [Answer, string, RegExp])[] = [
      [
        (_m, res) => res.writeHead(307, { location: "https://elsewhere.test" }).end(),
        "downstream_error",
        /redirect/,
      ],
      [(_m, res) => json(res, 401, { why: "SECRET" }), "downstream_error", /401/],
      [(_m, res) => json(res, 429, {}), "downstream_rate_limited", /^$/],
      [
        (_m, res) => res.writeHead(200, { "content-type": "text/html" }).end("<p>SECRET"),
        "downstream_error",
        /no JSON/,
      ],
      [(_m, res) => events(res).end("data: {SECRET\n\n"), "downstream_error", /something else/],
      [(_m, res) => events(res).end(), "downstream_error", /no response/],
      [
        ({ id = 0 }, res) => json(res, 200, result(id + 1, fine)),
        "downstream_error",
        /no response/,
      ],
      [
        ({ id }, res) =>
          json(res, 200, { jsonrpc: "2.0", id, error: { code: -32602, message: "SECRET" } }),
        "downstream_error",
        /-32602/,
      ],
      [
        ({ id }, res) => json(res, 200, result(id, { content: "SECRET" })),
        "downstream_error",
        /no tool's result/,
      ],
      [
        ({ id }, res) => json(res, 200, result(id, { content: ["x".repeat(5000)] })),
        "downstream_error",
        /more than 4096 bytes/,
      ],
      [(_m, res) => res.destroy(), "downstream_unavailable", /^$/],
    ];
    for (const [answer, code, reason] of cases) {
      serve(answer);
      const got = await open().call("x", {}, turn());
      if (got.ok) throw new Error("it went well");
      expect([got.refusal.code, got.sent]).toEqual([code, true]);
      expect(got.refusal.reason ?? "").toMatch(reason);
      expect(JSON.stringify({ ...got.refusal, cause: "" })).not.toContain("SECRET");
    }
  },
);

verifies(
  "upstream.hostile",
  "what is cut off before the call was sent is known not to have happened",
  async () => {
    serve((_m, res) => json(res, 200, result(1, fine)));
    expect(await open(false).call("x", {}, turn())).toMatchObject({
      ok: false,
      sent: false,
      refusal: { code: "egress_refused" },
    });
    expect(await open().call("x", {}, turn({ left_ms: () => 0 }))).toMatchObject({
      ok: false,
      sent: false,
      refusal: { code: "timeout" },
    });
    const ended = turn({ signals: [AbortSignal.abort()] });
    expect(await open().call("x", {}, ended)).toMatchObject({ ok: false, sent: false });
  },
);

verifies("upstream.hostile", "a list that names a tool twice, or never ends, is none", async () => {
  const tool = { name: "a", inputSchema: { type: "object" } };
  serve(({ id }, res) => json(res, 200, result(id, { tools: [tool, tool] })));
  expect(await open().list(turn())).toMatchObject({ ok: false });
  let page = 0;
  serve(({ id }, res) =>
    json(res, 200, result(id, { tools: [{ ...tool, name: `t${page++}` }], nextCursor: "more" })),
  );
  expect(await open().list(turn())).toMatchObject({ ok: false });
  expect(page).toBe(50);
});

verifies(
  "upstream.session",
  "a session that is over is said to be gone, and the next request opens another",
  async () => {
    let over = false;
    const sessions: unknown[] = [];
    peer.serve(async (req, res) => {
      const { id, method } = JSON.parse(await text(req)) as Message;
      if (method === "server/discover") return json(res, 400, {});
      if (method === "initialize") res.setHeader("mcp-session-id", `s${sessions.push(method)}`);
      if (method === "initialize") return json(res, 200, result(id, HELLO));
      if (id === undefined) return res.writeHead(202).end();
      if (over && req.headers["mcp-session-id"] === "s1") return json(res, 404, {});
      return json(res, 200, result(id, fine));
    });
    const mcp = open();
    expect(await mcp.call("x", {}, turn())).toMatchObject({ ok: true });
    over = true;
    expect(await mcp.call("x", {}, turn())).toMatchObject({ ok: false, gone: true });
    expect(await mcp.call("x", {}, turn())).toMatchObject({ ok: true });
    expect(sessions).toHaveLength(2);
  },
);

verifies(
  "upstream.session",
  "what was asked as nobody says farewell as nobody; a user's token is kept for none",
  async () => {
    const farewells: [unknown, unknown][] = [];
    peer.serve(async (req, res) => {
      const { authorization, "mcp-session-id": session } = req.headers;
      if (req.method === "DELETE") {
        farewells.push([session, authorization]);
        return json(res, 200, {});
      }
      const { id, method } = JSON.parse(await text(req)) as Message;
      if (method === "server/discover") return json(res, 500, {});
      if (method === "initialize") res.setHeader("mcp-session-id", "s1");
      if (method === "initialize") return json(res, 200, result(id, HELLO));
      if (id === undefined) return res.writeHead(202).end();
      return json(res, 200, result(id, { tools: [] }));
    });
    for (const more of [{}, { token: undefined }]) {
      const mcp = open();
      expect(await mcp.list(turn(more))).toMatchObject({ ok: true });
      await mcp.close();
    }
    expect(farewells).toEqual([["s1", undefined]]);
  },
);

verifies("upstream.drift", "that its tools changed is heard on the way of an answer", async () => {
  const before = changes;
  const changed = { jsonrpc: "2.0", method: "notifications/tools/list_changed" };
  // Who only asks whether anybody is there ends no call.
  const ping = { jsonrpc: "2.0", id: 9, method: "ping" };
  serve(({ id }, res) => events(res, ping, changed, result(id, fine)));
  expect(await open().call("x", {}, turn())).toMatchObject({ ok: true, value: fine });
  expect(changes).toBe(before + 1);
});

verifies(
  "upstream.eras",
  "a server of 2026-07-28 is spoken to without a session, with its headers",
  async () => {
    const seen: IncomingMessage["headers"][] = [];
    const handler = createMcpHandler(
      () => {
        const server = new McpServer({ name: "modern", version: "1" });
        const about = { description: "Doubles", inputSchema: z.object({ n: z.number() }) };
        server.registerTool("double", about, ({ n }) => ({
          content: [{ type: "text", text: String(n * 2) }],
        }));
        return server;
      },
      { legacy: "reject" },
    );
    peer.serve(async (req, res) => {
      seen.push(req.headers);
      const init = {
        method: "POST",
        headers: req.headers as Record<string, string>,
        body: await text(req),
      };
      const answer = await handler.fetch(new Request(`${peer.origin}/mcp`, init));
      res.writeHead(answer.status, Object.fromEntries(answer.headers));
      res.end(await answer.text());
    });
    const attempts: Attempt[] = [];
    const note = () => (attempt: Attempt) => void attempts.push(attempt);
    const mcp = open();
    expect(await mcp.list(turn())).toMatchObject({ ok: true, value: [{ name: "double" }] });
    expect(await mcp.call("double", { n: 21 }, turn({ note }))).toMatchObject({
      ok: true,
      value: { content: [{ type: "text", text: "42" }] },
    });
    expect(seen.map((one) => [one["mcp-method"], one["mcp-name"], one["mcp-session-id"]])).toEqual([
      ["server/discover", undefined, undefined],
      ["tools/list", undefined, undefined],
      ["tools/call", "double", undefined],
    ]);
    const sent = { method: "POST", url: `${peer.origin}/mcp`, request_id: "a-call" };
    expect(attempts).toEqual([sent, { ...sent, status: 200 }]);
    await handler.close();
  },
);

verifies(
  "upstream.eras",
  "an older version that the server wants is what it gets; an unknown one is refused",
  async () => {
    for (const [version, ok] of [
      ["2025-03-26", true],
      ["2024-11-05", false],
    ] as const) {
      const versions: unknown[] = [];
      peer.serve(async (req, res) => {
        const { id, method } = JSON.parse(await text(req)) as Message;
        if (method === "server/discover") {
          return json(res, 200, { jsonrpc: "2.0", id, error: { code: -32601, message: "?" } });
        }
        if (method === "initialize")
          return json(res, 200, result(id, { protocolVersion: version }));
        if (id === undefined) return res.writeHead(202).end();
        versions.push(req.headers["mcp-protocol-version"]);
        return json(res, 200, result(id, fine));
      });
      expect(await open().call("x", {}, turn())).toMatchObject({ ok });
      expect(versions).toEqual(ok ? [version] : []);
    }
  },
);

verifies(
  "upstream.discovery",
  "whose token a server wants is read from its own origin, and of itself alone",
  async () => {
    const guarded = createGuardedFetch(true);
    const url = new URL(`${peer.origin}/a/mcp`);
    const about = {
      resource: url.href,
      authorization_servers: ["https://login.test"],
      scopes_supported: ["x"],
    };
    const well_known = "/.well-known/oauth-protected-resource";
    const ask = async (challenge: string, at: string, document: object) => {
      peer.serve((req, res) => {
        if (req.method === "GET") return json(res, req.url === at ? 200 : 404, document);
        res.setHeader("www-authenticate", challenge);
        return json(res, 401, {});
      });
      return protectionOf(url, guarded).catch((error: unknown) => (error as Error).message);
    };
    const found = { resource: url.href, issuers: ["https://login.test"], scopes: ["x"] };
    try {
      expect(await ask("Bearer", `${well_known}/a/mcp`, about)).toEqual(found);
      expect(await ask("Bearer", well_known, { ...about, resource: peer.origin })).toMatchObject({
        resource: peer.origin,
      });
      const meta = `${peer.origin}/meta`;
      const named = `Bearer error="invalid_token", scope="a b", resource_metadata="${meta}"`;
      expect(await ask(named, "/meta", about)).toEqual({ ...found, scopes: ["a", "b"] });
      const away = 'Bearer resource_metadata="https://elsewhere.test/meta"';
      expect(await ask(away, "/meta", about)).toMatch(/not at http/);
      const other = { ...about, resource: `${peer.origin}/b/mcp` };
      expect(await ask("Bearer", `${well_known}/a/mcp`, other)).toMatch(/another resource's/);
      const plain = { ...about, authorization_servers: ["http://login.test"] };
      expect(await ask("Bearer", `${well_known}/a/mcp`, plain)).toMatch(/no authorization server/);
      expect(await ask("Bearer", "/nowhere", about)).toMatch(/does not say whose/);
    } finally {
      await guarded.close();
    }
  },
);
