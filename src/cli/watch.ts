// Hot reload for a tool's author (`start --watch`): a mistake keeps the tools that worked.
import { watch } from "node:fs";
import { ConfigError } from "../config/problem.ts";
import type { Core } from "../main.ts";
import { note } from "./output.ts";

// An editor saves in several steps: the last of them counts.
const SETTLED_MS = 100;

/** Reloads when a file under `folder` changes; returns the way to stop. */
export function watchTools(folder: string, core: Core): () => void {
  let timer: NodeJS.Timeout | undefined;
  const watcher = watch(folder, { recursive: true }, () => {
    clearTimeout(timer);
    timer = setTimeout(() => void reload(core), SETTLED_MS);
  });
  return () => {
    clearTimeout(timer);
    watcher.close();
  };
}

async function reload(core: Core): Promise<void> {
  try {
    await core.reload();
    note("tools reloaded");
  } catch (error) {
    const why = error instanceof ConfigError ? error.message : String(error);
    note(`tools not reloaded, the old ones stay:\n${why}`);
  }
}
