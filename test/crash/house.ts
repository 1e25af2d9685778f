// A world that outlives the core before it: the SaaS and its audit log are in the test's process,
// the core is a child that can be killed, and both sides can be asked what happened.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startWorld } from "../../demo/world.ts";
import type { World } from "../../demo/world.ts";
import { startChild } from "../setup/child.ts";
import type { Child } from "../setup/child.ts";
import { agentUrls, BOUNDARY, MAIL_CLIENT, ROOT, writeCoreConfig } from "../setup/core-config.ts";
import { freePort } from "../../src/cli/demo-world.ts";
import type { CoreConfigOptions } from "../setup/core-config.ts";
import { callTool, mcpHeaders, post, rpc } from "../setup/mcp-post.ts";
import type { Called } from "../setup/mcp-post.ts";
import { openApiProxy } from "./api-proxy.ts";
import type { ApiProxy } from "./api-proxy.ts";
import { Evidence } from "./evidence.ts";
import { Power } from "./power.ts";

export interface CrashHouse {
  readonly world: World;
  readonly proxy: ApiProxy;
  /** The core's data folder, and the configuration in it. */
  readonly data: string;
  readonly config: string;
  readonly evidence: Evidence;
  /** Starts the core; `stuck` as in stuck-disk.ts. */
  start(stuck?: string): Promise<Child>;
  /** After a kill: the power was gone too, where there is one. How many bytes went with it. */
  lose(random: () => number): number;
  call(person: string, agent: string, tool: string, args: object, key?: string): Promise<Called>;
  /** The core answers a list, which no ledger has a part in. */
  list(person: string, agent: string): Promise<void>;
  close(): Promise<void>;
}

// Nobody's access ends here, so that nobody is asked about it: what a core that was just started on
// a busy machine does in its first two seconds is not what these tests are about.
const NOBODY_IS_ASKED = { source: "token_lifetime", accepted: true };

export interface CrashHouseOptions extends Partial<CoreConfigOptions> {
  /** The core runs under the shim of power.ts. */
  readonly power?: boolean;
  /** The core's program; without it, this project's. */
  readonly program?: string;
}

export async function openCrashHouse({
  power: with_power = false,
  program = join(ROOT, "test", "setup", "core-process.ts"),
  ...options
}: CrashHouseOptions = {}): Promise<CrashHouse> {
  const folder = mkdtempSync(join(tmpdir(), "doorless-crash-"));
  const data = join(folder, "core");
  const port = await freePort();
  const issuer_port = await freePortBut(port);
  const urls = agentUrls(port);
  const world = await startWorld({
    data: join(folder, "world"),
    issuer_port,
    api_port: 0,
    mail_accounts_port: 0,
    mail_client: MAIL_CLIENT,
    agents: urls,
    boundary: BOUNDARY,
  });
  const proxy = await openApiProxy(world.api);
  const given = { api_origin: proxy.origin, liveness: NOBODY_IS_ASKED, ...options };
  const config = writeCoreConfig({ ...given, data, port, world });
  const evidence = new Evidence(data, world.api);
  const power = with_power ? new Power(evidence.ledger, folder) : undefined;
  const running = new Set<Child>();
  const tokens = new Map<string, Promise<string>>();
  const credential = async (person: string, agent: string): Promise<string> => {
    const who = `${person} ${agent}`;
    if (!tokens.has(who)) tokens.set(who, world.mintToken(person, agent, 1800));
    return `Bearer ${await tokens.get(who)}`;
  };
  return {
    world,
    proxy,
    data,
    config,
    evidence,
    async start(stuck = "") {
      power?.begin();
      const child = await startChild(program, { args: [config, stuck], env: power?.env ?? {} });
      running.add(child);
      return child;
    },
    lose: (random) => power?.lose(random) ?? 0,
    async call(person, agent, tool, args, key) {
      return callTool(urls[agent] ?? "", await credential(person, agent), tool, args, key);
    },
    async list(person, agent) {
      const authorization = await credential(person, agent);
      const headers = { ...mcpHeaders("tools/list"), authorization };
      const { status } = await post(urls[agent] ?? "", headers, JSON.stringify(rpc("tools/list")));
      if (status !== 200) throw new Error(`the list was answered with ${status}`);
    },
    async close() {
      for (const child of running) await child.kill();
      await proxy.close();
      await world.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

// None of those that the machine itself gives out: it must stay free while the provider is down.
async function freePortBut(taken: number): Promise<number> {
  const port = await freePort();
  return port === taken ? freePortBut(taken) : port;
}
