// The sandbox: runs tool code and generated code where they can do nothing else. It opens only when
// the probe has shown that the levels which the configuration asks for hold on this machine.
import type { CodeFile, ManifestRead, ManifestReader } from "../catalog/manifest.ts";
import type { Config } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";
import type { Credential } from "../kernel/principal.ts";
import type { Refusal } from "../kernel/errors.ts";
import { digestOf } from "../kernel/ids.ts";
import type { Result } from "../kernel/result.ts";
import type { IsolationBackend, Level } from "./backend.ts";
import { runGenerated } from "./run-generated.ts";
import type { GeneratedRun } from "./run-generated.ts";
import { loadTool, runTool } from "./run-tool.ts";
import type { ToolRun } from "./run-tool.ts";
import { javascriptOf } from "./javascript.ts";
import { createBackend, unavailableWhy } from "./levels.ts";
import { Pool } from "./pool.ts";
import type { Kind } from "./pool.ts";
import { probe } from "./probe.ts";
import type { Found, ProbeResult } from "./probe.ts";
import { localServersIn, openLocalServers } from "./upstream/local-servers.ts";
import { probeEngine } from "./probe-engine.ts";
import { setStage } from "./stage.ts";
import type { Stage } from "./stage.ts";
import { STARTS_AT_ONCE_MAX, Turns } from "./turns.ts";
import type { UpstreamWay } from "./upstream/upstream.ts";
import { Worker } from "./worker.ts";

const FRAME_BYTES_MAX = 1_048_576;
const MANIFESTS_MAX = 1000;
const MIB = 1_048_576;
/** Of the resident memory, what V8's heap may take; the rest is Node's own, and buffers. */
const HEAP_SHARE = 0.5;

export interface Sandbox {
  /** Reads what a tool's file says of itself, in a worker that is ended afterwards. */
  readonly readManifest: ManifestReader;
  /** What the ledger says of where a call ran: the level, and what the probe found. */
  isolationOf(kind: "code" | "generated"): string;
  /** The same of a connector's local MCP server; nothing where it has none. */
  isolationOfServer(connector: string): string | undefined;
  /** The ways to the local MCP servers, by connector. */
  readonly servers: ReadonlyMap<string, UpstreamWay>;
  /** What is known not to be stopped, for the operator's eyes at the start. */
  readonly gaps: readonly string[];
  runTool(run: ToolRun): Promise<Result<unknown>>;
  runGenerated(run: GeneratedRun): Promise<Result<unknown>>;
  /** Ends the workers of these people's sessions at once, with whatever runs in them. */
  endSessions(areTheirs: (credential: Credential) => boolean): void;
  /** Worker processes alive, and local MCP servers. */
  readonly workers: number;
  close(): Promise<void>;
}

interface Lane {
  readonly backend: IsolationBackend;
  readonly said: string;
}

interface SandboxOptions {
  readonly workers_ready?: number;
  /** Whether local MCP servers may be started; questions about files alone need none. */
  readonly servers?: boolean;
}

/**
 * Probes the levels that are asked for, and opens. `undefined` where none is. Throws `ConfigError`
 * with `isolation_unavailable` where one does not hold; nothing is left behind then.
 */
export async function openSandbox(
  config: Config,
  folder: string,
  options: SandboxOptions = {},
): Promise<Sandbox | undefined> {
  const { code_tools, run_code } = config.isolation;
  const [local] = options.servers === true ? localServersIn(config) : [];
  if (code_tools === "none" && run_code === "none" && local === undefined) return undefined;
  const stage = setStage(folder);
  try {
    const lanes = await openLanes(config, stage, local?.connector);
    return createSandbox(config, stage, lanes, options);
  } catch (error) {
    stage.remove();
    throw error;
  }
}

type Lanes = Readonly<Partial<Record<Kind | "server", Lane>>>;

/** `local` is a connector whose server runs here, where there is one. */
async function openLanes(config: Config, stage: Stage, local: string | undefined): Promise<Lanes> {
  const { isolation } = config;
  const { code_tools, run_code, mcp_servers } = isolation;
  // The engine is no level of its own: a process stands around it, or a jail.
  const around = run_code === "engine" ? "process" : run_code;
  const held = new Map<Level, { backend: IsolationBackend; found: ProbeResult }>();
  const open = async (pointer: string, level: Level) => {
    const known = held.get(level);
    if (known !== undefined) return known;
    try {
      const backend = createBackend(level, isolation, stage);
      const opened = { backend, found: await probe(backend, stage) };
      held.set(level, opened);
      return opened;
    } catch (error) {
      throw unavailable(config, pointer, error);
    }
  };
  const lanes: Partial<Record<keyof Lanes, Lane>> = {};
  if (local !== undefined) {
    const { backend, found } = await open(`/connectors/${local}/mcp/command`, mcp_servers);
    lanes.server = { backend, said: describe(mcp_servers, found.alone) };
  }
  if (code_tools !== "none") {
    const { backend, found } = await open("/isolation/code_tools", code_tools);
    lanes.tool = { backend, said: describe(backend.level, found) };
  }
  if (around !== "none") {
    const { backend, found } = await open("/isolation/run_code", around);
    try {
      await probeEngine(backend, stage);
    } catch (error) {
      throw unavailable(config, "/isolation/run_code", error);
    }
    const level = run_code === "engine" ? "engine in process" : `${around}, with engine`;
    lanes.engine = { backend, said: describe(level, found) };
  }
  return lanes;
}

function describe(level: string, { refused, gaps }: Found): string {
  const known = gaps.length === 0 ? "no known gaps" : `known gaps: ${gaps.join(", ")}`;
  return `${level} (probed at start: ${refused.length} attempts refused; ${known})`;
}

function unavailable(config: Config, pointer: string, error: unknown): ConfigError {
  const line = Number(config.place(pointer).split(":").at(-1));
  return new ConfigError([{ file: config.file, pointer, line, ...unavailableWhy(error) }]);
}

function createSandbox(
  config: Config,
  stage: Stage,
  lanes: Lanes,
  { workers_ready = config.isolation.workers_ready }: SandboxOptions,
): Sandbox {
  const { isolation } = config;
  const local = lanes.server && openLocalServers(config, stage, lanes.server.backend);
  const servers = local?.ways ?? new Map<string, UpstreamWay>();
  const start = (kind: Kind): Worker => {
    const lane = lanes[kind];
    if (lane === undefined) throw new RangeError(`no level for ${kind} workers`);
    const isolated = lane.backend.spawn({
      folder: stage.folder,
      entry: stage.entry(`${kind}-worker`),
      heap_mib_max: Math.floor(isolation.memory_mib_max * HEAP_SHARE),
      permission: true,
    });
    const rss_bytes_max = isolation.memory_mib_max * MIB;
    return new Worker(isolated, { frame_bytes_max: FRAME_BYTES_MAX, rss_bytes_max });
  };
  const pool = new Pool({
    start,
    workers_max: isolation.workers_max,
    workers_per_user_max: isolation.workers_per_user_max,
    ready: {
      tool: lanes.tool === undefined ? 0 : workers_ready,
      engine: lanes.engine === undefined ? 0 : workers_ready,
    },
    idle_ms_max: isolation.idle_s_max * 1000,
  });
  const said = { code: lanes.tool?.said ?? "none", generated: lanes.engine?.said ?? "none" };
  return {
    readManifest: manifestReader(start),
    isolationOf: (kind) => said[kind],
    isolationOfServer: (name) => (servers.has(name) ? lanes.server?.said : undefined),
    servers,
    gaps: Object.values(said).filter((text) => text.includes("known gaps:")),
    runTool: (run) => runTool(pool, isolation, run),
    runGenerated: (run) => runGenerated(pool, isolation, run),
    endSessions: (areTheirs) => pool.endSessions(areTheirs),
    get workers() {
      return pool.count + (local?.count ?? 0);
    },
    async close() {
      await Promise.all([pool.close(), local?.close()]);
      stage.remove();
    },
  };
}

// What a text says of itself does not change: it is asked once, however often the folder is read.
function manifestReader(start: (kind: Kind) => Worker): ManifestReader {
  const turns = new Turns(STARTS_AT_ONCE_MAX);
  const known = new Map<string, ManifestRead>();
  return async (file) => {
    const key = digestOf(file.name, file.text);
    const before = known.get(key);
    if (before !== undefined) return before;
    const leave = await turns.enter();
    try {
      const read = await readManifest(file, start);
      if (known.size < MANIFESTS_MAX) known.set(key, read);
      return read;
    } finally {
      leave();
    }
  };
}

async function readManifest(file: CodeFile, start: (kind: Kind) => Worker): Promise<ManifestRead> {
  let source: string;
  try {
    source = javascriptOf(file.text);
  } catch (error) {
    return { failure: `is no TypeScript that Node can run: ${(error as Error).message}` };
  }
  const worker = start("tool");
  try {
    await worker.ready;
    const loaded = await loadTool(worker, file.name, source);
    if (!loaded.ok) return { failure: failureOf(loaded.refusal) };
    return { manifest: loaded.value, source, text: file.text };
  } finally {
    worker.destroy({ code: "cancelled" });
    await worker.gone;
  }
}

function failureOf({ code, cause, reason, details }: Refusal): string {
  const endless = code === "timeout" || details?.["limit"] === "processor time";
  if (endless) return "its top level does not end: it may define the tool, and wait for nothing";
  return cause ?? reason ?? code;
}
