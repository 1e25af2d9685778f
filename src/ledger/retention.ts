// Retention: what is older than it is to be kept goes, by whole segments, oldest first; a tombstone
// stays. Nothing goes that no checkpoint covers, or that a sink has not copied yet.
import { closeSync, openSync, readSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { firstSeqOf, LedgerDamaged, segmentsIn, segmentsOf, walk } from "./segments.ts";
import type { ChainProblem } from "./segments.ts";
import { syncFolder } from "../store/replace-file.ts";
import { readTombstone, treeAfter } from "./tombstone.ts";
import type { Tombstone } from "./tombstone.ts";

const HEAD_BYTES = 4096;

export interface Expired {
  readonly dropped_to: number;
  /** The segments' names. */
  readonly segments: readonly string[];
}

/** The oldest segments whose records are all from before `before_ms`, up to record `to`. */
export function expiredSegments(
  folder: string,
  before_ms: number,
  to: number,
): Expired | undefined {
  const paths = segmentsOf(folder);
  const segments: string[] = [];
  let dropped_to = 0;
  for (const [i, next] of paths.slice(1).entries()) {
    const last = firstSeqOf(next) - 1;
    // The next one's first record is younger than all of this one's.
    if (last > to || firstTimeIn(next) >= before_ms) break;
    segments.push(basename(paths[i] ?? ""));
    dropped_to = last;
  }
  return segments.length === 0 ? undefined : { dropped_to, segments };
}

/** When a segment's first record was written. Each line begins with its head, `time` is in it. */
export function firstTimeIn(path: string): number {
  const bytes = Buffer.alloc(HEAD_BYTES);
  const fd = openSync(path, "r");
  try {
    const size = readSync(fd, bytes, 0, HEAD_BYTES, 0);
    const time = /"time":"([^"]+)"/.exec(bytes.toString("utf8", 0, size))?.[1];
    const ms = Date.parse(time ?? "");
    // An empty one, just begun, is as young as can be.
    return Number.isNaN(ms) ? Number.POSITIVE_INFINITY : ms;
  } finally {
    closeSync(fd);
  }
}

/** Removes what a tombstone stands for; also what a crash left of an earlier removal. */
export function removeDropped(folder: string): void {
  const stone = readTombstone(folder);
  if (stone === undefined) return;
  const kept = new Set(segmentsOf(folder));
  const dropped = segmentsIn(folder).filter((path) => !kept.has(path));
  for (const path of dropped) rmSync(path);
  if (dropped.length > 0) syncFolder(folder);
}

/** What would stand for everything up to `seq`; read line by line, so not in a hurry. */
export function tombstoneAt(folder: string, seq: number): Tombstone {
  const before = readTombstone(folder);
  const tree = treeAfter(before);
  const paths = segmentsOf(folder).filter((path) => firstSeqOf(path) <= seq);
  const damaged = ({ file, line, message }: ChainProblem): never => {
    throw new LedgerDamaged(`${file}:${line} ${message}`);
  };
  const tail = walk(
    paths,
    () => undefined,
    damaged,
    (raw) => tree.append(raw),
    before,
  );
  if (tail.seq !== seq) throw new LedgerDamaged(`record ${seq} does not end a segment`);
  const nodes = tree.nodes().map((node) => node.toString("base64"));
  return { v: 1, dropped_to: seq, hash: tail.hash, nodes };
}
