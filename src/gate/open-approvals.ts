// Opens what waits for people: questions that the ledger records, and that locks take back.
import type { Config } from "../config/load.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Stops } from "../session/stops.ts";
import type { Logger } from "../telemetry/log.ts";
import { Approvals } from "./approvals.ts";

interface Opening {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Logger;
}

export function openApprovals(
  { config, clock, log }: Opening,
  ledger: Ledger,
  stops: Stops,
): Approvals {
  const approvals = new Approvals({
    clock,
    limits: config.limits,
    record: (detail) => ledger.event("approval", detail),
    onUnrecorded: (error) => log.error({ err: error }, "the end of a question is not recorded"),
  });
  stops.onChange(({ reach, lifted }) => void (lifted || approvals.stop(reach)));
  return approvals;
}
