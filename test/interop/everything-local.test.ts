// The reference MCP server `everything` as a program of this machine: imported and run in the jail,
// for two people, until its files are not those that somebody approved.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { freePort } from "../../src/cli/demo-world.ts";
import { loadConfig } from "../../src/config/load.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { startCore } from "../../src/main.ts";
import type { Core } from "../../src/main.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { honestClaims, linesIn } from "../setup/boundary.ts";
import { deskConfig } from "../setup/desk.ts";
import { openProvider } from "../setup/hostile-provider.ts";
import type { HostileProvider } from "../setup/hostile-provider.ts";
import { LEVELS } from "../setup/levels.ts";
import { verifies } from "../verifies.ts";
import { connectHttp } from "./clients.ts";
import type { McpClient } from "./clients.ts";
import { doorless, jsonLines } from "./command.ts";

const skip = LEVELS.find(({ level }) => level === "os")?.skip;
const EVERYTHING = ["node", "node_modules/@modelcontextprotocol/server-everything/dist/index.js"];
const [ECHO, SUM] = ["everything_echo", "everything_get_sum"];

const OTHER = `sha256:${"0".repeat(64)}`;

let folder: string;
let provider: HostileProvider;
let core: Core;
let url: string;
const clients: McpClient[] = [];

async function as(sub: string): Promise<McpClient> {
  const claims = { ...honestClaims(provider.issuer, `${url}/mcp/desk`), sub, sid: sub };
  const org = { tenant: "acme", roles: ["clerk"] };
  const connected = await connectHttp(
    "v1",
    `${url}/mcp/desk`,
    await provider.sign({ ...claims, org }),
  );
  clients.push(connected);
  return connected;
}

const configured = (): string => join(folder, "mcp.config.json");

async function approve(): Promise<void> {
  const words = ["tools", "approve", "--yes", "--by", "eve", "--config", configured()];
  expect((await doorless(words)).code).toBe(0);
}

/** Imports two of its tools; resolves with the connector as the configuration needs it. */
async function imported(): Promise<object> {
  const into = ["--connector", "everything", "--json", "--config", configured()];
  const picked = ["--tool", "echo", "--tool", "get-sum"];
  const words = ["tools", "import", "mcp", ...into, ...picked, "--", ...EVERYTHING, "stdio"];
  const ran = await doorless(words);
  expect([ran.code, ran.stderr]).toEqual([0, "2 of 13 tools\n"]);
  const [said] = jsonLines<{ drafts: { file: string }[]; connectors: object }>(ran);
  for (const { file } of said?.drafts ?? []) {
    writeFileSync(file, readFileSync(file, "utf8").replace("status: draft", "status: approved"));
  }
  return said?.connectors ?? {};
}

async function open(): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), "doorless-local-"));
  provider = await openProvider();
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  const { issuer } = provider;
  const roles = { clerk: { desk: "all" } };
  const config = deskConfig({ port, issuer, tools: [ECHO, SUM], roles });
  const file = configured();
  writeFileSync(file, JSON.stringify(config));
  writeFileSync(file, JSON.stringify({ ...config, connectors: await imported() }));
  await approve();
  core = await startCore({
    config: loadConfig(file, {}),
    clock: systemClock,
    log: createLogger("silent"),
    allow_demo: false,
    onFatal: (error) => {
      throw error;
    },
  });
}

describe("a local MCP server behind doorless", () => {
  beforeAll(async () => {
    if (skip === undefined) await open();
  }, 120_000);

  afterAll(async () => {
    if (skip !== undefined) return;
    await Promise.all(clients.map((one) => one.close()));
    await core.stop();
    await provider.close();
    rmSync(folder, { recursive: true, force: true });
  });

  verifies(
    "servers.import",
    "everything's tools are called, in a process of each person's own",
    async () => {
      const [ada, bob] = [await as("ada"), await as("bob")];
      expect(await ada.names()).toEqual([ECHO, SUM]);
      const text = "The sum of 2 and 3 is 5.";
      expect((await ada.call(SUM, { a: 2, b: 3 })).value).toEqual({ text });
      expect((await bob.call(ECHO, { message: "hi" })).value).toEqual({ text: "Echo: hi" });
    },
    { skip },
  );

  verifies(
    "servers.import",
    "the record says where it ran, and what it was asked there",
    async () => {
      const { call_id } = (await clients[1]?.call(ECHO, { message: "again" })) ?? {};
      const found = linesIn(join(folder, "data/ledger")).filter(
        (one) => one["call_id"] === call_id,
      );
      expect(found).toMatchObject([
        { kind: "intent", isolation: expect.stringMatching(/^os \(probed at start: 17 attempts/) },
        { kind: "outcome", outcome: "ok" },
      ]);
      const [, { downstream }] = found as [unknown, { readonly downstream: readonly object[] }];
      expect(downstream.at(-1)).toMatchObject({ method: "tools/call", url: "stdio:everything" });
    },
    { skip },
  );

  verifies(
    "servers.digest",
    "whose files are not those that were approved is stopped, and asked nothing",
    async () => {
      // As if its package had been another one when somebody approved it.
      for (const name of [ECHO, SUM]) {
        const pin = join(folder, "tools/everything/contract", `${name}.json`);
        writeFileSync(pin, readFileSync(pin, "utf8").replace(/sha256:[0-9a-f]+/, OTHER));
      }
      await approve();
      await core.reload();
      const answer = await clients[0]?.call(ECHO, { message: "hi" });
      expect(answer?.error).toMatchObject({ code: "contract_drift", effect: "none" });
      expect(answer?.error?.["details"]).toMatchObject({ rules: [{ id: "mcp-endpoint-changed" }] });
    },
    { skip },
  );
});
