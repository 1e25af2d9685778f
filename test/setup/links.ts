// Connections without a doorless around them: a vault in a folder, and one server to refresh at.
import { join } from "node:path";
import { Connections } from "../../src/delegation/connections.ts";
import { openKeyFile } from "../../src/delegation/key-service-file.ts";
import { createThirdParty } from "../../src/delegation/third-party.ts";
import { Vault } from "../../src/delegation/vault.ts";
import type { VersionLog } from "../../src/delegation/vault.ts";
import { openSqliteVault } from "../../src/delegation/vault-sqlite.ts";
import { loadConfig } from "../../src/config/load.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { createLogger } from "../../src/telemetry/log.ts";
import { minimalConfig, put, SHOP } from "./minimal.ts";

export const SCOPES = ["mail:send"];

/** What a log would know, in memory. */
function versionsInMemory(): VersionLog {
  const known = new Map<string, number>();
  return {
    known: async (id) => known.get(id) ?? 0,
    async record(_place, id, version) {
      known.set(id, Math.max(version, known.get(id) ?? 0));
    },
  };
}

export interface LinkChanges {
  readonly clock?: Clock;
  readonly refresh?: "rotates" | "grace" | "stable";
}

export function openLinks(folder: string, issuer: string, changes: LinkChanges = {}) {
  const { clock = systemClock, refresh = "rotates" } = changes;
  const delegation = {
    kind: "connection",
    authorization_server: issuer,
    client: { client_id: "doorless" },
    scopes: SCOPES,
    refresh,
  };
  const mail = { origin: "https://mail.test", allow_private_addresses: true, delegation };
  const text = JSON.stringify(minimalConfig({ connectors: { shop: SHOP, mail } }));
  const config = loadConfig(put(folder, `mcp.config.${process.pid}.json`, text), {});
  const to = config.connectors["mail"]?.delegation;
  if (to?.kind !== "connection") throw new Error("no connection");
  const server = createThirdParty({
    config: to,
    secret: undefined,
    allow_private_addresses: true,
    clock,
  });
  const store = openSqliteVault(join(folder, "vault.sqlite"));
  const keys = openKeyFile(join(folder, "keys", "vault.json"));
  const vault = new Vault({ store, keys, versions: versionsInMemory(), clock });
  const servers = new Map([["mail", server]]);
  const log = createLogger("error", { write: () => undefined });
  const connections = new Connections({ config, clock, log, vault, store, servers });
  return {
    connections,
    vault,
    store,
    async close(): Promise<void> {
      await connections.settle();
      store.close();
      await server.close();
    },
  };
}

export function placeOfPerson(subject: string) {
  return { tenant: "acme", issuer: "https://login.test", subject, connector: "mail" };
}
