// `audit repair --accept-loss`: a damaged log goes on without what was lost, and says so for ever.
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../kernel/clock.ts";
import { ledgerIndexFile, openLedger } from "../ledger/ledger.ts";
import { noDigests, plainNames } from "../ledger/query.ts";
import { repairLedger } from "../ledger/repair.ts";
import type { Repaired } from "../ledger/repair.ts";
import { openFolders } from "../store/folders.ts";
import { lockFolder } from "../store/lock.ts";
import { createLogger } from "../telemetry/log.ts";
import { CORE_HELP, CORE_OPTIONS, osUser, placeOf } from "./core.ts";
import { EXIT, note, print, printJson, Stop } from "./output.ts";
import { usageError, wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

export const auditRepair: Verb = {
  name: "audit repair",
  usage: "audit repair --accept-loss",
  summary: "cut a damaged log at its last good record; only while doorless is stopped",
  help: [
    "--accept-loss   what follows the first fault is lost; a copy of it is kept as evidence",
    ...CORE_HELP,
  ],
  options: { ...CORE_OPTIONS, "accept-loss": { type: "boolean" } },
  async run(given) {
    wordsOf(auditRepair, given);
    if (!given.flag("accept-loss")) throw usageError(auditRepair, "--accept-loss is missing");
    const { data } = placeOf(given);
    if (!existsSync(join(data, "ledger"))) {
      throw new Stop(EXIT.usage, `there is no ledger in ${data}`);
    }
    const repaired = await repair(data);
    if (given.flag("json")) printJson(repaired);
    else {
      print(`kept to record ${repaired.kept_to}; what was found is in ${repaired.evidence}`);
      for (const { file, line, message } of repaired.problems) note(`${file}:${line} ${message}`);
    }
    return EXIT.ok;
  },
};

async function repair(data: string): Promise<Repaired> {
  const folders = openFolders(data);
  const lock = lockFolder(folders.data);
  try {
    const stamp = new Date(systemClock.now()).toISOString().replaceAll(/[:.]/g, "-");
    const repaired = repairLedger(
      folders.ledger,
      folders.keys,
      join(data, `ledger-damaged-${stamp}`),
    );
    // It may know records that are gone; the next start makes it anew from the log.
    for (const end of ["", "-wal", "-shm"]) rmSync(ledgerIndexFile(data) + end, { force: true });
    await recordLoss(folders, repaired);
    return repaired;
  } finally {
    lock.release();
  }
}

async function recordLoss(
  folders: ReturnType<typeof openFolders>,
  repaired: Repaired,
): Promise<void> {
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
    accept_loss: true,
    onFatal: (error) => note(`the log cannot be written: ${String(error)}`),
  });
  const { kept_to, dropped_checkpoints, stone, evidence, problems } = repaired;
  const detail = { verb: "audit repair", os_user: osUser(), verified_by_issuer: false } as const;
  const found = problems.slice(0, 10).map(({ message }) => message);
  await ledger.event("repaired", { ...detail, kept_to, dropped_checkpoints, evidence, found });
  if (stone !== undefined) {
    await ledger.event("retention", { ...stone, segments: [] });
  }
  await ledger.close();
}
