// The folder of tools that `tools approve` and `tools verify` mean: its files, its lock, and what
// there is to be said of them.
import { basename, resolve } from "node:path";
import type { Catalog } from "../catalog/definition.ts";
import type { Fault } from "../catalog/lint.ts";
import { compareWithLock, readLock } from "../catalog/lock.ts";
import type { Lock, Mismatch } from "../catalog/lock.ts";
import type { Config } from "../config/load.ts";
import { lintHouse, readCatalogOffline } from "../console/house.ts";
import { visibleText } from "../kernel/visible.ts";
import { configIn, CORE_HELP, CORE_OPTIONS } from "./core.ts";
import { paint, print } from "./output.ts";
import type { Given } from "./verb.ts";

export const FOLDER_OPTIONS = { ...CORE_OPTIONS, tools: { type: "string" } } as const;
export const FOLDER_HELP = [
  "--tools DIR     the folder of tools (default: the configuration's)",
  ...CORE_HELP,
];

export interface ToolsFolder {
  readonly config: Config;
  readonly catalog: Catalog;
  readonly lock: Lock;
  readonly mismatches: readonly Mismatch[];
  readonly faults: readonly Fault[];
}

/** Everything is read, and nothing but what code tools say of themselves is run, in a worker. */
export async function readToolsFolder(given: Given): Promise<ToolsFolder> {
  const configured = configIn(given);
  const folder = given.text("tools");
  const config = folder === undefined ? configured : { ...configured, tools_dir: resolve(folder) };
  const catalog = await readCatalogOffline(config);
  const lock = readLock(config.tools_dir);
  const faults = lintHouse({ config, catalog });
  return { config, catalog, lock, mismatches: compareWithLock(catalog, lock), faults };
}

/** The tool that is meant by its name, or by its file. */
export function toolNamed(word: string): string {
  return basename(word).replace(/\.tool\.(?:ts|yaml)$/, "");
}

/** Code tools that no worker could be asked about. */
export function unreadIn({ catalog }: ToolsFolder): readonly string[] {
  return [...catalog.absent.keys()].filter((name) => name !== "run_code");
}

export function printFault({ tool, rule, grave, pointer, said }: Fault): void {
  const state = grave ? paint("red", "error") : paint("yellow", "warning");
  print(`${state}  ${tool}${pointer} ${rule}: ${visibleText(said)}`);
}
