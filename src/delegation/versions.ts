// Which version of each link the ledger knows: asked once per link, then remembered, because only
// this process writes the log.
import type { Ledger } from "../ledger/ledger.ts";
import type { VersionLog } from "./vault.ts";

export function versionsInLedger(ledger: Ledger): VersionLog {
  const known = new Map<string, number>();
  const knownOf = async (id: string): Promise<number> => {
    const remembered = known.get(id);
    if (remembered !== undefined) return remembered;
    const version = await ledger.linkVersion(id);
    // Recorded while the question was on its way: the higher one is the later one.
    const latest = Math.max(version, known.get(id) ?? 0);
    known.set(id, latest);
    return latest;
  };
  return {
    known: knownOf,
    async record(place, id, version, what) {
      await ledger.link(id, version, { ...place, what });
      known.set(id, Math.max(version, await knownOf(id)));
    },
  };
}
