// A ledger under load, the power cut in the middle, and what is left of what it had promised.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../../src/telemetry/log.ts";
import { systemClock } from "../../src/kernel/clock.ts";
import { openLedger } from "../../src/ledger/ledger.ts";
import { plainNames } from "../../src/ledger/query.ts";
import type { Ledger, LedgerOptions } from "../../src/ledger/ledger.ts";
import { LedgerDamaged } from "../../src/ledger/segments.ts";
import type { Intent, OutcomeRecord } from "../../src/ledger/record.ts";
import { seeded } from "../setup/seeded.ts";
import { Evidence } from "./evidence.ts";
import { PowerDisk } from "./power-disk.ts";
import type { Fault } from "./power-disk.ts";

export interface Loss {
  readonly acked: number;
  /** Records that the ledger said were durable, and that are gone. */
  readonly acked_but_lost: number;
  /** Bytes that the disk lost; without any, the round has shown nothing. */
  readonly lost_bytes: number;
  /** What the next start said. */
  readonly recovery: { readonly cut_bytes: number; readonly orphans: number };
  readonly breaks: readonly string[];
}

const WRITERS = 16;
const APPENDS_MAX = 60;

const fact = {
  parent: null,
  user: "Mia",
  subject: "mia",
  issuer: "https://id.example",
  tenant: "acme",
  roles: ["sales"],
  actor_chain: [],
  agent: "sales",
  client_id: "test",
  session: "ses_test",
  tool: "crm_get_deal",
  target: "deal:42",
  args: { id: 42 },
  effects: null,
  rule: null,
  approved_by: null,
  trace_id: "0".repeat(32),
  isolation: "declarative",
  liveness: { source: "token_lifetime", bound_ms: 3_600_000 },
  policy: "sha256:0",
  tool_hash: null,
} as const satisfies Omit<Intent, "kind" | "call_id">;

const end = {
  outcome: "ok",
  effect: "none",
  error_code: null,
  duration_ms: 1,
  steps: {},
  downstream: [],
  result: null,
} as const satisfies Omit<OutcomeRecord, "kind" | "call_id">;

const LOST = { cut_bytes: 0, orphans: 0 };

// What was durable for the index or a checkpoint and is gone stops the start: it is a loss.
async function recovered(options: LedgerOptions): Promise<Loss["recovery"]> {
  try {
    const { ledger, recovery } = await openLedger(options);
    await ledger.close();
    return recovery;
  } catch (error) {
    if (error instanceof LedgerDamaged) return LOST;
    throw error;
  }
}

/** One round: write, cut, restore, recover, compare. */
export async function powerLoss(seed: number, fault: Fault = "none"): Promise<Loss> {
  const data = mkdtempSync(join(tmpdir(), "doorless-power-"));
  const evidence = new Evidence(data, "");
  const random = seeded(seed);
  const disk = new PowerDisk(fault, 1 + Math.floor(random() * APPENDS_MAX));
  mkdirSync(evidence.ledger);
  const options = {
    folder: evidence.ledger,
    keys_folder: join(data, "keys"),
    anchors: [],
    log: createLogger("silent"),
    namesOf: plainNames,
    index_file: join(data, "index.sqlite"),
    clock: systemClock,
    // A wrong writer leaves holes between segments too, which would stop the start: one will do.
    segment_bytes_max: fault === "none" ? 65_536 : 2 ** 30,
    disk_free_bytes_min: 0,
    reserve_bytes: 0,
    onFatal: () => undefined,
  };
  try {
    const { ledger } = await openLedger({ ...options, openSegment: disk.open });
    const acked = await writeUntilCut(ledger, disk);
    await ledger.close().catch(() => undefined);
    const lost_bytes = disk.restore(random);
    const recovery = await recovered(options);
    const { lines, breaks } = evidence.log();
    const there = new Set(lines.map((line) => ("call_id" in line ? name(line) : "")));
    const acked_but_lost = [...acked].filter((one) => !there.has(one)).length;
    return { acked: acked.size, acked_but_lost, lost_bytes, recovery, breaks };
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

function name({ kind, call_id }: { kind: string; call_id: string }): string {
  return `${kind} ${call_id}`;
}

/** Calls that begin and end until the power goes; what they were told until then. */
async function writeUntilCut(ledger: Ledger, disk: PowerDisk): Promise<Set<string>> {
  const acked = new Set<string>();
  const note = (kind: string, call_id: string): void => {
    // What is told after the cut is told to nobody.
    if (!disk.off) acked.add(name({ kind, call_id }));
  };
  const writers = Array.from({ length: WRITERS }, async (_, writer) => {
    for (let i = 0; !disk.off; i++) {
      const call_id = `${writer}-${i}`;
      await ledger.intent({ kind: "intent", call_id, ...fact });
      note("intent", call_id);
      await ledger.outcome({ kind: "outcome", call_id, ...end });
      note("outcome", call_id);
    }
  });
  await Promise.allSettled(writers);
  return acked;
}
