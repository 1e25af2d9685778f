// Starts the demo's world and doorless before it. Only here is demo/ reached.
import { randomBytes, randomInt } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { eventsAt } from "../../demo/boundary.ts";
import { startWorld } from "../../demo/world.ts";
import type { World } from "../../demo/world.ts";
import { livenessText } from "../config/liveness.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/load.ts";
import { serveLocal } from "../console/local.ts";
import { systemClock } from "../kernel/clock.ts";
import { startCore } from "../main.ts";
import type { Core } from "../main.ts";
import { lockFolder } from "../store/lock.ts";
import type { Logger } from "../telemetry/log.ts";
import { lastPlaces, writeDemoConfig } from "./demo-config.ts";
import { watchPolicy } from "./watch.ts";

/** The world's folder in the data folder. */
const WORLD = "world";
const AGENTS = ["support", "sales", "research"];

/** The line that `demo --json` prints when everything answers. */
export interface Ready {
  readonly ready: true;
  readonly mcp: Readonly<Record<string, string>>;
  readonly console: null;
  readonly issuer: string;
  readonly api: string;
  readonly data: string;
}

export interface RunningDemo {
  readonly ready: Ready;
  readonly world: World;
  /** How each issuer's revocations show, in a line. */
  readonly revocation: readonly string[];
  /** The configuration that somebody had changed, and that is served as it is. */
  readonly kept_config: string | undefined;
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
  for (const folder of [data, join(data, WORLD)]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  // Before anything is written: a second demo must not change the first one's configuration, not
  // even while that one is still on its way to owning the folder.
  lockFolder(data).release();
  const lock = lockFolder(join(data, WORLD));
  try {
    const running = await startIn(data, options);
    const stop = async (): Promise<void> => {
      await running.stop();
      lock.release();
    };
    return { ...running, stop };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function startIn(data: string, options: DemoOptions): Promise<RunningDemo> {
  // Whoever is somewhere else is somebody else: the same issuer means the same people as before.
  const before = options.port === 0 ? lastPlaces(join(data, WORLD)) : undefined;
  const port = options.port === 0 ? await freePort(before?.url) : options.port;
  const url = `http://127.0.0.1:${port}`;
  const mcp = Object.fromEntries(AGENTS.map((agent) => [agent, `${url}/mcp/${agent}`]));
  const world = await startWorld({
    data: join(data, WORLD),
    issuer_port: options.port === 0 ? 0 : port + 1,
    api_port: options.port === 0 ? 0 : port + 2,
    mail_accounts_port: options.port === 0 ? 0 : port + 3,
    before,
    agents: mcp,
    boundary: {
      client_id: "doorless",
      client_secret: clientSecret(data, "client_secret"),
      events: eventsAt(url),
    },
    mail_client: {
      client_id: "doorless-at-mail",
      client_secret: clientSecret(data, "mail_client_secret"),
    },
  });
  let core: Core | undefined;
  try {
    const { issuer, api, mail_accounts } = world;
    const places = { url, issuer, api, mail_accounts };
    const { file, kept } = writeDemoConfig(data, join(data, WORLD), places);
    const config = loadConfig(file, process.env);
    core = await startCore({ ...options, config, clock: systemClock, allow_demo: true });
    const running = core;
    const control = await serveLocal(data, "demo", {}, (path, body) => lever(world, path, body));
    const stopWatching = watchPolicy(config, running);
    return {
      ready: { ready: true, mcp, console: null, issuer: world.issuer, api: world.api, data },
      world,
      revocation: revocationIn(config),
      kept_config: kept ? file : undefined,
      async stop() {
        stopWatching();
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

/** One line for each issuer, for whoever starts it. */
function revocationIn({ issuers }: Config): readonly string[] {
  return Object.entries(issuers).map(([name, issuer]) => `${name}: ${livenessText(issuer)}`);
}

// Below the range from which systems take ports for outgoing connections: one of those could be
// taken again between this look and the use. And above the last port that fetch refuses.
const FREE_PORTS = { from: 10_081, to: 32_000 } as const;

/** The one in `rather`, where it is free. */
export async function freePort(rather?: string): Promise<number> {
  const first = rather === undefined ? undefined : Number(new URL(rather).port);
  if (first !== undefined && (await isFree(first))) return first;
  for (;;) {
    const port = randomInt(FREE_PORTS.from, FREE_PORTS.to);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((done) => {
    server.once("error", () => done(false));
    server.listen(port, "127.0.0.1", () => done(true));
  });
  if (free) await new Promise<void>((done) => server.close(() => done()));
  return free;
}

function clientSecret(data: string, name: string): string {
  const file = join(data, "keys", name);
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, randomBytes(32).toString("base64url"), { mode: 0o600 });
  }
  return readFileSync(file, "utf8").trim();
}

async function lever(world: World, path: string, body: unknown): Promise<unknown> {
  const { person, agent, ttl_s, name } = body as Record<string, string | number>;
  if (path === "/token") {
    return { token: await world.mintToken(String(person), String(agent), Number(ttl_s)) };
  }
  if (path === "/set") await world.set(String(name));
  return {};
}
