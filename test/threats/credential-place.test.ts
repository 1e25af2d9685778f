// Where a credential may stand, and what a client without one is told (RFC 6750, RFC 9728).
import { afterAll, beforeAll, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { callTool, mcpHeaders, post, toolCall } from "../setup/mcp-post.ts";
import { exchange, readReply } from "../setup/raw-http.ts";
import { expectNoEcho, expectStranger } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

let boundary: Boundary;
let token: string;

beforeAll(async () => {
  boundary = await openBoundary();
  token = await boundary.token("desk");
});

afterAll(() => boundary.close());

const url = (): string => `${boundary.url}/mcp/desk`;
const body = JSON.stringify(toolCall("item_get", { id: "7" }));

function nothingRan(): void {
  expect(boundary.api.seen).toEqual([]);
  expect(boundary.ledger().filter(({ kind }) => kind !== "event")).toEqual([]);
}

describe("a credential in the wrong place", () => {
  const PLACES: Readonly<Record<string, () => Record<string, string>>> = {
    "no credential": () => ({}),
    "an empty Authorization": () => ({ authorization: "" }),
    "Bearer without a token": () => ({ authorization: "Bearer" }),
    Basic: () => ({ authorization: `Basic ${Buffer.from(`ada:${token}`).toString("base64")}` }),
    DPoP: () => ({ authorization: `DPoP ${token}` }),
    "the bare token": () => ({ authorization: token }),
    "two tokens in one value": () => ({ authorization: `Bearer ${token}, Bearer ${token}` }),
    "a token and something after it": () => ({ authorization: `Bearer ${token} x` }),
    "a tab instead of a space": () => ({ authorization: `Bearer\t${token}` }),
    "a cookie": () => ({ cookie: `access_token=${token}; authorization=Bearer ${token}` }),
    "a header of a proxy's": () => ({ "x-forwarded-access-token": token, "x-auth-token": token }),
    "a user named by a header": () => ({ "x-forwarded-user": "ada", "x-remote-user": "ada" }),
  };
  for (const [what, headers] of Object.entries(PLACES)) {
    verifies(["auth.challenge", "bad-input.tokens"], `${what} lets nobody in`, async () => {
      const posted = await post(
        url(),
        { ...mcpHeaders("tools/call", "item_get"), ...headers() },
        body,
      );
      expectStranger(boundary, "desk", posted);
      expectNoEcho(token, posted.text, JSON.stringify([...posted.headers]), boundary.logged());
      nothingRan();
    });
  }

  verifies("auth.challenge", "a token in the query is none", async () => {
    for (const name of ["access_token", "token", "authorization"]) {
      const posted = await post(
        `${url()}?${name}=${token}`,
        mcpHeaders("tools/call", "item_get"),
        body,
      );
      expectStranger(boundary, "desk", posted);
      expectNoEcho(token, posted.text, boundary.logged());
    }
    nothingRan();
  });

  verifies("bad-input.tokens", "two Authorization headers are none, in either order", async () => {
    const other = await boundary.token("desk", { sub: "eve" });
    for (const pair of [
      [token, other],
      [other, token],
      [token, token],
      [token, "x"],
    ]) {
      const lines = pair.map((one) => `Authorization: Bearer ${one}`);
      const reply = await exchange(boundary.url, [
        "POST /mcp/desk HTTP/1.1",
        `Host: ${new URL(boundary.url).host}`,
        ...lines,
        ...headerLines("tools/call", "item_get"),
        `Content-Length: ${body.length}`,
        "Connection: close",
        "",
        body,
      ]);
      expect(readReply(reply).status).toBe(401);
    }
    nothingRan();
  });
});

function headerLines(method: string, name: string): string[] {
  return Object.entries(mcpHeaders(method, name)).map(([key, value]) => `${key}: ${value}`);
}

describe("the challenge", () => {
  verifies("auth.challenge", "without a credential names no error", async () => {
    const { headers } = await callTool(url(), undefined, "item_get", { id: "7" });
    const metadata = `${boundary.url}/.well-known/oauth-protected-resource/mcp/desk`;
    expect(headers.get("www-authenticate")).toBe(`Bearer resource_metadata="${metadata}"`);
  });

  verifies("auth.challenge", "says that a token has expired, in one quoted line", async () => {
    const now = Math.floor(Date.now() / 1000);
    const old = await boundary.token("desk", { iat: now - 600, exp: now - 60 });
    const { headers } = await callTool(url(), `Bearer ${old}`, "item_get", { id: "7" });
    expect(headers.get("www-authenticate")).toMatch(
      /^Bearer error="invalid_token", error_description="[^"\\]*expired[^"\\]*", resource_meta/,
    );
  });

  verifies("auth.challenge", "asks for the one scope that names the agent", async () => {
    const { headers } = await callTool(`${boundary.url}/mcp/scope_a`, undefined, "x", {});
    expect(headers.get("www-authenticate")).toMatch(/, scope="agent:a"$/);
  });

  verifies("auth.challenge", "comes for every method, and before any body is read", async () => {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]) {
      const response = await fetch(url(), { method });
      expect({ method, status: response.status }).toEqual({ method, status: 401 });
    }
    // The body never comes: whoever waits for it hangs.
    const reply = await exchange(boundary.url, [
      "POST /mcp/desk HTTP/1.1",
      `Host: ${new URL(boundary.url).host}`,
      "Content-Type: application/json",
      "Content-Length: 1000000",
      "Connection: close",
      "",
      "{",
    ]);
    expect(readReply(reply).status).toBe(401);
  });

  verifies("auth.challenge", "is not given on a path that is no agent's", async () => {
    const bearer = `Bearer ${token}`;
    const paths = ["nobody", "__proto__", "constructor", "toString", "desk/", "desk/x", "DESK", ""];
    for (const path of paths) {
      const headers = { ...mcpHeaders("tools/call", "item_get"), authorization: bearer };
      const posted = await post(`${boundary.url}/mcp/${path}`, headers, body);
      expect({ path, status: posted.status }).toEqual({ path, status: 404 });
      expect(posted.headers.get("www-authenticate")).toBeNull();
    }
    nothingRan();
  });
});

describe("the metadata", () => {
  const AGENTS = ["desk", "garage", "scope_a", "scope_b", "client_a", "client_b"];
  for (const agent of AGENTS) {
    verifies("auth.metadata", `of ${agent} is at the address in the challenge`, async () => {
      const { headers } = await callTool(`${boundary.url}/mcp/${agent}`, undefined, "x", {});
      const said = /resource_metadata="([^"]+)"/.exec(headers.get("www-authenticate") ?? "");
      const response = await fetch(said?.[1] ?? "");
      expect(response.headers.get("content-type")).toMatch(/^application\/json/);
      const scopes = agent.startsWith("scope_") ? { scopes_supported: [`agent:${agent[6]}`] } : {};
      expect(await response.json()).toEqual({
        resource: `${boundary.url}/mcp/${agent}`,
        resource_name: "An agent",
        authorization_servers: [boundary.provider.issuer],
        bearer_methods_supported: ["header"],
        ...scopes,
      });
    });
  }

  verifies("auth.metadata", "exists for no agent that does not, and in no root form", async () => {
    for (const tail of ["/mcp/nobody", "/mcp/__proto__", "/mcp", ""]) {
      const response = await fetch(`${boundary.url}/.well-known/oauth-protected-resource${tail}`);
      expect(response.status).toBe(404);
    }
  });
});
