// The ledger of a doorless that does not run, for verbs that mend what keeps it from starting.
import { systemClock } from "../kernel/clock.ts";
import { openLedger } from "../ledger/ledger.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { noDigests, plainNames } from "../ledger/query.ts";
import type { Folders } from "../store/folders.ts";
import { createLogger } from "../telemetry/log.ts";
import { osUser } from "./core.ts";
import { note } from "./output.ts";

/** The caller holds the folder's lock, and closes it. */
export async function openStopped(
  folders: Folders,
  options: { readonly accept_loss?: boolean } = {},
): Promise<Ledger> {
  const { ledger } = await openLedger({
    folder: folders.ledger,
    keys_folder: folders.keys,
    anchors: [],
    log: createLogger("silent"),
    namesOf: plainNames,
    digestOf: noDigests,
    index_file: ":memory:",
    clock: systemClock,
    segment_bytes_max: 67_108_864,
    disk_free_bytes_min: 0,
    reserve_bytes: 0,
    sinks: [],
    cursors_folder: folders.data,
    isHeld: () => false,
    onFatal: (error) => note(`the log cannot be written: ${String(error)}`),
    ...options,
  });
  return ledger;
}

/** Who is behind a verb; no identity provider has vouched for him. */
export function byOperator(verb: string) {
  return { verb, os_user: osUser(), verified_by_issuer: false } as const;
}
