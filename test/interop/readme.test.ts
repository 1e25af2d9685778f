// The README's claims, run as they are written: its own API example, its commands, its links.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { startCore } from "../../src/main.ts";
import type { Core } from "../../src/main.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { freePort } from "../../src/cli/demo-world.ts";
import { approveTools } from "../setup/approved.ts";
import { openApi } from "../setup/hostile-peer.ts";
import type { HostileApi } from "../setup/hostile-peer.ts";
import { nowS, openProvider } from "../setup/hostile-provider.ts";
import type { HostileProvider } from "../setup/hostile-provider.ts";
import { callTool, mcpHeaders, post, rpc } from "../setup/mcp-post.ts";
import { verifies } from "../verifies.ts";

const README = readFileSync("README.md", "utf8");

/** Every fenced block that stands under a line with nothing but its file name. */
function filesIn(markdown: string): Map<string, string> {
  const blocks = markdown.matchAll(/^`([^`\n]+)`\n\n```\w+\n([\s\S]*?)^```$/gm);
  return new Map([...blocks].map(([, name = "", text = ""]) => [name, text]));
}

let provider: HostileProvider;
let api: HostileApi;
let core: Core;
let folder: string;
let url: string;

beforeAll(async () => {
  provider = await openProvider();
  api = await openApi();
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  folder = mkdtempSync(join(tmpdir(), "doorless-readme-"));
  for (const [name, text] of filesIn(README)) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    // The example's hosts become those of this test; nothing else of it changes.
    const local = text
      .replaceAll("https://agents.example.com", url)
      .replaceAll("https://login.example.com", provider.issuer)
      .replaceAll('"https://api.example.com"', JSON.stringify(api.origin))
      .replace("/mnt/audit/doorless/checkpoints", join(folder, "checkpoints"))
      .replace('"port": 8080', `"port": ${port}`)
      .replace('"claims":', '"allow_private_addresses": true,\n      "claims":')
      .replace('"origin":', '"allow_private_addresses": true,\n      "origin":');
    writeFileSync(file, local);
  }
  const environment = { DOORLESS_CLIENT_SECRET: "of the test" };
  const config = loadConfig(join(folder, "mcp.config.json"), environment);
  // As its reader does: what nobody approved is no tool.
  await approveTools(config.tools_dir);
  const log = createLogger("silent");
  const onFatal = (error: unknown): void => expect.fail(String(error));
  core = await startCore({ config, clock: systemClock, log, allow_demo: false, onFatal });
});

afterAll(async () => {
  await core.stop();
  await Promise.all([provider.close(), api.close()]);
  rmSync(folder, { recursive: true, force: true });
});

async function token(role: string): Promise<string> {
  const who = { iss: provider.issuer, sub: "ada", client_id: "an-ide", name: "Ada" };
  const when = { iat: nowS(), exp: nowS() + 60 };
  const claims = { aud: `${url}/mcp/helpdesk`, realm_access: { roles: [role] } };
  return `Bearer ${await provider.sign({ ...who, ...when, ...claims })}`;
}

async function toolsOf(role: string): Promise<string[]> {
  const headers = { ...mcpHeaders("tools/list"), authorization: await token(role) };
  const posted = await post(`${url}/mcp/helpdesk`, headers, JSON.stringify(rpc("tools/list")));
  const result = posted.message?.["result"] as { tools: { name: string }[] } | undefined;
  return (result?.tools ?? []).map((tool) => tool.name);
}

verifies("config.example", "the README's own configuration and tool files start", async () => {
  expect([...filesIn(README).keys()]).toEqual([
    "mcp.config.json",
    "tools/orders/connector.yaml",
    "tools/orders/orders_get.tool.yaml",
    "tools/orders/orders_cancel.tool.yaml",
  ]);
  expect(await toolsOf("agent")).toEqual(["orders_get"]);
  expect(await toolsOf("lead")).toEqual(["orders_cancel", "orders_get"]);
  expect(await toolsOf("nobody")).toEqual([]);
});

verifies("broker.tool-files", "the README's tool calls the API as it says", async () => {
  api.answer = (res) => {
    const order = { id: 7, status: "open", amounts: { total: 12.5 }, internal: "not yours" };
    res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(order));
  };
  const called = await callTool(`${url}/mcp/helpdesk`, await token("agent"), "orders_get", {
    id: 7,
  });
  expect(called.result).toEqual({ id: 7, state: "open", total: 12.5 });
  const [seen] = api.seen;
  expect(seen?.method).toBe("GET");
  expect(seen?.url).toBe("/orders/7");
  expect(seen?.headers["x-request-id"]).toBe(called.call_id);
  expect(provider.forms.at(-1)?.get("resource")).toBe("https://api.example.com/orders");
});

test("every file that the README links to exists", () => {
  const links = [...README.matchAll(/\]\(([^)#]+)\)/g)].map(([, path = ""]) => path);
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter((path) => !existsSync(path))).toEqual([]);
});

test("every npm script and verb that the README names exists", () => {
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as {
    scripts: Record<string, string>;
  };
  const named = [...README.matchAll(/npm (?:run )?(start|test:long|test|check|bench)\b/g)];
  for (const [, name = ""] of named) expect(scripts).toHaveProperty([name]);
  const verbs = [...README.matchAll(/bin\/doorless\.js ([a-z]+)/g)].map(([, verb = ""]) => verb);
  expect(verbs.length).toBeGreaterThan(5);
  for (const verb of verbs)
    expect(
      readdirSync("src/cli").some((file) => file.startsWith(verb)),
      verb,
    ).toBe(true);
});
