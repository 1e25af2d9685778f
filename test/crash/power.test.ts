// Power loss, simulated: what was acknowledged survives; and the same check finds writers that lie.
import { expect } from "vitest";
import { verifies } from "../verifies.ts";
import { powerLoss } from "./power.ts";
import type { Loss } from "./power.ts";
import type { Fault } from "./power-disk.ts";

const SEEDS = Array.from({ length: 12 }, (_, i) => i + 1);

async function losses(fault: Fault): Promise<Loss[]> {
  const all: Loss[] = [];
  for (const seed of SEEDS) all.push(await powerLoss(seed, fault));
  return all;
}

function sum(all: readonly Loss[], of: (loss: Loss) => number): number {
  return all.reduce((total, loss) => total + of(loss), 0);
}

verifies(
  ["ledger.kill", "ledger.intent-first", "ledger.outcome-first"],
  "a record that was acknowledged survives a power loss, and the chain is whole",
  async () => {
    const all = await losses("none");
    expect(sum(all, ({ acked_but_lost }) => acked_but_lost)).toBe(0);
    expect(all.flatMap(({ breaks }) => breaks)).toEqual([]);
    // Otherwise no power was lost in the middle of anything.
    expect(sum(all, ({ acked }) => acked)).toBeGreaterThan(SEEDS.length);
    expect(sum(all, ({ lost_bytes }) => lost_bytes)).toBeGreaterThan(0);
    expect(sum(all, ({ recovery }) => recovery.cut_bytes)).toBeGreaterThan(0);
  },
);

verifies("ledger.kill", "a writer that never syncs is caught by this check", async () => {
  expect(sum(await losses("no sync"), (loss) => loss.acked_but_lost)).toBeGreaterThan(0);
});

verifies("ledger.kill", "a writer that answers before its sync is caught too", async () => {
  const all = await losses("answers before the sync");
  expect(sum(all, (loss) => loss.acked_but_lost)).toBeGreaterThan(0);
});
