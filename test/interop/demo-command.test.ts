// `doorless demo` as a process: how it starts, what it keeps, and what it leaves when it stops.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { tmpdir } from "node:os";
import { afterAll, expect, vi } from "vitest";
import { listen } from "../../demo/listener.ts";
import { freePort } from "../../src/cli/demo-world.ts";
import { verifies } from "../verifies.ts";
import { connectHttp, LAUNCHER } from "./clients.ts";
import type { Json } from "./clients.ts";
import { doorless, jsonLines } from "./command.ts";
import {
  DemoProcess,
  findOldNode,
  freePorts,
  isFree,
  startDemoProcess,
  systemPath,
} from "./demo-process.ts";
import type { Ready } from "./demo-process.ts";
import { surfaceOf } from "./tables.ts";
import { initialize, send } from "./wire.ts";

const home = mkdtempSync(join(tmpdir(), "doorless-demo-"));
const old_node = findOldNode();
let folders = 0;

afterAll(() => rmSync(home, { recursive: true, force: true }));

function newFolder(): string {
  return join(home, `data-${++folders}`);
}

function portsOf({ mcp, issuer, api }: Ready): number[] {
  return [mcp["support"] ?? "", issuer, api].map((url) => Number(new URL(url).port));
}

async function tokenFrom(data: string, person: string, agent: string): Promise<string> {
  const { stdout } = await doorless(["demo", "token", person, agent, "--data", data]);
  return stdout.trim();
}

async function namesAt(ready: Ready): Promise<string[]> {
  const token = await tokenFrom(ready.data, "dana", "support");
  const client = await connectHttp("v1", ready.mcp["support"] ?? "", token);
  const names = await client.names();
  await client.close();
  return names;
}

const DANA = surfaceOf({ person: "dana", agent: "support" });
const NO_OLD_NODE = old_node === undefined ? "no Node older than 24 is installed here" : undefined;

verifies(
  ["house.start", "cli.stop"],
  "npm start brings the world up where only an old Node is installed, and Ctrl+C takes it down",
  async () => {
    const npm = systemPath().find((folder) => existsSync(join(folder, "npm"))) ?? "/nowhere";
    const data = newFolder();
    const args = ["--silent", "start", "--", "--port", "0", "--json", "--data", data];
    const env = { PATH: systemPath().join(delimiter), HOME: home, npm_config_offline: "true" };
    await using demo = new DemoProcess(join(npm, "npm"), args, env);
    const ready = await demo.ready();
    expect(await namesAt(ready)).toEqual(DANA);
    await demo.interrupt();
    expect(await Promise.all(portsOf(ready).map(isFree))).toEqual([true, true, true]);
    expect(existsSync(join(data, "core.json"))).toBe(false);
  },
  { timeout_ms: 60_000, skip: NO_OLD_NODE },
);

verifies(
  ["house.start", "cli.stop", "demo.stop"],
  "an old Node starts the demo by itself, and hands on the signal and the exit code",
  async () => {
    const data = newFolder();
    const args = [LAUNCHER, "demo", "--port", "0", "--json", "--data", data];
    await using demo = new DemoProcess(old_node ?? "", args);
    const ready = await demo.ready();
    expect(await namesAt(ready)).toEqual(DANA);
    expect(await demo.stop("SIGINT")).toMatchObject({ code: 0 });
    expect(await Promise.all(portsOf(ready).map(isFree))).toEqual([true, true, true]);
    // And when the launcher is killed outright, the program does not outlive it.
    await using orphan = new DemoProcess(old_node ?? "", args);
    const again = await orphan.ready();
    await orphan.stop("SIGKILL");
    await vi.waitFor(
      async () => {
        expect(await Promise.all(portsOf(again).map(isFree))).toEqual([true, true, true]);
      },
      { timeout: 10_000 },
    );
  },
  { timeout_ms: 60_000, skip: NO_OLD_NODE },
);

/** Files of a data folder that only a running doorless has. */
function traces(data: string): string[] {
  const all = readdirSync(data, { recursive: true, encoding: "utf8" });
  return all.filter((name) => /\.sock$|(?:^|\/)(?:core|demo)\.json$/.test(name));
}

verifies(
  ["demo.ready-line", "demo.stop", "cli.stdout"],
  "demo --json prints one line, then everything answers; a signal ends it in time and tidily",
  async () => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const data = newFolder();
      await using demo = startDemoProcess(data, 0);
      const ready = await demo.ready();
      const loopback = (path: string) =>
        expect.stringMatching(`^http://127\\.0\\.0\\.1:\\d+${path}$`);
      expect(ready).toEqual({
        ready: true,
        mcp: {
          support: loopback("/mcp/support"),
          sales: loopback("/mcp/sales"),
          research: loopback("/mcp/research"),
        },
        console: null,
        issuer: loopback(""),
        api: loopback(""),
        data,
      });
      const token = await tokenFrom(data, "mia", "sales");
      await answers(ready, token);
      expect(traces(data)).not.toEqual([]);
      // A client that keeps its stream open does not keep the demo alive.
      const stream = await openStream(ready, token);
      const { code, took_ms } = await demo.stop(signal);
      expect(code).toBe(0);
      expect(took_ms).toBeLessThan(5000);
      await stream.text().catch(() => undefined);
      expect(demo.stdout).toBe(`${JSON.stringify(ready)}\n`);
      expect(demo.stderr).not.toContain(token);
      expect(await Promise.all(portsOf(ready).map(isFree))).toEqual([true, true, true]);
      expect(traces(data)).toEqual([]);
    }
  },
  { timeout_ms: 60_000 },
);

async function answers({ mcp, issuer, api }: Ready, token: string): Promise<void> {
  const statuses = await Promise.all(
    [
      ...Object.values(mcp),
      `${issuer}/.well-known/openid-configuration`,
      `${api}/openapi.json`,
      `${api}/audit`,
      new URL("/readyz", mcp["support"]).href,
    ].map(async (url) => (await fetch(url)).status),
  );
  expect(statuses).toEqual([401, 401, 401, 200, 200, 200, 200]);
  const client = await connectHttp("v2 pinned", mcp["sales"] ?? "", token);
  expect((await client.call("crm_get_deal", { id: 42 })).isError).toBe(false);
  await client.close();
}

async function openStream({ mcp }: Ready, token: string): Promise<Response> {
  const url = mcp["sales"] ?? "";
  const authorization = `Bearer ${token}`;
  const accept = "application/json, text/event-stream";
  const headers = { authorization, accept, "content-type": "application/json" };
  const opened = await send({ url, headers, body: initialize() });
  const session = String(opened.headers["mcp-session-id"]);
  return fetch(url, {
    headers: { authorization, accept: "text/event-stream", "mcp-session-id": session },
  });
}

/** Where on this machine a port is listened at, as Linux tells it. */
function listenersOf(port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local = "", , state]) => local.endsWith(`:${hex}`) && state === "0A")
      .map(([, local = ""]) => local.slice(0, -5)),
  );
}

verifies(
  ["demo.ready-line", "demo.loopback"],
  "state outlives a restart, ports are those asked for, and all are on loopback alone",
  async () => {
    const data = newFolder();
    const port = await freePorts();
    let before: Json[];
    let token: string;
    {
      await using demo = startDemoProcess(data, port);
      const ready = await demo.ready();
      expect(portsOf(ready)).toEqual([port, port + 1, port + 2]);
      if (process.platform === "linux") {
        // 127.0.0.1, in the byte order of this machine.
        for (const one of portsOf(ready)) expect(listenersOf(one)).toEqual(["0100007F"]);
      }
      token = await tokenFrom(data, "mia", "sales");
      const client = await connectHttp("v1", ready.mcp["sales"] ?? "", token);
      const moved = await client.call("crm_update_deal_stage", { id: 42, stage: "won" });
      expect(moved.isError).toBe(false);
      await client.close();
      before = jsonLines(await doorless(["audit", "query", "--json", "--data", data]));
      expect((await demo.stop()).code).toBe(0);
    }
    await using again = startDemoProcess(data, port);
    const ready = await again.ready();
    // Her sign-in of before is one still, her change is there, and so is its record.
    const client = await connectHttp("v1", ready.mcp["sales"] ?? "", token);
    expect((await client.call("crm_get_deal", { id: 42 })).value).toMatchObject({ stage: "won" });
    await client.close();
    const after = jsonLines<Json>(await doorless(["audit", "query", "--json", "--data", data]));
    expect(after.slice(1)).toEqual(before);
    expect((await doorless(["audit", "verify", "--data", data])).code).toBe(0);
  },
  { timeout_ms: 60_000 },
);

verifies(
  ["demo.loopback", "cli.exit-codes"],
  "a second demo in the same folder is refused, and the first does not notice",
  async () => {
    const data = newFolder();
    await using demo = startDemoProcess(data, 0);
    const ready = await demo.ready();
    const config = readFileSync(join(data, "mcp.config.json"), "utf8");
    const second = await doorless(["demo", "--port", "0", "--data", data, "--json"]);
    expect(second).toMatchObject({ code: 2, stdout: "" });
    expect(second.stderr).toContain(`another doorless owns ${data}`);
    expect(readFileSync(join(data, "mcp.config.json"), "utf8")).toBe(config);
    // Neither does one that wants its port.
    const [port] = portsOf(ready);
    const third = ["demo", "--port", String(port), "--data", newFolder(), "--json"];
    const taken = await doorless(third);
    expect(taken).toMatchObject({ code: 2, stdout: "" });
    expect(taken.stderr).toMatch(/EADDRINUSE.*choose another port/s);
    expect(taken.stderr).toContain(`cannot listen at 127.0.0.1:${port}: something else listens`);
    await answers(ready, await tokenFrom(data, "mia", "sales"));
    // The demo's provider signs anybody in as anybody: nothing but the demo may trust it.
    const started = await doorless(["start", "--config", join(data, "mcp.config.json")]);
    expect(started).toMatchObject({ code: 2, stdout: "" });
    expect(started.stderr).toMatch(/mcp\.config\.json.* \/issuers\/demo\/demo: /);
    expect((await demo.stop()).code).toBe(0);
  },
  { timeout_ms: 60_000 },
);

verifies(
  "house.start",
  "the Node that runs it is a current one, with the boundary's flag",
  async () => {
    const ran = await doorless(["version", "--json"]);
    const [{ node }] = jsonLines<{ node: string }>(ran) as [{ node: string }];
    expect(Number(node.split(".")[0])).toBeGreaterThanOrEqual(24);
    if (old_node === undefined) return;
    const json = execFileSync(old_node, [LAUNCHER, "version", "--json"], { encoding: "utf8" });
    expect(JSON.parse(json)).toMatchObject({ node });
  },
);

verifies("demo.ready-line", "the world is where it was before, where that is free", async () => {
  const port = await freePort();
  const before = `http://127.0.0.1:${port}`;
  const first = await listen(0, port);
  expect(first.origin).toBe(before);
  const beside = await listen(0, port);
  expect(beside.origin).not.toBe(before);
  expect(await freePort(before)).not.toBe(port);
  await Promise.all([first.down(), beside.down()]);
});
