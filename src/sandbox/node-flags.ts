// How Node is started in a worker, at every level.
import type { WorkerSpec } from "./backend.ts";

/** Since Node 25 the permission model covers the network too. */
export const NODE_DENIES_NETWORK = process.allowedNodeEnvironmentFlags.has("--allow-net");

/** The arguments that run `entry` of the stage, which the worker sees at `folder`. */
export function nodeArguments(spec: WorkerSpec, folder: string): string[] {
  return [
    ...(spec.permission ? ownChecks(folder) : []),
    "--disable-sigusr1",
    "--no-addons",
    "--no-warnings",
    `--max-old-space-size=${spec.heap_mib_max}`,
    `${folder}/${spec.entry}`,
    ...(spec.args ?? []),
  ];
}

function ownChecks(folder: string): string[] {
  return [
    "--permission",
    `--allow-fs-read=${folder}/`,
    // It opens files without asking the permission model.
    "--no-experimental-sqlite",
    "--disable-proto=delete",
  ];
}
