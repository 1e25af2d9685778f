// A local MCP server started once for somebody who looks at it, such as whoever imports its tools:
// in a stage and a jail of its own, probed like every other.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerProgram } from "../../catalog/upstream/program.ts";
import type { IsolationConfig } from "../../config/isolation.ts";
import { createBackend, unavailableWhy } from "../levels.ts";
import { startServer } from "./local-servers.ts";
import { probe } from "../probe.ts";
import { Servers } from "./servers.ts";
import { setStage } from "../stage.ts";
import type { StdioServer } from "./stdio-server.ts";
import { stdioUpstream } from "./stdio.ts";
import type { UpstreamMcp } from "./upstream.ts";

/** It does not start in the sandbox, or nothing does. */
export class NotStarted extends Error {
  override readonly name = "NotStarted";
  readonly mend: string;
  constructor(message: string, mend: string) {
    super(message);
    this.mend = mend;
  }
}

export interface Looked {
  readonly server: StdioServer;
  readonly upstream: UpstreamMcp;
  /** Of what runs. */
  readonly digest: string;
}

/** Throws `NotStarted`; nothing is left behind. */
export async function withLocalServer<T>(
  program: ServerProgram,
  isolation: IsolationConfig,
  then: (looked: Looked) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "doorless-"));
  const servers = new Servers({ servers_max: 1, servers_per_user_max: 1, idle_ms_max: 60_000 });
  try {
    const stage = setStage(folder);
    const backend = await heldBackend(isolation, stage);
    const staged = stage.server("looked-at", program);
    let server: StdioServer | undefined;
    const seat = servers.seat(undefined, () => {
      server = startServer(backend, staged, isolation, () => undefined);
      return server;
    });
    const started = await seat.started(new AbortController().signal);
    if (!started.ok) {
      const { cause = started.refusal.code } = started.refusal;
      throw whyNotStarted(cause, server?.lastWords ?? "");
    }
    return await then({
      server: started.value,
      upstream: stdioUpstream(seat, "looked-at"),
      digest: staged.digest,
    });
  } finally {
    await servers.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function heldBackend(isolation: IsolationConfig, stage: ReturnType<typeof setStage>) {
  try {
    const backend = createBackend(isolation.mcp_servers, isolation, stage);
    await probe(backend, stage);
    return backend;
  } catch (error) {
    const { message, mend } = unavailableWhy(error);
    throw new NotStarted(message, mend);
  }
}

const NEEDS: readonly (readonly [RegExp, string])[] = [
  [
    /answer is none/,
    "it writes to its standard output what is no MCP of a revision that is spoken",
  ],
  [
    /ERR_MODULE_NOT_FOUND|Cannot find (?:module|package)/,
    "it misses a file or a package: those of its package.json are there, and no others",
  ],
  [/ERR_DLOPEN_DISABLED/, "it needs a native add-on, and none is loaded in the sandbox"],
  [/\bspawn|\bfork|child_process/i, "it seems to start a program, and there is none there"],
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|fetch failed|getaddrinfo|\blisten\b|\bsocket\b/i,
    "it seems to need the network, and there is none in the sandbox; name it by its URL instead",
  ],
  [
    /api[ _-]?key|token|credential|secret|password|environment variable|\benv(?:ironment)?\b/i,
    "it seems to need a credential or the environment, and there is neither in the sandbox",
  ],
  [
    /ENOENT|EACCES|EROFS|EFBIG|ENOTDIR|no such file|permission denied/i,
    "it seems to need files, and there are none in the sandbox but its own",
  ],
];
const UNKNOWN =
  "a server in the sandbox has no environment, no network, and no file but its own package's";
const WORDS_CHARS_MAX = 300;

/** `said` are the server's own words: they are for the eyes of who started it, and guessed from. */
export function whyNotStarted(cause: string, said: string): NotStarted {
  const lines = said.split("\n").map((line) => line.trim());
  const telling = lines.filter((line) => !/^(?:at .*|Node\.js v.*|[{}^\s]*)$/.test(line));
  const words =
    telling.findLast((line) => /Error\b/.test(line)) ??
    telling.findLast((line) => /error|\bE[A-Z]{3,}\b/i.test(line)) ??
    telling.at(-1);
  const mend = NEEDS.find(([sign]) => sign.test(`${cause}\n${said}`))?.[1] ?? UNKNOWN;
  const quoted = words === undefined ? "" : `; it said: ${words.slice(0, WORDS_CHARS_MAX)}`;
  return new NotStarted(`${cause}${quoted}`, mend);
}
