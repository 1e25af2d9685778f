// Clients that dribble, stall or hang up: each is cut off, and nobody else waits (T23).
import { afterAll, beforeAll, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary } from "../setup/boundary.ts";
import { callTool, mcpHeaders, toolCall } from "../setup/mcp-post.ts";
import { Line, readReply } from "../setup/raw-http.ts";
import { verifies } from "../verifies.ts";

const TIMEOUTS = { headers_timeout_ms: 1500, request_timeout_ms: 2000 };
// The timeouts are looked at once a second; the rest is for a busy machine.
const CUT_OFF_MS_MAX = 2000 + 1000 + 5000;

let boundary: Boundary;
let token: string;

beforeAll(async () => {
  const http = { ...TIMEOUTS, connections_max: 100 };
  boundary = await openBoundary({ file: { http } });
  token = await boundary.token("desk");
});

afterAll(() => boundary.close());

const body = JSON.stringify(toolCall("item_get", { id: "7" }));

function head(): string {
  const own = Object.entries(mcpHeaders("tools/call", "item_get"));
  return [
    "POST /mcp/desk HTTP/1.1",
    `Host: ${new URL(boundary.url).host}`,
    `Authorization: Bearer ${token}`,
    ...own.map(([name, value]) => `${name}: ${value}`),
  ].join("\r\n");
}

/** Sends the start, then one byte of the rest at a time, until it is cut off. */
async function dribble(start: string, rest: string): Promise<{ ms: number; status: number }> {
  const line = await Line.open(boundary.url);
  const began = performance.now();
  line.send(start);
  let at = 0;
  const timer = setInterval(() => line.send(rest.charAt(at++ % rest.length)), 50);
  const received = await line.closed();
  clearInterval(timer);
  return { ms: performance.now() - began, status: readReply(received).status };
}

const good = () => callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_get", { id: "7" });

// Side by side: each waits for a timeout of its own.
describe.concurrent("a client that dribbles", () => {
  const SLOW: Readonly<Record<string, () => [string, string]>> = {
    "no byte at all": () => ["", ""],
    "its request line": () => ["POST /", "a"],
    "a header": () => [`${head()}\r\nX-Slow: `, "a"],
    "its header lines, without an end": () => [head(), "\r\nX-Slow: a"],
    "its body": () => [`${head()}\r\nContent-Length: 5000\r\n\r\n{`, " "],
    "its chunks": () => [`${head()}\r\nTransfer-Encoding: chunked\r\n\r\n`, "1\r\n \r\n"],
    "nothing of its body": () => [`${head()}\r\nContent-Length: 5000\r\n\r\n`, ""],
  };
  for (const [what, bytes] of Object.entries(SLOW)) {
    const claim = `is cut off, and a good request beside it is served: ${what}`;
    verifies("bad-input.slow-client", claim, async () => {
      const [start, rest] = bytes();
      const slow = dribble(start, rest);
      expect((await good()).status).toBe(200);
      const { ms, status } = await slow;
      expect(ms).toBeLessThan(CUT_OFF_MS_MAX);
      // What still comes when the connection is closed resets it, and may take the answer along.
      expect(status === 0 && rest !== "" ? 408 : status).toBe(408);
    });
  }

  verifies("bad-input.slow-client", "fifty at once are all cut off, and cost nobody", async () => {
    const start = `${head()}\r\nContent-Length: 5000\r\n\r\n{`;
    const slow = Array.from({ length: 50 }, () => dribble(start, " "));
    const served = await Promise.all(Array.from({ length: 10 }, good));
    expect(served.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    const ends = await Promise.all(slow);
    expect(Math.max(...ends.map(({ ms }) => ms))).toBeLessThan(CUT_OFF_MS_MAX);
    expect((await good()).status).toBe(200);
  });
});

describe("a client that hangs up", () => {
  verifies("bad-input.slow-client", "in the middle of its request harms nobody", async () => {
    const whole = `${head()}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const cuts = [1, 30, head().length, whole.length - body.length, whole.length - 1];
    for (const cut of cuts) {
      const line = await Line.open(boundary.url);
      line.send(whole.slice(0, cut));
      line.socket.resetAndDestroy();
    }
    expect((await good()).result).toEqual({ id: "7", name: "a lamp" });
    expect(boundary.logged()).not.toContain("a request failed");
  });

  verifies("bad-input.slow-client", "or reads no answer holds nobody up", async () => {
    const whole = `${head()}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const line = await Line.open(boundary.url);
    line.socket.pause();
    line.send(whole.repeat(40));
    expect((await good()).status).toBe(200);
    line.close();
  });
});

describe("timeouts that contradict each other", () => {
  verifies("config.mistake-located", "stop the start with the place of the mistake", async () => {
    const http = { headers_timeout_ms: 3000, request_timeout_ms: 2000 };
    await expect(openBoundary({ file: { http } })).rejects.toThrow(/\/http\/headers_timeout_ms/);
  });
});

describe("connections beyond the limit", () => {
  verifies("bad-input.slow-client", "are dropped, and those that stand are served", async () => {
    const stand = await Line.open(boundary.url);
    const idle = await Promise.all(Array.from({ length: 99 }, () => Line.open(boundary.url)));
    const extra = await Line.open(boundary.url);
    expect(await extra.closed()).toBe("");
    stand.send(`${head()}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
    expect(readReply(await stand.closed()).status).toBe(200);
    for (const line of idle) line.close();
    await Promise.all(idle.map((line) => line.closed()));
  });
});
