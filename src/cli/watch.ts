// What is read again while it is served: the policy, when its file changes or SIGHUP comes; and the
// tools, for their author (`start --watch`). A mistake keeps what worked.
import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { basename, dirname } from "node:path";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/load.ts";
import { ConfigError } from "../config/problem.ts";
import type { Core } from "../main.ts";
import { note } from "./output.ts";
import { onHangup } from "./signals.ts";

// An editor saves in several steps: the last of them counts.
const SETTLED_MS = 100;

/** Reloads when a file under `folder` changes; returns the way to stop. */
export function watchTools(folder: string, core: Core): () => void {
  return watchFolder(
    folder,
    true,
    () => true,
    () => void reload("tools", () => core.reload()),
  );
}

/** Takes a changed policy of the served configuration; returns the way to stop. */
export function watchPolicy({ file, shadow_file }: Config, core: Core): () => void {
  const take = (): void => void reload("policy", () => core.reload(loadConfig(file, process.env)));
  const files = [file, ...(shadow_file === undefined ? [] : [shadow_file])];
  const stops = [onHangup(take)];
  // The folder, not the file: editors and deployments put another file in its place.
  for (const folder of new Set(files.map((one) => dirname(one)))) {
    const names = files.filter((one) => dirname(one) === folder).map((one) => basename(one));
    stops.push(watchFolder(folder, false, (name) => isOneOf(name, names), take));
  }
  return () => stops.forEach((stop) => stop());
}

// Kubernetes swaps a link beside the files, and names nothing else.
function isOneOf(name: string | null, names: readonly string[]): boolean {
  return name === null || name === "..data" || names.includes(name);
}

function watchFolder(
  folder: string,
  recursive: boolean,
  isMeant: (name: string | null) => boolean,
  then: () => void,
): () => void {
  let timer: NodeJS.Timeout | undefined;
  let watcher: FSWatcher | undefined;
  const changed = (name: string | null): void => {
    if (!isMeant(name)) return;
    clearTimeout(timer);
    timer = setTimeout(then, SETTLED_MS);
  };
  // A folder that goes away, or a system that watches enough already, ends the watching, and not
  // the server.
  const failed = (error: unknown): void => {
    watcher?.close();
    note(`${folder} is not watched (${String(error)}): SIGHUP has its files read again`);
  };
  try {
    watcher = watch(folder, { recursive }, (_event, name) => changed(name)).on("error", failed);
  } catch (error) {
    failed(error);
  }
  return () => {
    clearTimeout(timer);
    watcher?.close();
  };
}

async function reload(what: string, read: () => Promise<boolean>): Promise<void> {
  try {
    if (await read()) note(`${what} reloaded`);
  } catch (error) {
    const why = error instanceof ConfigError ? error.message : String(error);
    note(`${what} not reloaded, the old ones stay:\n${why}`);
  }
}
