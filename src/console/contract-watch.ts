// The scheduled check of contracts, with the house's configuration, tools and ledger; and what the
// sessions' own looks at MCP servers add to it.
import { DriftWatch } from "../catalog/drift-watch.ts";
import type { Notices } from "../catalog/notices.ts";
import type { Suspensions } from "../catalog/suspensions.ts";
import type { Config } from "../config/load.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { unlistedWhy } from "../sandbox/upstream/upstreams.ts";
import type { Upstreams } from "../sandbox/upstream/upstreams.ts";
import type { Logger } from "../telemetry/log.ts";
import type { House } from "./house.ts";

export interface ContractWatchOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
  readonly ledger: Ledger;
  readonly suspensions: Suspensions;
  readonly notices: Notices;
  readonly upstreams: Upstreams;
  readonly mcp: { readonly toolsChanged: (concerns: () => boolean) => void };
}

/** Looks at the documents and the servers that the configuration names, from now on. */
export function watchContracts(options: ContractWatchOptions, house: () => House): DriftWatch {
  const { config, ledger, mcp, upstreams } = options;
  const every_s = Object.entries(config.connectors).flatMap(([name, { contract, mcp: server }]) => {
    const check_s = contract?.check_s ?? server?.check_s;
    return check_s === undefined ? [] : [[name, check_s] as const];
  });
  const watch = new DriftWatch({
    ...options,
    where: config,
    every_s: new Map(every_s),
    catalog: () => house().catalog,
    list: async (connector, signal) => {
      const listed = await upstreams.lookAsNobody(connector, signal);
      const endpoint = upstreams.endpointOf(connector);
      return listed.ok ? { endpoint, tools: listed.value } : unlistedWhy(listed.refusal);
    },
    record: (detail) => ledger.event("contract", detail),
    toolsChanged: () => mcp.toolsChanged(() => true),
  });
  upstreams.onListed((connector, tools) =>
    watch.take(connector, upstreams.endpointOf(connector), tools),
  );
  upstreams.onChanged((connector) => watch.lookAgain(connector));
  return watch;
}
