// A tools folder whose every tool somebody has approved: as `tools approve --yes` leaves it.
import { loadCatalog } from "../../src/catalog/load.ts";
import { lockEntry, readLock, writeLock } from "../../src/catalog/lock.ts";
import type { Config } from "../../src/config/load.ts";
import { readCatalogOffline } from "../../src/console/house.ts";

/** `config` where some of them are in code, which only a worker can be asked about. */
export async function approveTools(folder: string, config?: Config): Promise<void> {
  const { tools } = config === undefined ? loadCatalog(folder) : await readCatalogOffline(config);
  const own = [...tools.values()].filter(({ kind }) => kind !== "generated");
  const entries = own.map((tool) => [tool.name, lockEntry(tool, "test", 0)] as const);
  writeLock(readLock(folder), Object.fromEntries(entries));
}
