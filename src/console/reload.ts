// Takes a changed policy or catalogue while it is served: validated first, all or nothing, on
// record before it decides anything, and told to those whose tools it changes.
import type { Catalog } from "../catalog/definition.ts";
import { pinnedOf } from "../catalog/lock.ts";
import { fixedIn } from "../config/live.ts";
import type { Config } from "../config/load.ts";
import type { Entry } from "../gate/call.ts";
import { canonicalJson, fingerprint } from "../kernel/ids.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { narrow } from "../policy/surface.ts";
import { whoIn } from "../policy/who.ts";
import type { Logger } from "../telemetry/log.ts";
import { tellTools } from "./house.ts";
import type { House } from "./house.ts";

export interface ReloadOptions {
  /** As it was at the start: what of it is wired in stays. */
  readonly config: Config;
  readonly read: (next: Config) => Promise<House>;
  readonly house: () => House;
  readonly take: (made: House) => void;
  readonly ledger: Ledger;
  readonly log: Logger;
  readonly toolsChanged: (concerns: (entry: Entry) => boolean) => void;
}

/** False where nothing is different. Rejects with `ConfigError`, and has changed nothing then. */
export type Reload = (next?: Config) => Promise<boolean>;

export function createReload(options: ReloadOptions): Reload {
  // One after the other: two at once could put the older one last.
  let last: Promise<unknown> = Promise.resolve();
  return (next) => {
    const done = last.then(() => exchange(options, next ?? options.house().config));
    last = done.catch(() => undefined);
    return done;
  };
}

async function exchange(options: ReloadOptions, next: Config): Promise<boolean> {
  const { config, read, house, take, ledger, log, toolsChanged } = options;
  fixedIn(config, next);
  const made = await read(next);
  const before = house();
  const isOther = made.config.hash !== before.config.hash;
  const tools = toolsOnRecord(made.catalog);
  const hasOther = canonicalJson(tools) !== canonicalJson(toolsOnRecord(before.catalog));
  // What cannot be recorded is not in force; both are one write, so that neither is without the
  // other.
  const change = { from: before.config.hash, to: made.config.hash };
  await Promise.all([
    ...(isOther ? [ledger.event("policy", change)] : []),
    ...(hasOther ? [ledger.event("catalogue", tools)] : []),
  ]);
  take(made);
  tellTools(log, made.catalog);
  toolsChanged(({ credential, narrowing }) => {
    const [old, now] = [before, made].map(({ policy }) =>
      narrow(policy.surface(whoIn(credential), credential.agent), narrowing),
    );
    return old?.fingerprint !== now?.fingerprint;
  });
  return isOther || hasOther || made.shadow?.hash !== before.shadow?.hash;
}

/** What is served, and what is not because nobody approved it. */
export function toolsOnRecord({ tools, unapproved }: Catalog) {
  const all = [...tools.values()];
  const hashes = all.map((tool) => [tool.name, tool.hash] as const);
  const contracts = all.flatMap((tool) => {
    const pinned = pinnedOf(tool);
    return pinned === undefined ? [] : [[tool.name, fingerprint(pinned)] as const];
  });
  return {
    tools: Object.fromEntries(hashes),
    contracts: Object.fromEntries(contracts),
    unapproved: [...unapproved.keys()],
  };
}
