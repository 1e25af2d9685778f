// What stands for segments that retention dropped: the number and hash of their last record, and
// the nodes of the Merkle tree over them. The chain goes on from the one, every root from the
// others; so what is left is verified as before, and whoever dropped more than he said is found.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { MerkleTree } from "./merkle.ts";
import type { Line } from "./record.ts";
import { replaceFile } from "../store/replace-file.ts";

export const TOMBSTONE = "tombstone.json";

export interface Tombstone {
  readonly v: 1;
  /** The last record that was dropped. */
  readonly dropped_to: number;
  /** Hex SHA-256 of its line: the next one's `prev`. */
  readonly hash: string;
  /** The tree's compact range over all that were dropped, in base64, the largest first. */
  readonly nodes: readonly string[];
}

/** Throws where there is one that is none. */
export function readTombstone(folder: string): Tombstone | undefined {
  const file = join(folder, TOMBSTONE);
  if (!existsSync(file)) return undefined;
  const found = parsed(file);
  const { v, dropped_to, hash, nodes } = found;
  const isOne = v === 1 && Number.isSafeInteger(dropped_to) && Array.isArray(nodes);
  if (!isOne || !/^[\da-f]{64}$/.test(hash ?? "")) throw new Error(noStone(file));
  treeAfter(found as Tombstone);
  return found as Tombstone;
}

const noStone = (file: string): string =>
  `${file} is no tombstone: restore it from a copy of the log, which does not start without it`;

function parsed(file: string): Partial<Tombstone> {
  try {
    return Object(JSON.parse(readFileSync(file, "utf8"))) as Partial<Tombstone>;
  } catch (cause) {
    throw new Error(noStone(file), { cause });
  }
}

export function treeAfter(stone: Tombstone | undefined): MerkleTree {
  if (stone === undefined) return MerkleTree.empty();
  const nodes = stone.nodes.map((node) => Buffer.from(node, "base64"));
  return MerkleTree.from(stone.dropped_to, nodes);
}

/** Whether this is the retention event that says what the tombstone stands for. */
export function saysOf(stone: Tombstone | undefined, line: Line): boolean {
  if (line.kind !== "event" || line.event !== "retention") return false;
  // A line that somebody changed may lack it.
  const { dropped_to, hash } = Object(line.detail) as Partial<Tombstone>;
  return dropped_to === stone?.dropped_to && hash === stone?.hash;
}

/** Before it is durable, nothing may be dropped. */
export function placeTombstone(folder: string, stone: Tombstone): void {
  replaceFile(join(folder, TOMBSTONE), `${JSON.stringify(stone)}\n`, 0o600);
}
