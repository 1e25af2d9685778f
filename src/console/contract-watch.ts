// The scheduled check of contracts, with the house's configuration, tools and ledger.
import { DriftWatch } from "../catalog/drift-watch.ts";
import type { Notices } from "../catalog/notices.ts";
import type { Suspensions } from "../catalog/suspensions.ts";
import type { Config } from "../config/load.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Logger } from "../telemetry/log.ts";
import type { House } from "./house.ts";

export interface ContractWatchOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
  readonly ledger: Ledger;
  readonly suspensions: Suspensions;
  readonly notices: Notices;
  readonly mcp: { readonly toolsChanged: (concerns: () => boolean) => void };
}

/** Looks at the documents that the configuration names, from now on. */
export function watchContracts(options: ContractWatchOptions, house: () => House): DriftWatch {
  const { config, ledger, mcp } = options;
  const every_s = Object.entries(config.connectors).flatMap(([name, { contract }]) =>
    contract === undefined ? [] : [[name, contract.check_s] as const],
  );
  return new DriftWatch({
    ...options,
    where: config,
    every_s: new Map(every_s),
    catalog: () => house().catalog,
    record: (detail) => ledger.event("contract", detail),
    toolsChanged: () => mcp.toolsChanged(() => true),
  });
}
