// What is on disk at each moment of a call, seen from the other ends of its wires; and that nothing
// runs, or is answered, where the ledger cannot be written (T18).
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import type { ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect } from "vitest";
import { openBoundary } from "../setup/boundary.ts";
import type { Boundary, BoundaryOptions } from "../setup/boundary.ts";
import { ITEM } from "../setup/hostile-peer.ts";
import { json } from "../setup/hostile-provider.ts";
import type { Claims } from "../setup/hostile-provider.ts";
import { callTool, mcpHeaders, toolCall } from "../setup/mcp-post.ts";
import type { Called } from "../setup/mcp-post.ts";
import { Line } from "../setup/raw-http.ts";
import { verifies } from "../verifies.ts";

let boundary: Boundary;
let token: string;

async function open(options?: BoundaryOptions): Promise<void> {
  boundary = await openBoundary(options);
  token = await boundary.token("desk");
}

afterEach(() => boundary.close());

const RENAME = { id: "7", name: "x" };
const call = (tool: string, args: unknown = RENAME): Promise<Called> =>
  callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, tool, args);

const kinds = (lines: readonly Claims[]): unknown[] =>
  lines.filter(({ kind }) => kind !== "event").map(({ kind }) => kind);

const ITEM_TEXT = JSON.stringify(ITEM);

describe("the order of a call", () => {
  beforeEach(() => open());

  verifies("ledger.intent-first", "has the intent on disk before the token is asked", async () => {
    const at: unknown[][] = [];
    boundary.provider.on.token = (_req, res) => {
      at.push(kinds(boundary.ledger()));
      json(res, 400, { error: "invalid_grant" });
    };
    await call("item_rename");
    expect(at).toEqual([["intent"]]);
  });

  verifies(
    "ledger.intent-first",
    "has the intent on disk before a byte reaches the API",
    async () => {
      const at: Claims[][] = [];
      boundary.api.answer = (res, seen) => {
        at.push(boundary.ledger().filter(({ kind }) => kind !== "event"));
        expect(at.at(-1)?.at(-1)?.["call_id"]).toBe(seen.headers["x-request-id"]);
        res.writeHead(200, { "content-type": "application/json" }).end(ITEM_TEXT);
      };
      const rename = await call("item_rename");
      const get = await call("item_get", { id: "7" });
      expect(at.map(kinds)).toEqual([["intent"], ["intent", "outcome", "intent"]]);
      expect(at[0]?.[0]).toMatchObject({
        call_id: rename.call_id,
        subject: "ada",
        target: "item:7",
      });
      expect(at[1]?.[2]).toMatchObject({ call_id: get.call_id, tool: "item_get" });
    },
  );

  verifies(
    "ledger.outcome-first",
    "has the outcome on disk before the answer arrives",
    async () => {
      const body = JSON.stringify(toolCall("item_rename", { id: "7", name: "x" }));
      const headers = Object.entries({
        ...mcpHeaders("tools/call", "item_rename"),
        authorization: `Bearer ${token}`,
      });
      const line = await Line.open(boundary.url);
      // Looked at in the very event that brings the answer's first byte.
      const seen = new Promise<unknown[]>((resolve) => {
        line.socket.once("data", () => resolve(kinds(boundary.ledger())));
      });
      line.send(
        [
          "POST /mcp/desk HTTP/1.1",
          `Host: ${new URL(boundary.url).host}`,
          ...headers.map(([name, value]) => `${name}: ${value}`),
          `Content-Length: ${body.length}`,
          "",
          body,
        ].join("\r\n"),
      );
      expect(await seen).toEqual(["intent", "outcome"]);
      line.close();
    },
  );

  verifies("ledger.outcome-first", "ends with an outcome when the caller hangs up", async () => {
    const line = await Line.open(boundary.url);
    boundary.api.answer = (res) => {
      // The request is here; the caller goes, and then the answer comes.
      line.socket.once("close", () =>
        res.writeHead(200, { "content-type": "application/json" }).end(ITEM_TEXT),
      );
      line.close();
    };
    const body = JSON.stringify(toolCall("item_rename", { id: "7", name: "x" }));
    const headers = Object.entries({
      ...mcpHeaders("tools/call", "item_rename"),
      authorization: `Bearer ${token}`,
    });
    const head = headers.map(([name, value]) => `${name}: ${value}`).join("\r\n");
    const start = `POST /mcp/desk HTTP/1.1\r\nHost: ${new URL(boundary.url).host}\r\n${head}`;
    line.send(`${start}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await line.closed();
    await until(() => kinds(boundary.ledger()).length === 2);
    expect(boundary.ledger().at(-1)).toMatchObject({ kind: "outcome", outcome: "ok" });
  });
});

/** Waits for what no event tells: a line that the server writes to its own disk. */
async function until(isSo: () => boolean): Promise<void> {
  const end = performance.now() + 5000;
  while (!isSo()) {
    if (performance.now() > end) throw new Error("it never became so");
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const GIB = 1024 ** 3;

describe("a disk that is nearly full", () => {
  // More than the largest value that a file may say, so that every disk is too small.
  beforeEach(() =>
    open({
      bend: (config) => ({
        ...config,
        ledger: { ...config.ledger, disk_free_bytes_min: 1024 * 1024 * GIB },
      }),
    }),
  );

  verifies("ledger.no-sink-no-call", "runs no call, asks for no token, and says so", async () => {
    for (const tool of ["item_get", "item_rename"]) {
      const args = tool === "item_get" ? { id: "7" } : { id: "7", name: "x" };
      const { error } = await call(tool, args);
      expect(error).toMatchObject({
        code: "audit_unavailable",
        effect: "none",
        retry: "after",
        who_can_fix: "operator",
      });
    }
    expect(boundary.provider.hits.token).toBe(0);
    expect(boundary.api.seen).toEqual([]);
    expect(kinds(boundary.ledger())).not.toContain("intent");
  });
});

describe("a ledger that fails", () => {
  // Each commit opens a file of its own, and finds no folder any more.
  beforeEach(() =>
    open({
      bend: (config) => ({ ...config, ledger: { ...config.ledger, segment_bytes_max: 1 } }),
    }),
  );

  const lose = (): void => rmSync(join(boundary.data, "ledger"), { recursive: true });
  const ready = async (): Promise<number> => (await fetch(`${boundary.url}/readyz`)).status;

  verifies("ledger.no-sink-no-call", "before the intent: nothing runs", async () => {
    expect((await call("item_get", { id: "7" })).result).toEqual(ITEM);
    await boundary.api.behave();
    const asked = boundary.provider.hits.token;
    expect(await ready()).toBe(200);
    lose();
    const { error } = await call("item_rename");
    expect(error).toMatchObject({ code: "audit_unavailable", effect: "none" });
    expect(boundary.provider.hits.token).toBe(asked);
    expect(boundary.api.seen).toEqual([]);
  });

  const CASES = [
    ["item_rename", "done"],
    ["item_get", "none"],
  ] as const;
  for (const [tool, effect] of CASES) {
    const claim = `after the intent of ${tool}: the result is withheld, and nothing runs again`;
    verifies(["ledger.no-sink-no-call", "errors.effect"], claim, async () => {
      boundary.api.answer = (res) => {
        lose();
        res.writeHead(200, { "content-type": "application/json" }).end(ITEM_TEXT);
      };
      const args = tool === "item_get" ? { id: "7" } : { id: "7", name: "x" };
      const first = await call(tool, args);
      expect(first.error).toMatchObject({ code: "outcome_unrecorded", effect, retry: "never" });
      expect(first.text).not.toContain("a lamp");
      expect(await ready()).toBe(503);
      const second = await call(tool, args);
      expect(second.error).toMatchObject({
        code: "audit_unavailable",
        effect: "none",
        details: { cause: "segment_missing" },
      });
      expect(boundary.api.seen).toHaveLength(1);
    });
  }

  verifies(
    ["ledger.no-sink-no-call", "resend.recorded"],
    "before a first answer is given again: it is withheld",
    async () => {
      const keyed = () =>
        callTool(`${boundary.url}/mcp/desk`, `Bearer ${token}`, "item_rename", RENAME, "k");
      expect((await keyed()).result).toEqual(ITEM);
      lose();
      const again = await keyed();
      expect(again.error).toMatchObject({ code: "audit_unavailable", effect: "none" });
      expect(again.error?.message).toContain("ran when it was first sent");
      expect(again.text).not.toContain("a lamp");
      expect(boundary.api.seen).toHaveLength(1);
    },
  );

  verifies("ledger.no-sink-no-call", "during a write that failed: nobody can say", async () => {
    boundary.api.answer = (res) => {
      lose();
      res.socket?.resetAndDestroy();
    };
    const { error } = await call("item_rename");
    expect(error).toMatchObject({ code: "outcome_unrecorded", effect: "unknown" });
  });
});

describe("a required sink", () => {
  verifies(
    ["ledger.sinks", "ledger.no-sink-no-call"],
    "that hangs stops calls and is named; what it lacks it gets, and calls run again",
    async () => {
      const held: ServerResponse[] = [];
      let hangs = true;
      const collector = createServer((req, res) => {
        req.resume();
        if (hangs) held.push(res);
        else res.writeHead(204).end();
      });
      collector.listen(0, "127.0.0.1");
      await once(collector, "listening");
      const { port } = collector.address() as AddressInfo;
      const url = `http://127.0.0.1:${port}/`;
      const siem = {
        kind: "http",
        url,
        required: true,
        lag_ms_max: 1000,
        timeout_ms: 60_000,
      } as const;
      await open({
        bend: (config) => ({
          ...config,
          ledger: { ...config.ledger, sinks: { siem } },
        }),
      });
      const refused = async (): Promise<boolean> => {
        const { error } = await call("item_get", { id: "7" });
        if (error === undefined) return false;
        expect(error).toMatchObject({
          code: "audit_unavailable",
          details: { cause: "sink_behind" },
        });
        return true;
      };
      expect(await refused()).toBe(false);
      while (!(await refused()));
      const seen = boundary.api.seen.length;
      expect(await refused()).toBe(true);
      expect(boundary.api.seen).toHaveLength(seen);
      hangs = false;
      for (const res of held) res.writeHead(204).end();
      while (await refused());
      collector.closeAllConnections();
      collector.close();
    },
  );
});
