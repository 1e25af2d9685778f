// DNS rebinding and foreign pages: which Host and which Origin a request may name.
import { afterAll, beforeAll, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { exchange, readReply } from "../setup/raw-http.ts";
import { STACK } from "../setup/strangers.ts";
import { verifies } from "../verifies.ts";

let boundary: Boundary;
let port: string;

beforeAll(async () => {
  boundary = await openBoundary({ file: { allowed_origins: ["https://page.test"] } });
  ({ port } = new URL(boundary.url));
});

afterAll(() => boundary.close());

const PATHS = [
  "/healthz",
  "/metrics",
  "/mcp/desk",
  "/nothing",
  "/.well-known/oauth-protected-resource/mcp/desk",
];

async function ask(path: string, lines: readonly string[], version = "1.1"): Promise<string> {
  const request = [`GET ${path} HTTP/${version}`, ...lines, "Connection: close", "", ""];
  return exchange(boundary.url, request);
}

describe("Host", () => {
  const FOREIGN: Readonly<Record<string, () => string[]>> = {
    "of another site": () => ["Host: evil.test"],
    "of another site on our port": () => [`Host: evil.test:${port}`],
    "with another port": () => ["Host: 127.0.0.1:1"],
    "without the port": () => ["Host: 127.0.0.1"],
    "with a dot at the end": () => [`Host: localhost.:${port}`],
    "with our name as a prefix": () => [`Host: 127.0.0.1.evil.test:${port}`],
    "with a user before it": () => [`Host: 127.0.0.1:${port}@evil.test`],
    "that is decimal": () => [`Host: 2130706433:${port}`],
    "of any address": () => [`Host: 0.0.0.0:${port}`],
    "that is empty": () => ["Host: "],
    "given twice, ours first": () => [`Host: 127.0.0.1:${port}`, "Host: evil.test"],
    "given twice, ours last": () => ["Host: evil.test", `Host: 127.0.0.1:${port}`],
    "said by a proxy to be ours": () => ["Host: evil.test", `X-Forwarded-Host: 127.0.0.1:${port}`],
  };
  for (const [what, lines] of Object.entries(FOREIGN)) {
    verifies("auth.host-and-origin", `${what} answers 403 on every path`, async () => {
      for (const path of PATHS) {
        const { status, head, body } = readReply(await ask(path, lines()));
        expect({ path, status }).toEqual({ path, status: 403 });
        expect(JSON.parse(body)).toMatchObject({ error: { code: "forbidden_origin" } });
        expect(head + body).not.toMatch(STACK);
        expect(body).not.toContain("evil");
      }
    });
  }

  verifies("auth.host-and-origin", "that is ours, in any of its forms, is served", async () => {
    const names = ["127.0.0.1", "localhost", "LocalHost", "[::1]"];
    for (const name of names) {
      const { status } = readReply(await ask("/healthz", [`Host: ${name}:${port}`]));
      expect({ name, status }).toEqual({ name, status: 200 });
    }
  });

  verifies("auth.host-and-origin", "missing is refused in HTTP/1.1 and in HTTP/1.0", async () => {
    expect(readReply(await ask("/healthz", [])).status).toBe(400);
    expect(readReply(await ask("/healthz", [], "1.0")).status).toBe(403);
    expect(readReply(await ask("/mcp/desk", [], "1.0")).status).toBe(403);
  });

  verifies("auth.host-and-origin", "is looked at before the body is read", async () => {
    const request = [
      "POST /mcp/desk HTTP/1.1",
      "Host: evil.test",
      "Content-Length: 1000000",
      "Connection: close",
      "",
      "",
    ];
    expect(readReply(await exchange(boundary.url, request)).status).toBe(403);
  });
});

describe("Origin", () => {
  const host = (): string => `Host: 127.0.0.1:${port}`;
  const FOREIGN: Readonly<Record<string, () => string[]>> = {
    "of another site": () => ["https://evil.test"],
    null: () => ["null"],
    "that is empty": () => [""],
    "with another scheme": () => [`https://127.0.0.1:${port}`],
    "with another port": () => ["http://127.0.0.1:1"],
    "with a path": () => [`${boundary.url}/`],
    "in capitals": () => [boundary.url.toUpperCase()],
    "below an allowed one": () => ["https://page.test.evil.test"],
    "given twice": () => [boundary.url, "https://evil.test"],
  };
  for (const [what, origins] of Object.entries(FOREIGN)) {
    verifies("auth.host-and-origin", `${what} answers 403 and no CORS header`, async () => {
      for (const path of PATHS) {
        const lines = origins().map((origin) => `Origin: ${origin}`);
        const { status, head } = readReply(await ask(path, [host(), ...lines]));
        expect({ path, status }).toEqual({ path, status: 403 });
        expect(head).not.toMatch(/access-control/i);
      }
    });
  }

  verifies("auth.host-and-origin", "of a page that may call is named, never a star", async () => {
    for (const origin of [boundary.url, "https://page.test"]) {
      const { status, head } = readReply(await ask("/mcp/desk", [host(), `Origin: ${origin}`]));
      expect(status).toBe(401);
      expect(head.toLowerCase()).toContain(`access-control-allow-origin: ${origin}`);
      expect(head).not.toMatch(/allow-credentials/i);
    }
  });

  verifies("auth.host-and-origin", "of a foreign page gets no preflight", async () => {
    const preflight = async (origin: string): Promise<number> => {
      const line = `OPTIONS /mcp/desk HTTP/1.1`;
      const lines = [line, host(), `Origin: ${origin}`, "Connection: close", "", ""];
      return readReply(await exchange(boundary.url, lines)).status;
    };
    expect(await preflight("https://evil.test")).toBe(403);
    expect(await preflight("https://page.test")).toBe(204);
  });
});

describe("what came through a proxy", () => {
  const PROXIED = [
    "Forwarded: for=1.2.3.4",
    "X-Forwarded-For: 1.2.3.4",
    "X-Forwarded-Host: a.test",
    "X-Forwarded-Proto: https",
    "X-Real-IP: 1.2.3.4",
    "Via: 1.1 a-proxy",
  ];
  for (const line of PROXIED) {
    verifies("house.health", `does not read /metrics: ${line}`, async () => {
      const host = `Host: 127.0.0.1:${port}`;
      expect(readReply(await ask("/metrics", [host])).status).toBe(200);
      expect(readReply(await ask("/metrics", [host, line])).status).toBe(403);
    });
  }
});
