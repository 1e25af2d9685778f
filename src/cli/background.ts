// The local core behind `stdio`: the one that owns the data folder, started when none runs, and
// stopped when the last client has gone. Whoever is attached holds a connection to its socket,
// which the operating system closes with the process.
import { spawn } from "node:child_process";
import { mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { loadConfig } from "../config/load.ts";
import { attachLocal, NotRunning } from "../console/local.ts";
import { PACKAGE } from "./core.ts";
import type { Place } from "./core.ts";
import { EXIT, Stop } from "./output.ts";

const START_MS_MAX = 20_000;
const LOOK_EVERY_MS = 50;

/** Attaches to the core of the data folder. Resolves with how to let go. */
export async function attachTo(place: Place): Promise<() => void> {
  const running = await attached(place);
  if (running !== undefined) return running;
  startBehind(place);
  const until_ms = performance.now() + START_MS_MAX;
  while (performance.now() < until_ms) {
    await sleep(LOOK_EVERY_MS);
    const started = await attached(place);
    if (started !== undefined) return started;
  }
  const log = join(place.data, "core.log");
  throw new Stop(EXIT.unreachable, `doorless did not start in the background; see ${log}`);
}

async function attached({ data }: Place): Promise<(() => void) | undefined> {
  try {
    return await attachLocal(data, "core");
  } catch (error) {
    if (error instanceof NotRunning) return undefined;
    throw error;
  }
}

// Of two that start one at the same time, the folder's lock lets one in; both attach to it.
function startBehind({ data, config: file }: Place): void {
  const none = `no doorless runs in ${data}`;
  if (file === undefined) throw new Stop(EXIT.unreachable, `${none}; name a --config FILE`);
  const config = loadConfig(file, process.env);
  if (Object.values(config.issuers).some(({ demo }) => demo === true)) {
    throw new Stop(EXIT.unreachable, `${none}; start it with \`doorless demo\``);
  }
  mkdirSync(config.data_dir, { recursive: true, mode: 0o700 });
  const log = openSync(join(config.data_dir, "core.log"), "a", 0o600);
  const args = ["start", "--config", file, "--while-attached"];
  const launcher = join(PACKAGE, "bin", "doorless.js");
  const child = spawn(process.execPath, [launcher, ...args], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  child.unref();
}
