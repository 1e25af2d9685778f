// Ways out of the one origin that a connector has: redirects, special addresses, methods (T36).
import { afterAll, beforeAll, beforeEach, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { openPeer } from "../setup/hostile-peer.ts";
import type { Peer } from "../setup/hostile-peer.ts";
import { json } from "../setup/hostile-provider.ts";
import { callTool, mcpHeaders, post, toolCall } from "../setup/mcp-post.ts";
import type { Called } from "../setup/mcp-post.ts";
import { verifies } from "../verifies.ts";

let boundary: Boundary;
let attacker: Peer;
const attacked: string[] = [];
let token: string;

beforeAll(async () => {
  boundary = await openBoundary();
  attacker = await openPeer();
  attacker.serve((req, res) => {
    attacked.push(`${req.method} ${req.url}`);
    json(res, 200, { id: "7", name: "from the attacker" });
  });
  token = await boundary.token("desk");
});

beforeEach(() => boundary.api.behave());

afterAll(async () => {
  await attacker.close();
  await boundary.close();
});

const call = (tool: string, args: unknown = {}): Promise<Called> =>
  callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, tool, args);

describe("a redirect", () => {
  const targets: Readonly<Record<string, () => Record<string, string>>> = {
    "to the attacker": () => ({ location: `${attacker.origin}/steal` }),
    "to the attacker without a scheme": () => ({
      location: attacker.origin.replace("http:", ""),
    }),
    "to the cloud's metadata": () => ({ location: "http://169.254.169.254/latest/" }),
    "to itself": () => ({ location: "/items/8/card" }),
    "by Refresh": () => ({ refresh: `0; url=${attacker.origin}/steal` }),
    "by Link": () => ({ link: `<${attacker.origin}/steal>; rel="canonical"` }),
  };
  for (const [where, headers] of Object.entries(targets)) {
    verifies("broker.origin-only", `${where} is not followed, whatever its status`, async () => {
      for (const status of [301, 302, 303, 307, 308]) {
        await boundary.api.behave();
        boundary.api.answer = (res) => res.writeHead(status, headers()).end("{}");
        const read = await call("item_get", { id: "7" });
        expect(read.error).toMatchObject({ code: "downstream_error", effect: "none" });
        expect(read.error?.details).toEqual({ status });
        const write = await call("item_rename", { id: "7", name: "x" });
        expect(write.error).toMatchObject({ code: "downstream_error", effect: "unknown" });
        expect(boundary.api.seen).toHaveLength(2);
        expect(write.text + read.text).not.toContain(attacker.origin);
      }
      expect(attacked).toEqual([]);
    });
  }
});

describe("an address that is not dialled", () => {
  const PLACES: Readonly<Record<string, string>> = {
    literal_get: "a loopback address, where private ones are not allowed",
    named_get: "a name that resolves to one",
    metadata_get: "the cloud's metadata address, even where private ones are allowed",
    mapped_get: "the same, as an IPv4-mapped IPv6 address",
  };
  for (const [tool, what] of Object.entries(PLACES)) {
    verifies(["broker.origin-only", "errors.effect"], `is ${what}`, async () => {
      const called = await call(tool);
      expect(called.error).toMatchObject({
        code: "egress_refused",
        effect: "none",
        retry: "never",
        who_can_fix: "operator",
      });
      expect(called.text).not.toMatch(/169\.254|127\.0\.0\.1|localhost|a9fe:/);
      expect(boundary.api.seen).toEqual([]);
      const halves = boundary.ledger().filter(({ call_id }) => call_id === called.call_id);
      expect(halves).toMatchObject([
        { kind: "intent" },
        { kind: "outcome", error_code: "egress_refused", outcome: "downstream_error" },
      ]);
    });
  }
});

describe("the request", () => {
  verifies(
    "broker.origin-only",
    "carries what the broker put there, and nothing else",
    async () => {
      await call("item_rename", { id: "7", name: "x" });
      const [seen] = boundary.api.seen;
      const names = (seen?.raw_headers ?? []).filter((_, i) => i % 2 === 0);
      expect(names.map((name) => name.toLowerCase()).toSorted()).toEqual([
        "accept",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        // This connector names a header for it, and each write has one.
        "idempotency-key",
        "traceparent",
        "user-agent",
        "x-request-id",
      ]);
      expect(seen?.headers.host).toBe(new URL(boundary.api.origin).host);
    },
  );

  verifies("broker.origin-only", "passes no header of the client's on", async () => {
    const own = {
      "x-forwarded-for": "6.6.6.6",
      "x-forwarded-host": "evil.test",
      "x-http-method-override": "DELETE",
      "x-note": "from the client",
      cookie: "a=b",
      "proxy-authorization": "Basic eA==",
      "idempotency-key": "k",
      baggage: "user=eve",
    };
    const headers = { ...mcpHeaders("tools/call", "item_get"), ...own };
    const body = JSON.stringify(toolCall("item_get", { id: "7" }));
    await post(`${boundary.url}/mcp/desk`, { ...headers, authorization: `Bearer ${token}` }, body);
    const seen = boundary.api.seen[0]?.headers ?? {};
    for (const name of Object.keys(own)) expect(Object.hasOwn(seen, name)).toBe(false);
    // None of them could stand in a token by chance.
    expect(JSON.stringify(seen)).not.toMatch(/6\.6\.6\.6|evil\.test|user=eve/);
  });
});
