// Opens everything about people's links: the vault, and the servers that refresh them.
import { join } from "node:path";
import type { Config } from "../config/load.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Logger } from "../telemetry/log.ts";
import { Connections } from "./connections.ts";
import { openKeyFile } from "./key-service-file.ts";
import { createThirdParty } from "./third-party.ts";
import type { ThirdParty } from "./third-party.ts";
import { openSqliteVault } from "./vault-sqlite.ts";
import { Vault } from "./vault.ts";
import { versionsInLedger } from "./versions.ts";

export interface LinkOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
}

export function openLinks({ config, clock, log }: LinkOptions, ledger: Ledger) {
  const servers = new Map<string, ThirdParty>();
  for (const [name, { delegation, allow_private_addresses }] of Object.entries(config.connectors)) {
    if (delegation?.kind !== "connection") continue;
    const secret = config.connection_secrets.get(name);
    const options = { config: delegation, secret, allow_private_addresses, clock };
    servers.set(name, createThirdParty(options));
  }
  const store = openSqliteVault(join(config.data_dir, "vault.sqlite"));
  const keys = openKeyFile(config.vault_keys_file);
  const vault = new Vault({ store, keys, versions: versionsInLedger(ledger), clock });
  const connections = new Connections({ config, clock, log, vault, store, servers });
  return {
    vault,
    connections,
    servers,
    async close(): Promise<void> {
      await connections.settle();
      store.close();
      await Promise.all([...servers.values()].map((server) => server.close()));
    },
  };
}
