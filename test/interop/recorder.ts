// A house whose API stands behind a recorder: every byte that doorless sends it is kept, and a
// request can be held on its way, so that tests decide when the API answers.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Server as SocketServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventsAt } from "../../demo/boundary.ts";
import { startWorld } from "../../demo/world.ts";
import type { World } from "../../demo/world.ts";
import { freePort } from "../../src/cli/demo-world.ts";
import { loadConfig } from "../../src/config/load.ts";
import { askLocal } from "../../src/console/local.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { startCore } from "../../src/main.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { ROOT } from "./clients.ts";
import type { Json } from "./clients.ts";
import { AGENTS } from "./tables.ts";
import type { Agent } from "./tables.ts";
import { MAIL_CLIENT } from "../setup/core-config.ts";

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  /** The request line, headers and body, as they came. */
  readonly text: string;
}

/** One request that the recorder keeps from the API until it is told otherwise. */
interface Held {
  /** Resolves when the request has come, whole. */
  readonly arrived: Promise<Seen>;
  /** Resolves when doorless has hung up on it. */
  readonly hungUp: Promise<void>;
  /** Lets it go on to the API. */
  release(): void;
}

interface Trap extends Held {
  readonly matches: (path: string) => boolean;
  readonly arrive: (seen: Seen) => void;
  readonly hangUp: () => void;
  readonly released: Promise<void>;
}

class Recorder {
  readonly seen: Seen[] = [];
  private readonly traps: Trap[] = [];
  private readonly server: Server;
  private readonly target: URL;

  constructor(target: string) {
    this.target = new URL(target);
    this.server = createServer((req, res) => {
      this.take(req, res).catch(() => res.destroy());
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((done) => this.server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${portOf(this.server)}`;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((done) => this.server.close(() => done()));
    this.server.closeAllConnections();
    await closed;
  }

  /** Holds the next request whose path starts with `prefix`. */
  hold(prefix: string): Held {
    const came = Promise.withResolvers<Seen>();
    const gone = Promise.withResolvers<void>();
    const free = Promise.withResolvers<void>();
    const trap: Trap = {
      matches: (path) => path.startsWith(prefix),
      arrived: came.promise,
      arrive: came.resolve,
      hungUp: gone.promise,
      hangUp: gone.resolve,
      released: free.promise,
      release: free.resolve,
    };
    this.traps.push(trap);
    return trap;
  }

  private async take(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const { method = "GET", url: path = "/", headers, rawHeaders } = req;
    const text = [`${method} ${path}`, ...rawHeaders, body.toString("latin1")].join("\n");
    const seen = { method, path, headers, text };
    this.seen.push(seen);
    const at = this.traps.findIndex((trap) => trap.matches(path));
    const [trap] = at === -1 ? [] : this.traps.splice(at, 1);
    if (trap !== undefined) {
      res.once("close", () => {
        if (!res.writableFinished) trap.hangUp();
      });
      trap.arrive(seen);
      await trap.released;
    }
    this.forward(seen, body, res);
  }

  private forward(seen: Seen, body: Buffer, res: ServerResponse): void {
    const { method, path } = seen;
    const headers = { ...seen.headers, host: this.target.host };
    const onward = request(
      new URL(path, this.target),
      { method, headers, agent: false },
      (answer) => {
        res.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(res);
      },
    );
    onward.on("error", () => res.destroy());
    onward.end(body);
  }
}

export interface WatchedHouse {
  readonly world: World;
  readonly recorder: Recorder;
  /** doorless's data folder; the world's is elsewhere. */
  readonly data: string;
  urlOf(agent: Agent): string;
  token(person: string, agent: Agent): Promise<string>;
  /** What the ledger has of one call; asked through the socket that the CLI uses too. */
  record(call_id: unknown): Promise<Json | undefined>;
  logged(): string;
  close(): Promise<void>;
}

/** Starts world, recorder and doorless; the configuration is the example's, but for addresses. */
/** `change` edits the configuration before it is loaded. */
export async function openWatchedHouse(
  change: (config: Json) => void = () => undefined,
): Promise<WatchedHouse> {
  const home = mkdtempSync(join(tmpdir(), "doorless-watched-"));
  const data = join(home, "data");
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const agents = Object.fromEntries(AGENTS.map((agent) => [agent, `${url}/mcp/${agent}`]));
  const boundary = {
    client_id: "doorless",
    client_secret: "a-secret-of-this-test-alone",
    events: eventsAt(url),
  };
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rmSync(home, { recursive: true, force: true }));
  const world = await startWorld({
    data: join(home, "world"),
    issuer_port: 0,
    api_port: 0,
    mail_accounts_port: 0,
    mail_client: MAIL_CLIENT,
    agents,
    boundary,
  });
  undo.defer(() => world.stop());
  const recorder = new Recorder(world.api);
  const origin = await recorder.listen();
  undo.defer(() => recorder.close());
  const lines: string[] = [];
  const log = createLogger("trace", { write: (line: string) => void lines.push(line) });
  const file = join(home, "mcp.config.json");
  const written = JSON.parse(configText({ url, port, world, origin })) as Json;
  change(written);
  writeFileSync(file, JSON.stringify(written, null, 2));
  const config = loadConfig(file, {
    TEST_SECRET: boundary.client_secret,
    MAIL_SECRET: MAIL_CLIENT.client_secret,
  });
  const core = await startCore({
    config,
    clock: systemClock,
    log,
    allow_demo: true,
    onFatal: (error) => void lines.push(`FATAL ${String(error)}`),
  });
  undo.defer(() => core.stop());
  const stack = undo.move();
  return {
    world,
    recorder,
    data,
    urlOf: (agent) => agents[agent] ?? "",
    token: (person, agent) => world.mintToken(person, agent, 600),
    async record(call_id) {
      const question = { os_user: "interop", filter: { call_id, limit: 1 } };
      const page = await askLocal(data, "core", "/audit", question);
      return (page as { records: Json[] }).records[0];
    },
    logged: () => lines.join(""),
    close: () => stack.disposeAsync(),
  };
}

interface Places {
  readonly url: string;
  readonly port: number;
  readonly world: World;
  readonly origin: string;
}

// Tokens are still for the API itself: only where doorless dials is changed.
function configText({ url, port, world, origin }: Places): string {
  return readFileSync(join(ROOT, "mcp.config.json"), "utf8")
    .replaceAll("http://127.0.0.1:8484", url)
    .replaceAll("http://127.0.0.1:8485", world.issuer)
    .replaceAll('"origin": "http://127.0.0.1:8486"', `"origin": ${JSON.stringify(origin)}`)
    .replaceAll("http://127.0.0.1:8486", world.api)
    .replace('"port": 8484', `"port": ${port}`)
    .replace('"data": ".doorless/demo"', '"data": "data"')
    .replace('"tools": "tools"', `"tools": ${JSON.stringify(join(ROOT, "tools"))}`)
    .replaceAll("http://127.0.0.1:8487", world.mail_accounts)
    .replace("file:.doorless/demo/keys/client_secret", "env:TEST_SECRET")
    .replace("file:.doorless/demo/keys/mail_client_secret", "env:MAIL_SECRET");
}

function portOf(server: SocketServer): number {
  return (server.address() as AddressInfo).port;
}
