// Which doorless a verb means: --data DIR, or the data folder of --config FILE; and asking it.
import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/load.ts";
import { askLocal, LocalError, NotRunning, readLocal } from "../console/local.ts";
import type { House } from "../console/house.ts";
import { readHouseOffline } from "../console/house.ts";
import { EXIT, Stop } from "./output.ts";
import type { Given } from "./verb.ts";

export const CORE_OPTIONS = { config: { type: "string" }, data: { type: "string" } } as const;
export const CORE_HELP = [
  "--config FILE   the configuration (default: ./mcp.config.json)",
  "--data DIR      the data folder of the doorless that is meant",
];

/** The package's own folder: of the clone, or of the installed package. */
export const PACKAGE = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

export interface Place {
  /** The data folder. */
  readonly data: string;
  /** The configuration, where there is one to be found. */
  readonly config: string | undefined;
}

export function placeOf(given: Given): Place {
  const named = given.text("config");
  const folder = given.text("data");
  const data =
    folder === undefined ? loadConfigLeniently(named ?? defaultConfig()) : resolve(folder);
  const config =
    named ?? runningConfig(data) ?? (folder === undefined ? defaultConfig() : kept(data));
  return { data, config };
}

/** The configuration that is meant, read without its secrets. */
export function configIn(given: Given): Config {
  const { config } = placeOf(given);
  if (config === undefined) throw noConfig();
  return loadConfig(config, process.env, { secrets: false });
}

export function noConfig(): Stop {
  return new Stop(EXIT.usage, "name a --config FILE");
}

/** The file that the doorless there serves: its addresses and rules are the ones that count. */
export function runningConfig(data: string): string | undefined {
  const running = readLocal(data, "core")?.["config"];
  return typeof running === "string" ? running : undefined;
}

function kept(data: string): string | undefined {
  const own = join(data, "mcp.config.json");
  return existsSync(own) ? own : undefined;
}

/** ./mcp.config.json; without one, the demo's own in the package. */
export function defaultConfig(): string {
  const here = resolve("mcp.config.json");
  return existsSync(here) ? here : join(PACKAGE, "mcp.config.json");
}

// Only the data folder is wanted: secrets that this shell does not have must not matter here.
function loadConfigLeniently(file: string): string {
  return loadConfig(file, process.env, { secrets: false }).data_dir;
}

/** Errors by which it says no, and not that it was asked the wrong way. */
const SAYS_NO: ReadonlySet<string> = new Set(["LedgerUnavailable", "NotThere", "UnderHold"]);

/** Asks the running doorless; exit code 4 where none runs. */
export async function askCore(place: Place, path: string, question: object): Promise<unknown> {
  try {
    return await askLocal(place.data, "core", path, { os_user: osUser(), ...question });
  } catch (error) {
    if (error instanceof NotRunning) {
      const mend = "start one with `doorless demo` or `doorless start`, or name its --data folder";
      throw new Stop(EXIT.unreachable, `${error.message}; ${mend}`);
    }
    if (error instanceof LocalError) {
      throw new Stop(SAYS_NO.has(error.type) ? EXIT.no : EXIT.usage, error.message);
    }
    throw error;
  }
}

export function osUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}

/** Asks the doorless that serves the configuration, or, where none does, answers from the files. */
export async function askHouse<T>(
  place: Place,
  path: string,
  question: object,
  offline: (house: House) => T,
): Promise<T> {
  const running = runningConfig(place.data);
  const isServed = place.config === undefined || running === resolve(place.config);
  try {
    if (isServed) return (await askCore(place, path, question)) as T;
  } catch (error) {
    if (!(error instanceof Stop) || error.code !== EXIT.unreachable) throw error;
  }
  if (place.config === undefined) {
    throw new Stop(EXIT.unreachable, `no doorless runs in ${place.data}; name a --config FILE`);
  }
  const config = loadConfig(place.config, process.env, { secrets: false });
  return offline(await readHouseOffline(config));
}
