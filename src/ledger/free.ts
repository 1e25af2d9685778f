// How much of its disk the ledger leaves free: below that no call begins.
import { statfsSync } from "node:fs";
import type { StatsFs } from "node:fs";

const FREE_BYTES_MIN = 268_435_456;
const SHARE = 8;

/** What the configuration says; else an eighth of the volume, and no more than 256 MiB. */
export function freeBytesMin(
  configured: number | undefined,
  folder: string,
  look: (folder: string) => Pick<StatsFs, "blocks" | "bsize"> = statfsSync,
): number {
  if (configured !== undefined) return configured;
  const { blocks, bsize } = look(folder);
  const share = Math.floor((blocks * bsize) / SHARE);
  // Of some volumes nobody says how large they are.
  return share === 0 ? FREE_BYTES_MIN : Math.min(share, FREE_BYTES_MIN);
}
