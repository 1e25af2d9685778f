// A local MCP server in a real jail: its program is the test's, and so is what it attempts there.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { javascriptOf } from "../../src/sandbox/javascript.ts";
import { openSandbox } from "../../src/sandbox/sandbox.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import type { UpstreamMcp } from "../../src/sandbox/upstream/upstream.ts";
import { minimalConfig, put, SHOP } from "./minimal.ts";
import type { Json } from "./minimal.ts";
import { upstreamTurn } from "./upstream-turn.ts";

const ATTEMPTS = new URL("../../src/sandbox/worker/attempts.ts", import.meta.url);

/** An MCP server without a library: `tools` are functions of the arguments, by name. */
const SERVER = `
import { createInterface } from "node:readline";
import { tools } from "./tools.mjs";
const line = (message) => JSON.stringify({ jsonrpc: "2.0", ...message }) + "\\n";
const say = (message) => process.stdout.write(line(message));
const inputSchema = { type: "object", properties: { text: { type: "string", maxLength: 100 } } };
const list = Object.keys(tools).map((name) => ({ name, inputSchema }));
const text = (value) => ({ content: [{ type: "text", text: JSON.stringify(value ?? null) }] });
createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined) return;
  if (method === "initialize") {
    const { protocolVersion } = params;
    return say({ id, result: { protocolVersion, capabilities: { tools: {} }, serverInfo: {} } });
  }
  if (method === "tools/list") return say({ id, result: { tools: list } });
  try {
    say({ id, result: text(await tools[params.name](params.arguments)) });
  } catch (error) {
    say({ id, result: { ...text(String(error.code ?? error.message)), isError: true } });
  }
});
`;

export interface LocalWorld {
  /** The configuration's; the server's own lies in it. */
  readonly folder: string;
  readonly sandbox: Sandbox;
  /** One session's own way to the server, as the gate opens it, looked at already. */
  session(user?: string): Promise<LocalSession>;
  close(): Promise<void>;
}

interface LocalSession {
  readonly upstream: UpstreamMcp;
  /** What the tool answered; throws what it threw, or the refusal's code. */
  readonly call: (tool: string, args?: Json) => Promise<unknown>;
}

/** `tools` is the source of a module that exports `tools`. */
export async function openLocalWorld(tools: string, isolation: Json = {}): Promise<LocalWorld> {
  const folder = mkdtempSync(join(tmpdir(), "doorless-local-"));
  put(folder, "server/package.json", '{"type":"module"}');
  put(folder, "server/index.mjs", SERVER);
  put(folder, "server/tools.mjs", tools);
  put(folder, "server/attempts.js", javascriptOf(readFileSync(ATTEMPTS, "utf8")));
  const file = minimalConfig({
    isolation,
    connectors: { shop: SHOP, local: { mcp: { command: ["node", "server/index.mjs"] } } },
  });
  const config = loadConfig(put(folder, "mcp.config.json", JSON.stringify(file)), {});
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  let sandbox: Sandbox | undefined;
  try {
    sandbox = await openSandbox(config, join(folder, "run"), { servers: true, workers_ready: 0 });
    if (sandbox === undefined) throw new Error("no sandbox was opened");
  } catch (error) {
    remove();
    throw error;
  }
  const opened = sandbox;
  return {
    folder,
    sandbox: opened,
    session: (user = "mia") => openSession(opened, user),
    async close() {
      await opened.close();
      remove();
    },
  };
}

async function openSession(sandbox: Sandbox, user: string): Promise<LocalSession> {
  const upstream = sandbox.servers.get("local")?.open(user, () => undefined);
  if (upstream === undefined) throw new Error("there is no local server");
  const listed = await upstream.list(upstreamTurn());
  if (!listed.ok) throw new Error(`${listed.refusal.code}: ${listed.refusal.cause ?? ""}`);
  return {
    upstream,
    async call(tool, args = {}) {
      const called = await upstream.call(tool, args, upstreamTurn());
      if (!called.ok) throw new Error(called.refusal.code);
      const [block] = called.value.content as readonly { readonly text: string }[];
      const value = JSON.parse(block?.text ?? "null") as unknown;
      if (called.value.is_error) throw new Error(String(value));
      return value;
    },
  };
}
