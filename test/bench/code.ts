// What code costs beside data: one call after another, each kind in each round, so that a busy
// machine slows all of them. Cores with unused workers kept ready, and without; at each level there
// is.
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../src/cli/demo-world.ts";
import { loadConfig } from "../../src/config/load.ts";
import { approveTools } from "../setup/approved.ts";
import type { Child } from "../setup/child.ts";
import { agentUrls, ROOT, writeCoreConfig } from "../setup/core-config.ts";
import { callTool } from "../setup/mcp-post.ts";
import { LEVELS } from "../setup/levels.ts";
import { median } from "./report.ts";

/** `crm_get_deal`, written in code: it makes the same one request. */
const SAME_IN_CODE = `
import { defineTool, z } from "doorless/tool";

export default defineTool({
  name: "deal_in_code",
  title: "Look up a deal",
  description: "Makes the request of crm_get_deal.",
  input: z.object({ id: z.int().min(1) }),
  output: z.object({ id: z.int(), title: z.string(), stage: z.string(), amount: z.int() }),
  effects: { readOnly: true, destructive: false, idempotent: true, openWorld: false },
  target: "deal:{id}",
  uses: ["GET /crm/deals/{id}"],
  scopes: ["crm:read"],
  async run({ input, api }) {
    const path = { id: input.id };
    return z
      .object({ id: z.int(), title: z.string(), stage: z.string(), amount: z.int() })
      .parse(await api.request("GET /crm/deals/{id}", { path }));
  },
});
`;
const PAUSE_MS = 400;

interface Row {
  readonly call: string;
  readonly level: string;
  readonly p50_ms: number;
  readonly ratio: number;
}

export interface CodeResult {
  readonly rounds: number;
  readonly rows: readonly Row[];
  /** Proportional set size of one worker, MiB: what there would be more of it with one more. */
  readonly worker_mib: Readonly<Record<string, number>>;
}

interface Place {
  readonly level: string;
  readonly isolation: Record<string, unknown>;
}

type Start = (program: string, args: readonly string[]) => Promise<Child>;
type World = Parameters<typeof writeCoreConfig>[0]["world"] & {
  /** That its tokens' audiences were made with. */
  readonly port: number;
};

export async function measureCode(
  world: Child,
  places: World,
  folder: string,
  start: Start,
  rounds: number,
): Promise<CodeResult> {
  const levels: Place[] = [
    { level: "process", isolation: { code_tools: "process", run_code: "engine" } },
  ];
  if (LEVELS.some(({ level, skip }) => level === "os" && skip === undefined)) {
    levels.push({ level: "os", isolation: { code_tools: "os", run_code: "os" } });
  }
  const rows: Row[] = [];
  const worker_mib: Record<string, number> = {};
  for (const place of levels) {
    const ready = await openCore(place, 2, places, folder, start);
    const bare = await openCore(place, 0, places, folder, start);
    const times = await measure(world, ready.port, bare.port, rounds);
    const data = median(times.get(DECLARATIVE) ?? []);
    for (const [call, all] of times) {
      rows.push({ call, level: place.level, p50_ms: median(all), ratio: median(all) / data });
    }
    worker_mib[place.level] = median(workersOf(ready.child.pid).map(proportionalMib));
    await Promise.all([ready.child.stop(), bare.child.stop()]);
  }
  return { rounds, rows, worker_mib };
}

async function openCore(
  { level, isolation }: Place,
  workers_ready: number,
  world: World,
  folder: string,
  start: Start,
): Promise<{ child: Child; port: number }> {
  const port = await freePort();
  const data = join(folder, `code-${level}-${workers_ready}`);
  const file = writeCoreConfig({
    data,
    port,
    world,
    isolation: { ...isolation, workers_ready, workers_per_user_max: 256, workers_max: 512 },
  });
  const tools = join(data, "tools");
  cpSync(join(ROOT, "tools"), tools, { recursive: true });
  writeFileSync(join(tools, "crm", "deal_in_code.tool.ts"), SAME_IN_CODE);
  const config = JSON.parse(readFileSync(file, "utf8")) as {
    tools: string;
    agents: Record<string, { tools: Record<string, object>; tokens: object }>;
  };
  config.tools = tools;
  Object.assign(config.agents["sales"]?.tools ?? {}, { deal_in_code: {} });
  // One world has tokens for the agents of one port: here they are a shared audience.
  for (const [name, agent] of Object.entries(config.agents)) {
    agent.tokens = { audience: agentUrls(world.port)[name] ?? "", scope: "mcp" };
  }
  writeFileSync(file, JSON.stringify(config));
  await approveTools(tools, loadConfig(file, {}, { secrets: false }));
  const child = await start(join(ROOT, "test", "setup", "core-process.ts"), [file]);
  return { child, port };
}

const DECLARATIVE = "declarative call";
const SUM = "const { deals } = await api.crm_search_deals({ limit: 5 }); return deals.length;";

async function measure(
  world: Child,
  ready: number,
  bare: number,
  rounds: number,
): Promise<Map<string, number[]>> {
  const token = (person: string, agent: string): Promise<string> =>
    world.ask<string>("tokenFor", { person, agent });
  const [deal, warm] = [await token("mia", "sales"), await token("mia", "sales")];
  const [omar, cold] = [await token("omar", "research"), await token("omar", "research")];
  const times = new Map<string, number[]>();
  const timed = async (
    name: string,
    port: number,
    agent: string,
    as: string,
    tool: string,
    args: object,
  ) => {
    const url = agentUrls(port)[agent] ?? "";
    const began_ms = performance.now();
    const called = await callTool(url, `Bearer ${as}`, tool, args);
    const ms = performance.now() - began_ms;
    if (called.error !== undefined || called.result === undefined) throw new Error(called.text);
    times.set(name, [...(times.get(name) ?? []), ms]);
  };
  const code = { code: "return 1 + 1;" };
  for (let i = -2; i < rounds; i++) {
    // What is warm is measured some times in a row, so that it is warm.
    for (let k = 0; k < 10; k++) {
      await timed(DECLARATIVE, ready, "sales", deal, "crm_get_deal", { id: 42 });
      await timed("code tool, warm", ready, "sales", warm, "deal_in_code", { id: 42 });
    }
    const [first, later] = [await token("mia", "sales"), await token("mia", "sales")];
    await timed("code tool, first call of a session", ready, "sales", first, "deal_in_code", {
      id: 42,
    });
    await timed("the same, no worker ready", bare, "sales", later, "deal_in_code", { id: 42 });
    await timed("run_code, workers ready", ready, "research", omar, "run_code", code);
    await timed("run_code, no worker ready", bare, "research", cold, "run_code", code);
    await timed("run_code that calls a tool, workers ready", ready, "research", omar, "run_code", {
      code: SUM,
    });
    if (i < 0) times.clear();
    // Until the unused workers are there again.
    await sleep(PAUSE_MS);
  }
  return times;
}

/** Every descendant of a process that runs Node. */
function workersOf(pid: number): number[] {
  const parents = new Map<number, number>();
  const nodes = new Set<number>();
  for (const name of readdirSync("/proc").filter((one) => /^\d+$/.test(one))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
      if (/\(node/.test(stat)) nodes.add(Number(name));
    } catch {
      // It ended meanwhile.
    }
  }
  const isBelow = (one: number): boolean => {
    const parent = parents.get(one);
    return parent !== undefined && (parent === pid || isBelow(parent));
  };
  return [...nodes].filter(isBelow);
}

function proportionalMib(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "latin1");
  return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1]) / 1024;
}
