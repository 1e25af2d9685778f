// The house that questions are asked about: what the deployment's files say, read together.
import { originIn } from "../config/connector.ts";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Catalog } from "../catalog/definition.ts";
import { loadCatalog, readManifests } from "../catalog/load.ts";
import { lintTools } from "../catalog/lint.ts";
import { readLock, withLock } from "../catalog/lock.ts";
import { loadConfig } from "../config/load.ts";
import { mustHaveApprovers } from "../config/approvers.ts";
import type { Config } from "../config/load.ts";
import { compilePolicy } from "../policy/policy.ts";
import type { Policy } from "../policy/policy.ts";
import { openSandbox } from "../sandbox/sandbox.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";

export interface House {
  readonly config: Config;
  readonly catalog: Catalog;
  readonly policy: Policy;
  /** Judged beside it; refuses nothing. */
  readonly shadow?: Policy;
}

/**
 * Configuration, catalogue and policy, of what is approved; what code tools say of themselves is
 * read in workers. `for_author`: drafts and what nobody approved are tools as well.
 */
export async function readHouse(
  config: Config,
  sandbox: Sandbox | undefined,
  for_author = false,
): Promise<House> {
  mustHaveApprovers(config);
  const lock = readLock(config.tools_dir);
  const catalog = withLock(await readCatalog(config, sandbox, for_author), lock, for_author);
  const policy = compilePolicy(config, catalog);
  if (config.shadow_file === undefined) return { config, catalog, policy };
  const tried = loadConfig(config.shadow_file, {}, { secrets: false });
  return { config, catalog, policy, shadow: compilePolicy(tried, catalog) };
}

/** What the files say, whoever has approved it. */
async function readCatalog(
  { isolation, tools_dir }: Config,
  sandbox: Sandbox | undefined,
  drafts = false,
): Promise<Catalog> {
  const code =
    sandbox === undefined || isolation.code_tools === "none"
      ? {}
      : { manifests: await readManifests(tools_dir, sandbox.readManifest) };
  const generated =
    isolation.run_code === "none" ? {} : { run_code_timeout_ms: isolation.run_code_timeout_ms };
  return loadCatalog(tools_dir, { drafts, ...code, ...generated });
}

/** What their words may do to a model: each fault of each tool that is there. */
export function lintHouse({ config, catalog }: Pick<House, "config" | "catalog">) {
  const originOf = (connector: string) => originIn(config, connector);
  return lintTools(catalog.tools.values(), originOf);
}

/** Which tools are not there, and which are only for their author: loudly where nobody meant it. */
export function tellTools(log: Logger, { tools, absent, unapproved }: Catalog): void {
  for (const [tool, why] of absent) {
    if (!unapproved.has(tool)) log.info({ tool, why }, "a tool is in no surface");
  }
  for (const [tool, why] of unapproved) {
    if (tools.has(tool)) log.warn({ tool, why }, "an unapproved tool is served, for its author");
    else log.error({ tool, why }, "a tool is not approved as it is: it is in no surface");
  }
}

/** The same where no doorless runs: for questions about files alone. */
export function readHouseOffline(config: Config): Promise<House> {
  return withSandboxOffline(config, (sandbox) => readHouse(config, sandbox));
}

export function readCatalogOffline(config: Config): Promise<Catalog> {
  return withSandboxOffline(config, (sandbox) => readCatalog(config, sandbox));
}

/** For whoever reads or tries a tool where no doorless runs. */
export async function withSandboxOffline<T>(
  config: Config,
  then: (sandbox: Sandbox | undefined) => Promise<T>,
  options: { readonly servers?: boolean } = {},
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "doorless-"));
  const sandbox = await openSandbox(config, folder, { ...options, workers_ready: 0 });
  try {
    return await then(sandbox);
  } finally {
    await sandbox?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
