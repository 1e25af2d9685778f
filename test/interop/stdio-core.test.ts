// The core behind `stdio`: started when none runs, shared by all clients, stopped after the last.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, vi } from "vitest";
import { readLocal } from "../../src/console/local.ts";
import { honestClaims, layOut } from "../setup/boundary.ts";
import { openApi } from "../setup/hostile-peer.ts";
import type { HostileApi } from "../setup/hostile-peer.ts";
import { openProvider } from "../setup/hostile-provider.ts";
import type { HostileProvider } from "../setup/hostile-provider.ts";
import { verifies } from "../verifies.ts";
import { connectStdio, LAUNCHER, NODE_FLAGS, plainEnvironment } from "./clients.ts";
import type { StdioCommand } from "./clients.ts";

let folder: string;
let provider: HostileProvider;
let api: HostileApi;
let command: StdioCommand;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "doorless-behind-"));
  provider = await openProvider();
  api = await openApi();
  const { url, file } = await layOut(folder, provider.issuer, api.origin);
  const DOORLESS_TOKEN = await provider.sign(honestClaims(provider.issuer, `${url}/mcp/desk`));
  command = {
    command: process.execPath,
    args: [...NODE_FLAGS, LAUNCHER, "stdio", "desk", "--config", file],
    env: plainEnvironment({ DOORLESS_TOKEN, SECRET: "a-client-secret" }),
  };
});

afterAll(async () => {
  await Promise.all([provider.close(), api.close()]);
  rmSync(folder, { recursive: true, force: true });
});

const running = () => readLocal(join(folder, "data"), "core");

verifies(
  "mcp.background-core",
  "clients start one core between them, and it stops when the last has gone",
  async () => {
    expect(running()).toBeUndefined();
    const clients = await Promise.all([
      connectStdio("v1", command),
      connectStdio("v2 pinned", command),
    ]);
    const [{ length }] = (await Promise.all(clients.map((client) => client.names()))) as [string[]];
    expect(length).toBeGreaterThan(3);
    const pid = Number(running()?.["pid"]);
    process.kill(pid, 0);
    await clients[0]?.close();
    const third = await connectStdio("v2 pinned", command);
    expect(Number(running()?.["pid"])).toBe(pid);
    await third.close();
    await clients[1]?.close();
    await vi.waitFor(() => expect(running()).toBeUndefined(), { timeout: 20_000, interval: 200 });
    await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(/ESRCH/), {
      timeout: 10_000,
    });
    expect(readFileSync(join(folder, "data", "core.log"), "utf8")).toMatch(/no client is left/);
  },
  { timeout_ms: 60_000 },
);
