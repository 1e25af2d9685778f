// What of the log a checkpoint covers, walked at a start by as many threads as there are cores:
// each takes a segment, checks its chain and makes its piece of the Merkle tree. The root is
// compared with a signed one, so nothing needs to be understood here but numbers and hashes.
import { once } from "node:events";
import { hash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { extname } from "node:path";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Subtree } from "./merkle.ts";
import { MerkleTree } from "./merkle.ts";
import type { Line } from "./record.ts";
import { FIRST_PREV } from "./record.ts";
import { firstSeqOf, segmentsOf, unpadded } from "./segments.ts";
import type { Begun } from "./segments.ts";
import { readTombstone, saysOf } from "./tombstone.ts";
import type { Tombstone } from "./tombstone.ts";

/** A segment that is sound in itself. */
export interface SoundSegment extends Begun {
  readonly first: number;
  /** The hash that its first line continues. */
  readonly prev: string;
  readonly subtrees: readonly Subtree[];
}

/** What a thread is for. */
export interface ThreadData {
  readonly stone: Tombstone | undefined;
}

const FIRST = /^\{"v":1,"seq":(\d{1,16}),"prev":"([\da-f]{64})",/;
const FIRST_BYTES_MAX = 256;
const NEWLINE = 0x0a;
// Less is read before a thread has begun.
const THREAD_BYTES_MIN = 33_554_432;
const TOLD_EVERY_MS = 2000;

/**
 * The segment's lines, one after the other; nothing where one is not as it must be, or is not
 * whole. Whoever reads it again, line by line, says what is wrong.
 */
export function walkSegment(path: string, stone: Tombstone | undefined): SoundSegment | undefined {
  const bytes = bytesOf(path);
  if (bytes === undefined) return undefined;
  const first = firstSeqOf(path);
  const [, number, prev] = FIRST.exec(bytes.toString("latin1", 0, FIRST_BYTES_MAX)) ?? [];
  if (prev === undefined || Number(number) !== first) return undefined;
  let seq = first - 1;
  let before = prev;
  let said_at: number | undefined;
  const tree = MerkleTree.pieceAfter(seq);
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end === -1) return undefined;
    const raw = bytes.subarray(start, end);
    const head = `{"v":1,"seq":${++seq},"prev":"${before}",`;
    if (raw.toString("latin1", 0, head.length) !== head) return undefined;
    if (stone !== undefined && raw.includes(stone.hash) && says(raw, stone)) said_at ??= seq;
    tree.append(raw);
    before = hash("sha256", raw, "hex");
    start = end + 1;
  }
  return { first, seq, hash: before, prev, said_at, subtrees: tree.subtrees };
}

function bytesOf(path: string): Buffer | undefined {
  try {
    return unpadded(readFileSync(path));
  } catch {
    return undefined;
  }
}

function says(raw: Buffer, stone: Tombstone): boolean {
  try {
    return saysOf(stone, JSON.parse(raw.toString("utf8")) as Line);
  } catch {
    return false;
  }
}

/** Whose tree it is: it knows how many records have a signed root that is still to be compared. */
export interface Signed {
  readonly proof_size: number;
  /** Takes the pieces of the tree, in order. */
  readonly replayAll: (subtrees: readonly Subtree[]) => void;
}

/** Who waits for a start is told what it is doing. */
interface Told {
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Walks the segments that the checkpoint covers wholly, as far as they are sound; never the last
 * one, whose end may be torn. Nothing where there are none.
 */
export async function walkSigned(
  folder: string,
  { proof_size, replayAll }: Signed,
  told: Told,
  threads?: number,
): Promise<Begun | undefined> {
  const all = segmentsOf(folder);
  const covered = all.filter((_, i) => {
    const next = all[i + 1];
    return next !== undefined && firstSeqOf(next) <= proof_size + 1;
  });
  const stone = readTombstone(folder);
  let end = { seq: stone?.dropped_to ?? 0, hash: stone?.hash ?? FIRST_PREV };
  let begun: Begun | undefined;
  for (const segment of await walkEach(covered, stone, told, threads)) {
    if (segment?.first !== end.seq + 1 || segment.prev !== end.hash) break;
    replayAll(segment.subtrees);
    end = { seq: segment.seq, hash: segment.hash };
    begun = { ...end, said_at: begun?.said_at ?? segment.said_at };
  }
  return begun;
}

type Walked = (SoundSegment | undefined)[];

async function walkEach(
  paths: readonly string[],
  stone: Tombstone | undefined,
  told: Told,
  threads = threadsFor(paths),
): Promise<Walked> {
  const found: Walked = paths.map(() => undefined);
  const left = paths.entries();
  const tell = tellingNowAndThen(told, paths.length);
  const take = async (segmentAt: (path: string) => Promise<SoundSegment | undefined>) => {
    for (const [i, path] of left) {
      found[i] = await segmentAt(path);
      tell();
    }
  };
  if (threads > 1) {
    await Promise.all(Array.from({ length: threads }, () => inThread({ stone }, take)));
  } else await take((path) => Promise.resolve(walkSegment(path, stone)));
  return found;
}

function tellingNowAndThen({ clock, log }: Told, of: number): () => void {
  let told_ms = clock.monotonic();
  let done = 0;
  return () => {
    done++;
    if (clock.monotonic() - told_ms < TOLD_EVERY_MS) return;
    told_ms = clock.monotonic();
    log.info({ segments: done, of }, "the log is being read, to see that it is whole");
  };
}

function threadsFor(paths: readonly string[]): number {
  const bytes = paths.reduce((sum, path) => sum + statSync(path).size, 0);
  return Math.min(availableParallelism(), paths.length, Math.floor(bytes / THREAD_BYTES_MIN));
}

async function inThread(
  workerData: ThreadData,
  take: (segmentAt: (path: string) => Promise<SoundSegment | undefined>) => Promise<void>,
): Promise<void> {
  const program = new URL(`signed-walk-main${extname(import.meta.url)}`, import.meta.url);
  // It needs nothing of the environment, and is given nothing.
  const worker = new Worker(program, { workerData, env: {}, name: "ledger walk" });
  try {
    await take(async (path) => {
      worker.postMessage(path);
      const [segment] = (await once(worker, "message")) as [SoundSegment | undefined];
      return segment;
    });
  } finally {
    await worker.terminate();
  }
}
