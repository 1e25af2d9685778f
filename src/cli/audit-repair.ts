// `audit repair --accept-loss`: a damaged log goes on without what was lost, and says so for ever.
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../kernel/clock.ts";
import { ledgerIndexFile } from "../ledger/ledger.ts";
import { repairLedger } from "../ledger/repair.ts";
import type { Repaired } from "../ledger/repair.ts";
import { openFolders } from "../store/folders.ts";
import type { Folders } from "../store/folders.ts";
import { lockFolder } from "../store/lock.ts";
import { CORE_HELP, CORE_OPTIONS, placeOf } from "./core.ts";
import { EXIT, note, print, printJson, Stop } from "./output.ts";
import { byOperator, openStopped } from "./stopped-ledger.ts";
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

async function recordLoss(folders: Folders, repaired: Repaired): Promise<void> {
  const ledger = await openStopped(folders, { accept_loss: true });
  const { kept_to, dropped_checkpoints, stone, evidence, problems } = repaired;
  const found = problems.slice(0, 10).map(({ message }) => message);
  const detail = { kept_to, dropped_checkpoints, evidence, found };
  await ledger.event("repaired", { ...byOperator("audit repair"), ...detail });
  if (stone !== undefined) {
    await ledger.event("retention", { ...stone, segments: [] });
  }
  await ledger.close();
}
