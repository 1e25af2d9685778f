// `demo`, `demo token`, `demo set`: the whole world on loopback. Only here is demo/ reached.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { dirname, join, resolve } from "node:path";
import { startWorld } from "../../demo/world.ts";
import type { World } from "../../demo/world.ts";
import { loadConfig } from "../config/load.ts";
import { askLocal, LocalError, NotRunning, serveLocal } from "../console/local.ts";
import { systemClock } from "../kernel/clock.ts";
import { startCore } from "../main.ts";
import type { Core } from "../main.ts";
import { createLogger } from "../telemetry/log.ts";
import type { Logger } from "../telemetry/log.ts";
import { PACKAGE } from "./core.ts";
import { EXIT, note, print, printJson, Stop } from "./output.ts";
import { untilAsked } from "./signals.ts";
import { demoText } from "./demo-text.ts";
import { wholeOf, wordsOf } from "./verb.ts";
import type { Given, Verb } from "./verb.ts";

const PORT = 8484;
const DATA = ".doorless/demo";
const TOKEN_TTL_S_MAX = 28_800;
const AGENTS = ["support", "sales", "research"];

export interface RunningDemo {
  readonly ready: {
    readonly ready: true;
    readonly mcp: Readonly<Record<string, string>>;
    readonly console: null;
    readonly issuer: string;
    readonly api: string;
    readonly data: string;
  };
  readonly world: World;
  stop(): Promise<void>;
}

export interface DemoOptions {
  readonly port: number;
  readonly data: string;
  readonly log: Logger;
  readonly onFatal: (error: unknown) => void;
}

/** Starts provider, SaaS and doorless on loopback; leaves nothing behind when it cannot. */
export async function startDemo(options: DemoOptions): Promise<RunningDemo> {
  const data = resolve(options.data);
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const port = options.port === 0 ? await freePort() : options.port;
  const url = `http://127.0.0.1:${port}`;
  const mcp = Object.fromEntries(AGENTS.map((agent) => [agent, `${url}/mcp/${agent}`]));
  const world = await startWorld({
    data: join(data, "world"),
    issuer_port: options.port === 0 ? 0 : port + 1,
    api_port: options.port === 0 ? 0 : port + 2,
    agents: mcp,
    boundary: { client_id: "doorless", client_secret: clientSecret(data) },
  });
  let core: Core | undefined;
  try {
    const config = loadConfig(writeConfig(data, url, world), process.env);
    core = await startCore({ ...options, config, clock: systemClock, allow_demo: true });
    const running = core;
    const control = await serveLocal(data, "demo", {}, (path, body) => lever(world, path, body));
    return {
      ready: { ready: true, mcp, console: null, issuer: world.issuer, api: world.api, data },
      world,
      async stop() {
        await control.close();
        await running.stop();
        await world.stop();
      },
    };
  } catch (error) {
    await core?.stop();
    await world.stop();
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((done) => server.close(() => done()));
  return port;
}

function clientSecret(data: string): string {
  const file = join(data, "keys", "client_secret");
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, randomBytes(32).toString("base64url"), { mode: 0o600 });
  }
  return readFileSync(file, "utf8").trim();
}

// The example at the root, line for line, with this run's addresses: `explain` names its lines.
function writeConfig(data: string, url: string, world: World): string {
  const text = readFileSync(join(PACKAGE, "mcp.config.json"), "utf8")
    .replaceAll("http://127.0.0.1:8484", url)
    .replaceAll("http://127.0.0.1:8485", world.issuer)
    .replaceAll("http://127.0.0.1:8486", world.api)
    .replace('"port": 8484', `"port": ${new URL(url).port}`)
    .replace('"data": ".doorless/demo"', '"data": "."')
    .replace('"tools": "tools"', `"tools": ${JSON.stringify(join(PACKAGE, "tools"))}`)
    .replace("file:.doorless/demo/keys/", "file:keys/")
    .replace("./docs/", `${join(PACKAGE, "docs")}/`);
  const file = join(data, "mcp.config.json");
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

async function lever(world: World, path: string, body: unknown): Promise<unknown> {
  const { person, agent, ttl_s, name } = body as Record<string, string | number>;
  if (path === "/token") {
    return { token: await world.mintToken(String(person), String(agent), Number(ttl_s)) };
  }
  if (path === "/set") await world.set(String(name));
  return {};
}

export const demo: Verb = {
  name: "demo",
  usage: "demo [--port N] [--data DIR]",
  summary: "the whole world on loopback: identity provider, small SaaS, doorless",
  help: [
    `--port N        doorless's port, the provider's and SaaS's follow (default ${PORT}; 0: free ones)`,
    `--data DIR      kept between runs (default ${DATA})`,
    "--json          one line when ready",
  ],
  options: { port: { type: "string" }, data: { type: "string" } },
  async run(given) {
    wordsOf(demo, given);
    const port = wholeOf(demo, "--port", given.text("port") ?? String(PORT), 0, 65_533);
    const log = createLogger(process.env["DOORLESS_LOG"] ?? "warn");
    const fatal = Promise.withResolvers<string>();
    const onFatal = (error: unknown): void => {
      log.fatal({ err: error }, "the audit log cannot be written: stopping");
      fatal.resolve("audit log failure");
    };
    // Before anything listens: a signal that comes early must still end it in order.
    const asked = untilAsked();
    const running = await startDemo({ port, data: given.text("data") ?? DATA, log, onFatal });
    if (given.flag("json")) printJson(running.ready);
    else print(demoText(running.ready));
    const why = await Promise.race([asked, fatal.promise]);
    note(`stopping: ${why}`);
    await running.stop();
    return why === "audit log failure" ? EXIT.no : EXIT.ok;
  },
};

const DATA_OPTION = { data: { type: "string" } } as const;
const DATA_HELP = `--data DIR      of the running demo (default ${DATA})`;

async function askDemo(given: Given, path: string, body: object): Promise<unknown> {
  const data = resolve(given.text("data") ?? DATA);
  try {
    return await askLocal(data, "demo", path, body);
  } catch (error) {
    if (error instanceof NotRunning) {
      throw new Stop(EXIT.unreachable, `no demo runs in ${data}; start it with \`doorless demo\``);
    }
    if (error instanceof LocalError) throw new Stop(EXIT.usage, error.message);
    throw error;
  }
}

export const demoToken: Verb = {
  name: "demo token",
  usage: "demo token PERSON AGENT [--data DIR] [--ttl S]",
  summary: "an access token from the running demo, for scripts",
  help: [DATA_HELP, `--ttl S         seconds it lives (default 3600, at most ${TOKEN_TTL_S_MAX})`],
  options: { ...DATA_OPTION, ttl: { type: "string" } },
  async run(given) {
    const [person, agent] = wordsOf(demoToken, given, "PERSON", "AGENT");
    const ttl_s = wholeOf(demoToken, "--ttl", given.text("ttl") ?? "3600", 1, TOKEN_TTL_S_MAX);
    const answer = await askDemo(given, "/token", { person, agent, ttl_s });
    const { token } = answer as { token: string };
    // The one verb that prints a token: scripts take it from stdout.
    if (given.flag("json")) printJson({ token });
    else print(token);
    return EXIT.ok;
  },
};

export const demoSet: Verb = {
  name: "demo set",
  usage: "demo set LEVER [--data DIR]",
  summary: "revoke:PERSON restore:PERSON contract:1|2 api:down|up idp:down|up",
  help: [DATA_HELP],
  options: DATA_OPTION,
  async run(given) {
    const [name] = wordsOf(demoSet, given, "LEVER");
    await askDemo(given, "/set", { name });
    if (given.flag("json")) printJson({ set: name });
    return EXIT.ok;
  },
};
