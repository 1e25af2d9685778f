// Opens what is kept for calls that are sent again, with what the ledger recalled of them.
import { join } from "node:path";
import type { Config } from "../config/load.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Sealer } from "../ledger/mark.ts";
import type { Logger } from "../telemetry/log.ts";
import { openSqliteAnswerStore } from "./answer-store-sqlite.ts";
import type { ResendRecall } from "./resend-recall.ts";
import { Resends } from "./resends.ts";

interface Opening {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
}

export function openResends(
  { config, clock, log }: Opening,
  data: string,
  sealer: Sealer,
  recall: ResendRecall,
): Resends {
  const store = openSqliteAnswerStore(join(data, "answers.sqlite"));
  const resends = new Resends({ clock, log, limits: config.limits, sealer, store });
  resends.recall(recall.found(clock.now()));
  return resends;
}
