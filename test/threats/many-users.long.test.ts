// Five hundred users at once, whose requests have the same JSON-RPC ids: an API that answers with
// whom it was asked by, and every answer is read by the one who asked (CVE-2026-25536).
import { createReadStream, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Agent, fetch } from "undici";
import type { Response } from "undici";
import { afterAll, beforeAll, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import type { Claims } from "../setup/hostile-provider.ts";
import { mcpHeaders, toolCall } from "../setup/mcp-post.ts";
import { verifies } from "../verifies.ts";

const USERS = 500;
const CALLS = process.env["DOORLESS_TEST_FULL"] === undefined ? 100_000 : 1_000_000;
/** Requests under way at once, each of another user, all with the id 1. */
const ABREAST = 100;

// Lets go of a connection long before the server would: on one event loop the two would race.
const dispatcher = new Agent({ connections: ABREAST, keepAliveMaxTimeout: 1000 });

let boundary: Boundary;

beforeAll(async () => {
  boundary = await openBoundary({
    file: { delegation: { reuse_ms_max: 5000 }, http: { connections_max: 4096 } },
    issuer: { liveness: { source: "introspection", bound_ms: 10_000 } },
    bend: (config) => ({
      ...config,
      limits: { ...config.limits, running_calls_max: 4096 },
      http: { ...config.http, transport_sessions_max: 4096 },
    }),
  });
  // Whose token it was, and what was asked for.
  boundary.api.answer = (res, { headers, url }) => {
    // A million calls leave a third of a million exchanges.
    boundary.api.seen.length = 0;
    boundary.provider.forms.length = 0;
    const [, payload = ""] = String(headers.authorization).split(".");
    const { sub } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { sub: string };
    const id = decodeURIComponent(url.split("/")[2] ?? "");
    res.writeHead(200, { "content-type": "application/json" });
    res.end(JSON.stringify({ id, name: `read by ${sub}` }));
  };
});

afterAll(async () => {
  await dispatcher.close();
  await boundary.close();
});

/** What a machine that stood still for seconds answers: the API's turn, or the provider's. */
const LATE = new Set(["timeout", "identity_unavailable"]);
const ACCEPT = "application/json, text/event-stream";

/** One user: a 2025 session of hers and 2026 requests, in turn. */
class User {
  readonly sub: string;
  readonly headers: Record<string, string>;
  session = "";
  private readonly url: string;
  private asked = 0;

  constructor(sub: string, token: string) {
    this.sub = sub;
    this.url = `${boundary.url}/mcp/desk`;
    this.headers = { authorization: `Bearer ${token}` };
  }

  async begin(): Promise<void> {
    const params = {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "many", version: "1" },
    };
    const response = await this.older({ id: 1, method: "initialize", params });
    this.session = response.headers.get("mcp-session-id") ?? "";
    await response.text();
    await (await this.older({ method: "notifications/initialized" })).text();
  }

  older(message: object, session = this.session): Promise<Response> {
    return fetch(this.url, {
      method: "POST",
      dispatcher,
      headers: {
        ...this.headers,
        accept: ACCEPT,
        "content-type": "application/json",
        "mcp-protocol-version": "2025-11-25",
        ...(session === "" ? {} : { "mcp-session-id": session }),
      },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    });
  }

  /** One call; nothing where the answer is hers, else what it was. */
  async call(): Promise<string | undefined> {
    const id = `${this.sub}-${this.asked++}`;
    const params = { name: "item_get", arguments: { id } };
    const response =
      this.asked % 2 === 0
        ? await this.older({ id: 1, method: "tools/call", params })
        : await fetch(this.url, {
            method: "POST",
            dispatcher,
            headers: { ...mcpHeaders("tools/call", "item_get"), ...this.headers },
            body: JSON.stringify(toolCall("item_get", { id })),
          });
    const text = await response.text();
    const { id: answered, result } = JSON.parse(text) as {
      id: unknown;
      result?: { structuredContent?: { error?: { code?: string } } };
    };
    // A machine that stood still answers nobody; what counts is an answer, so she asks again.
    const isLate = LATE.has(result?.structuredContent?.error?.code ?? "");
    if (answered === 1 && isLate && !text.includes("read by")) return this.call();
    const said = JSON.stringify(result?.structuredContent);
    const mine = JSON.stringify({ id, name: `read by ${this.sub}` });
    return answered === 1 && said === mine ? undefined : `${this.sub}: ${text.slice(0, 300)}`;
  }
}

/** The ledger, line by line: all of it would not fit into memory. */
async function* linesOf(folder: string): AsyncIterable<Claims> {
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".jsonl"))) {
    const input = createReadStream(join(folder, name));
    for await (const text of createInterface({ input })) {
      if (text.trim() !== "") yield JSON.parse(text) as Claims;
    }
  }
}

verifies(
  ["identity.as-the-user", "mcp.session-not-yours"],
  `of ${CALLS} interleaved calls of ${USERS} users with equal ids, none reaches another user`,
  async () => {
    const users = await Promise.all(
      Array.from({ length: USERS }, async (_, i) => {
        const sub = `user-${i}`;
        const changes = { sub, sid: sub, exp: Math.floor(Date.now() / 1000) + 3500 };
        return new User(sub, await boundary.token("desk", changes));
      }),
    );
    for (const user of users) await user.begin();
    const foreign: string[] = [];
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < CALLS) {
        const wrong = await users[next++ % USERS]?.call();
        if (wrong !== undefined) foreign.push(wrong);
      }
    };
    await Promise.all(Array.from({ length: ABREAST }, lane));
    expect(foreign.slice(0, 5)).toEqual([]);
    // Each user with the next one's session id: there is no such session.
    const statuses = new Set<number>();
    for (const [i, user] of users.entries()) {
      const theirs = users[(i + 1) % USERS]?.session ?? "";
      const response = await user.older({ id: 1, method: "tools/list" }, theirs);
      await response.text();
      statuses.add(response.status);
    }
    expect([...statuses]).toEqual([404]);
    const whose = new Map<string, unknown>();
    for await (const line of linesOf(join(boundary.data, "ledger"))) {
      if (line["kind"] !== "intent") continue;
      const { id } = line["args"] as { id?: string };
      if (id?.startsWith(`${String(line["subject"])}-`) !== true)
        whose.set(String(id), line["subject"]);
    }
    expect([...whose]).toEqual([]);
  },
  { timeout_ms: CALLS > 100_000 ? 7_200_000 : 1_500_000 },
);
