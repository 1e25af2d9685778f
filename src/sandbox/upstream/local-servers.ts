// The local MCP servers that the configuration names: copied aside at the start, and run from there
// in a jail that holds alone. Whatever such a program is, it gets its own files and two pipes.
import { dirname } from "node:path";
import { NoServerProgram, serverProgram } from "../../catalog/upstream/program.ts";
import type { IsolationConfig } from "../../config/isolation.ts";
import type { Config } from "../../config/load.ts";
import { secretFiles } from "../../config/secrets.ts";
import { ConfigError } from "../../config/problem.ts";
import type { IsolationBackend } from "../backend.ts";
import { Servers } from "./servers.ts";
import type { Stage, StagedServer } from "../stage.ts";
import { StdioServer } from "./stdio-server.ts";
import { stdioUpstream } from "./stdio.ts";
import type { UpstreamWay } from "./upstream.ts";

const MIB = 1_048_576;
/** Of one message: each server may have this much of our memory before it says anything whole. */
const LINE_BYTES_MAX = 4_194_304;
/** Of the resident memory, what V8's heap may take; the rest is Node's own, and buffers. */
const HEAP_SHARE = 0.5;

/** A connector whose server is a command. */
interface Local {
  readonly connector: string;
  readonly command: readonly string[];
  readonly check_s: number;
}

export function localServersIn({ connectors }: Pick<Config, "connectors">): readonly Local[] {
  return Object.entries(connectors).flatMap(([connector, { mcp }]) =>
    mcp !== undefined && "command" in mcp ? [{ connector, ...mcp }] : [],
  );
}

export interface LocalServers {
  readonly ways: ReadonlyMap<string, UpstreamWay>;
  readonly count: number;
  close(): Promise<void>;
}

/** Throws `ConfigError` where a command is none; no process starts here. */
export function openLocalServers(
  config: Config,
  stage: Stage,
  backend: IsolationBackend,
): LocalServers {
  const { isolation } = config;
  const servers = new Servers({
    servers_max: isolation.workers_max,
    servers_per_user_max: isolation.workers_per_user_max,
    idle_ms_max: isolation.idle_s_max * 1000,
  });
  const ways = new Map<string, UpstreamWay>();
  for (const local of localServersIn(config)) {
    const { connector, command, check_s } = local;
    const staged = stagedFrom(config, stage, local);
    const start = (onListChanged: () => void): StdioServer =>
      startServer(backend, staged, isolation, onListChanged);
    ways.set(connector, {
      endpoint: { command, files: staged.digest },
      check_s,
      open: (user, changed) =>
        stdioUpstream(
          servers.seat(user, () => start(changed)),
          connector,
        ),
      close: () => Promise.resolve(),
    });
  }
  return {
    ways,
    get count() {
      return servers.count;
    },
    close: () => servers.close(),
  };
}

/** One process of it, in the jail and nothing else around it. */
export function startServer(
  backend: IsolationBackend,
  { folder, entry, args }: StagedServer,
  isolation: IsolationConfig,
  onListChanged: () => void,
): StdioServer {
  const isolated = backend.spawn({
    folder,
    entry,
    args,
    heap_mib_max: Math.floor(isolation.memory_mib_max * HEAP_SHARE),
    permission: false,
  });
  const limits = {
    line_bytes_max: LINE_BYTES_MAX,
    rss_bytes_max: isolation.memory_mib_max * MIB,
    cpu_ms_max: isolation.cpu_ms_max,
  };
  return new StdioServer(isolated, limits, onListChanged);
}

function stagedFrom(config: Config, stage: Stage, { connector, command }: Local): StagedServer {
  try {
    const program = serverProgram(command, dirname(config.file), keptFrom(config));
    return stage.server(connector, program);
  } catch (error) {
    if (!(error instanceof NoServerProgram)) throw error;
    const pointer = `/connectors/${connector}/mcp/command`;
    const { message, mend } = error;
    const line = Number(config.place(pointer).split(":").at(-1));
    throw new ConfigError([{ file: config.file, pointer, line, message, mend }]);
  }
}

/** What no server may read, wherever it lies. */
export function keptFrom(config: Config): readonly string[] {
  const { file, data_dir, tools_dir, vault_keys_file } = config;
  return [file, data_dir, tools_dir, vault_keys_file, ...secretFiles(config, file)];
}
