// The house that questions are asked about: what the deployment's files say, read together.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Catalog } from "../catalog/definition.ts";
import { loadCatalog, readManifests } from "../catalog/load.ts";
import { loadConfig } from "../config/load.ts";
import { mustHaveApprovers } from "../config/approvers.ts";
import type { Config } from "../config/load.ts";
import { compilePolicy } from "../policy/policy.ts";
import type { Policy } from "../policy/policy.ts";
import { openSandbox } from "../sandbox/sandbox.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";

export interface House {
  readonly config: Config;
  readonly catalog: Catalog;
  readonly policy: Policy;
  /** Judged beside it; refuses nothing. */
  readonly shadow?: Policy;
}

/** Configuration, catalogue and policy; what code tools say of themselves is read in workers. */
export async function readHouse(
  config: Config,
  sandbox: Sandbox | undefined,
  drafts = false,
): Promise<House> {
  mustHaveApprovers(config);
  const { isolation, tools_dir } = config;
  const code =
    sandbox === undefined || isolation.code_tools === "none"
      ? {}
      : { manifests: await readManifests(tools_dir, sandbox.readManifest) };
  const generated =
    isolation.run_code === "none" ? {} : { run_code_timeout_ms: isolation.run_code_timeout_ms };
  const catalog = loadCatalog(tools_dir, { drafts, ...code, ...generated });
  const policy = compilePolicy(config, catalog);
  if (config.shadow_file === undefined) return { config, catalog, policy };
  const tried = loadConfig(config.shadow_file, {}, { secrets: false });
  return { config, catalog, policy, shadow: compilePolicy(tried, catalog) };
}

/** The same where no doorless runs: for questions about files alone. */
export function readHouseOffline(config: Config): Promise<House> {
  return withHouseOffline(config, false, (house) => Promise.resolve(house));
}

/** With the sandbox still open, for whoever tries a tool of it. */
export async function withHouseOffline<T>(
  config: Config,
  drafts: boolean,
  then: (house: House, sandbox: Sandbox | undefined) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "doorless-"));
  const sandbox = await openSandbox(config, folder, { workers_ready: 0 });
  try {
    return await then(await readHouse(config, sandbox, drafts), sandbox);
  } finally {
    await sandbox?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
