// The stdio bridge: the same doorless through a pipe, with clients of both eras, and by hand.
import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, vi } from "vitest";
import { verifies } from "../verifies.ts";
import { bridgeTo, CLIENT_KINDS, connectStdio, MODERN } from "./clients.ts";
import type { ClientKind, Json } from "./clients.ts";
import { doorless } from "./command.ts";
import { openWatchedHouse } from "./recorder.ts";
import type { WatchedHouse } from "./recorder.ts";
import { PAIRS_TO_SHOW, surfaceOf } from "./tables.ts";
import { initialize } from "./wire.ts";

let house: WatchedHouse;
/** Lives one second; by the time that it is used it is well past the verifier's tolerance. */
let short_lived: { token: string; until_ms: number };
const elsewhere = mkdtempSync(join(tmpdir(), "doorless-none-"));

beforeAll(async () => {
  house = await openWatchedHouse();
  short_lived = {
    token: await house.world.mintToken("mia", "sales", 1),
    until_ms: Date.now() + 1000,
  };
});

afterAll(async () => {
  await house.close();
  rmSync(elsewhere, { recursive: true, force: true });
});

verifies(
  ["mcp.stdio-bridge", "mcp.clients-agree", "surface.tables"],
  "each session has through the bridge exactly what it has over HTTP",
  async () => {
    for (const [i, pair] of PAIRS_TO_SHOW.entries()) {
      const token = await house.token(pair.person, pair.agent);
      const seen = async (kind: ClientKind) => {
        const client = await connectStdio(kind, bridgeTo(pair.agent, house.data, token));
        const { version } = client;
        const tools = await client.names();
        await client.close();
        return { ...pair, kind, version, tools };
      };
      // An automatic client starts two bridges, one to find the version: not for every pair.
      const kinds = i % 3 === 0 ? CLIENT_KINDS : CLIENT_KINDS.slice(0, 2);
      const tools = surfaceOf(pair);
      const expected = [
        { ...pair, kind: "v1", version: "2025-11-25", tools },
        { ...pair, kind: "v2 pinned", version: MODERN, tools },
        { ...pair, kind: "v2 automatic", version: MODERN, tools },
      ];
      expect(await Promise.all(kinds.map(seen))).toEqual(expected.slice(0, kinds.length));
    }
  },
  { timeout_ms: 120_000 },
);

verifies("mcp.stdio-bridge", "calls, refusals and unknown tools pass as over HTTP", async () => {
  const token = await house.token("mia", "sales");
  for (const kind of CLIENT_KINDS) {
    const client = await connectStdio(kind, bridgeTo("sales", house.data, token));
    await client.list();
    const deal = await client.call("crm_get_deal", { id: 42 });
    expect(deal).toMatchObject({ isError: false, value: { id: 42, owner: "mia" } });
    expect(await house.record(deal.call_id)).toMatchObject({ subject: "mia", outcome: "ok" });
    const refused = await client.call("crm_get_deal", {});
    expect(refused).toMatchObject({ isError: true, error: { code: "invalid_arguments" } });
    const unknown = client.call("crm_delete_customer", { id: 1 });
    await expect(unknown).rejects.toMatchObject({
      code: -32_602,
      message: expect.stringMatching(/Unknown tool: crm_delete_customer$/),
    });
    await client.close();
  }
});

verifies("mcp.stdio-bridge", "cancelling stops a slow read behind the bridge", async () => {
  const token = await house.token("mia", "sales");
  for (const kind of ["v1", "v2 pinned"] as const) {
    const client = await connectStdio(kind, bridgeTo("sales", house.data, token));
    const held = house.recorder.hold("/crm/deals/42");
    const cancel = new AbortController();
    const call = client.call("crm_get_deal", { id: 42 }, { signal: cancel.signal });
    const seen = await held.arrived;
    cancel.abort("enough");
    await expect(call).rejects.toThrow(/enough/);
    await held.hungUp;
    held.release();
    await vi.waitFor(async () => {
      expect(await house.record(seen.headers["x-request-id"])).toMatchObject({
        outcome: "cancelled",
      });
    });
    // The bridge is still there for the next one.
    expect((await client.names()).length).toBeGreaterThan(0);
    await client.close();
  }
});

/** The bridge by hand: what it writes, line by line, and how it ends. */
class Pipe {
  readonly child: ChildProcessWithoutNullStreams;
  readonly lines: AsyncIterator<string>;
  stderr = "";

  constructor(token: string, agent = "sales") {
    const { command, args, env } = bridgeTo(agent, house.data, token);
    this.child = spawn(command, args, { env, stdio: "pipe" });
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  say(line: string): void {
    this.child.stdin.write(`${line}\n`);
  }

  async next(): Promise<Json> {
    const { value } = (await this.lines.next()) as { value: string };
    return JSON.parse(value) as Json;
  }

  /** Closes its stdin; what is left of its stdout, and its exit code. */
  async end(): Promise<{ code: number | null; rest: string[] }> {
    this.child.stdin.end();
    const exited = once(this.child, "exit") as Promise<[number | null]>;
    const rest: string[] = [];
    for (let one = await this.lines.next(); one.done !== true; one = await this.lines.next()) {
      rest.push(one.value);
    }
    return { code: (await exited)[0], rest };
  }
}

function modernList(id: number): string {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  return JSON.stringify({ jsonrpc: "2.0", id, method: "tools/list", params: { _meta } });
}

verifies(
  ["mcp.stdio-bridge", "cli.stdout"],
  "stdout holds MCP messages and nothing else, and the end of stdin ends it with 0",
  async () => {
    for (const opening of [initialize(1), modernList(1)]) {
      const pipe = new Pipe(await house.token("mia", "sales"));
      pipe.say(opening);
      expect(await pipe.next()).toMatchObject({ jsonrpc: "2.0", id: 1, result: {} });
      pipe.say("this is not JSON");
      expect(await pipe.next()).toMatchObject({ id: null, error: { code: -32_700 } });
      pipe.say('{"nor":"is this MCP"}');
      expect(await pipe.next()).toMatchObject({ id: null, error: { code: -32_600 } });
      pipe.say(modernList(2));
      expect(await pipe.next()).toMatchObject({ jsonrpc: "2.0", id: 2 });
      expect(await pipe.end()).toEqual({ code: 0, rest: [] });
      // One line each, and nothing of a library's.
      expect(pipe.stderr).toMatch(/^(?:a line was not understood: it is no[^\n]*\n){2}$/);
    }
  },
);

verifies(
  "mcp.stdio-bridge",
  "a whole conversation that is piped in at once is answered, then it ends",
  async () => {
    const pipe = new Pipe(await house.token("mia", "sales"));
    const call = { name: "crm_get_deal", arguments: { id: 42 } };
    pipe.say(initialize(1));
    pipe.say('{"jsonrpc":"2.0","method":"notifications/initialized"}');
    pipe.say('{"jsonrpc":"2.0","id":2,"method":"tools/list"}');
    pipe.say(JSON.stringify({ jsonrpc: "2.0", id: 3, method: "tools/call", params: call }));
    const { code, rest } = await pipe.end();
    expect({ code, stderr: pipe.stderr }).toEqual({ code: 0, stderr: "" });
    const answers = new Map(rest.map((line) => JSON.parse(line) as Json).map((a) => [a["id"], a]));
    expect(new Set(answers.keys())).toEqual(new Set([1, 2, 3]));
    expect(answers.get(2)).toMatchObject({ result: { tools: expect.any(Array) } });
    expect(answers.get(3)).toMatchObject({ result: { structuredContent: { id: 42 } } });
  },
);

verifies("mcp.stdio-bridge", "a call that runs when stdin ends is answered first", async () => {
  const pipe = new Pipe(await house.token("mia", "sales"));
  const held = house.recorder.hold("/crm/deals/42");
  const call = JSON.parse(modernList(1)) as { params: Json };
  Object.assign(call, { method: "tools/call" });
  Object.assign(call.params, { name: "crm_get_deal", arguments: { id: 42 } });
  pipe.say(JSON.stringify(call));
  await held.arrived;
  const ended = pipe.end();
  held.release();
  const { code, rest } = await ended;
  expect(code).toBe(0);
  expect(rest.map((line) => JSON.parse(line) as Json)).toMatchObject([
    { id: 1, result: { structuredContent: { id: 42 } } },
  ]);
});

verifies(
  ["mcp.stdio-bridge", "cli.exit-codes"],
  "without a token or a sign-in it says what to run, and serves nobody until it is closed",
  async () => {
    for (const env of [{}, { DOORLESS_TOKEN: "  " }]) {
      const ran = await doorless(["stdio", "sales", "--data", house.data], { env });
      expect(ran).toMatchObject({ code: 0, stdout: "" });
      expect(ran.stderr).toMatch(/^nobody is signed in: run `doorless login --data .*\n$/);
    }
  },
);

verifies(
  ["mcp.stdio-bridge", "cli.exit-codes"],
  "where no doorless runs it says so, and exits with 4",
  async () => {
    const env = { DOORLESS_TOKEN: await house.token("mia", "sales") };
    const ran = await doorless(["stdio", "sales", "--data", elsewhere], { env });
    expect(ran).toMatchObject({ code: 4, stdout: "" });
    expect(ran.stderr).toContain(`no doorless runs in ${elsewhere}`);
  },
);

async function refusals(token: string, agent = "sales"): Promise<Json[]> {
  const pipe = new Pipe(token, agent);
  pipe.say(initialize(1));
  const first = await pipe.next();
  pipe.say(modernList(2));
  const second = await pipe.next();
  expect((await pipe.end()).code).toBe(0);
  expect(pipe.stderr).not.toContain(token);
  return [first, second];
}

verifies(
  "mcp.stdio-bridge",
  "a token that is refused is an error for each request, in both eras, and no hang",
  async () => {
    const tolerance_ms = 5000;
    const wait_ms = short_lived.until_ms + tolerance_ms + 1000 - Date.now();
    await new Promise((done) => setTimeout(done, Math.max(0, wait_ms)));
    const mias = await house.token("mia", "sales");
    const cases = [
      await refusals(short_lived.token),
      await refusals("not-a-token"),
      await refusals(mias, "support"),
    ];
    for (const [first, second] of cases) {
      const error = { data: { error: { code: "invalid_token", effect: "none" } } };
      expect(first).toMatchObject({ id: 1, error });
      expect(second).toMatchObject({ id: 2, error });
    }
  },
);

verifies("mcp.stdio-bridge", "the arguments of the command hold no token", async () => {
  const token = await house.token("mia", "sales");
  expect(JSON.stringify(bridgeTo("sales", house.data, token).args)).not.toContain(token);
  // A token among the arguments is not taken either: it would be in every process list.
  const ran = await doorless(["stdio", "sales", token, "--data", house.data]);
  expect(ran.code).toBe(2);
});
