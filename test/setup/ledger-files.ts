// A ledger's files, written by the test itself: chained lines in segments, signed checkpoints, and
// what an anchor kept. Independent of the writer in src/, so that both verifiers are judged by it.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { framedNote } from "../../src/ledger/checkpoint-log.ts";
import { signCheckpoint } from "../../src/ledger/checkpoint.ts";
import type { SigningKeys } from "../../src/ledger/checkpoint.ts";
import { MerkleTree } from "../../src/ledger/merkle.ts";
import { openSigningKey, publishKeys } from "../../src/ledger/signing-key.ts";
import { testFolder } from "./minimal.ts";

export const LOG_ID = "0198f000-test";

export interface LedgerFiles {
  readonly ledger: string;
  readonly keys: string;
  /** The verifier keys, as somebody keeps them elsewhere. */
  readonly public_keys: string;
  readonly anchor: string;
}

export interface Shape {
  readonly records: number;
  /** A new segment begins before each of these sequence numbers. */
  readonly cuts?: readonly number[];
  readonly checkpoints?: readonly number[];
  /** Tabs after each segment's last line. */
  readonly padding?: number;
  readonly signers?: (size: number) => SigningKeys;
}

/** Chained lines: each second one ends the call that the one before began. */
export function chainedLines(records: readonly object[]): string[] {
  let prev = "0".repeat(64);
  return records.map((record, i) => {
    const time = new Date(1_760_000_000_000 + i * 1000).toISOString();
    const line = JSON.stringify({ v: 1, seq: i + 1, prev, time, ...record });
    prev = createHash("sha256").update(line).digest("hex");
    return line;
  });
}

export function someRecords(count: number, note = "é"): object[] {
  return Array.from({ length: count }, (_, i) => {
    const call_id = `call-${Math.floor(i / 2)}`;
    return i % 2 === 0
      ? { kind: "intent", call_id, tool: "deal_update", args: { note } }
      : { kind: "outcome", call_id, outcome: "ok" };
  });
}

export function writeSegments(
  ledger: string,
  lines: readonly string[],
  cuts: readonly number[] = [],
  padding = 0,
): void {
  const starts = [1, ...new Set(cuts.filter((cut) => cut > 1 && cut <= lines.length))];
  starts.sort((a, b) => a - b);
  for (const [i, start] of starts.entries()) {
    const part = lines.slice(start - 1, (starts[i + 1] ?? Infinity) - 1);
    const text = part.map((line) => `${line}\n`).join("");
    const name = `${String(start).padStart(12, "0")}.jsonl`;
    writeFileSync(join(ledger, name), `${text}${"\t".repeat(padding)}`);
  }
}

export function notesFor(
  lines: readonly string[],
  sizes: readonly number[],
  signers: (size: number) => SigningKeys,
): string[] {
  const tree = MerkleTree.empty();
  const notes: string[] = [];
  for (let size = 0; size <= lines.length; size++) {
    if (size > 0) tree.append(Buffer.from(lines[size - 1] ?? ""));
    if (!sizes.includes(size)) continue;
    notes.push(signCheckpoint(signers(size), { log_id: LOG_ID, size, root: tree.root() }));
  }
  return notes;
}

/** Writes a whole ledger into a folder of the running test. */
export function writeLedger(shape: Shape): LedgerFiles {
  const folder = testFolder();
  const files = {
    ledger: join(folder, "ledger"),
    keys: join(folder, "keys"),
    public_keys: join(folder, "keys", "ledger-signing.pub"),
    anchor: join(folder, "anchored"),
  };
  mkdirSync(files.ledger);
  const keys = openSigningKey(files.keys, LOG_ID);
  const lines = chainedLines(someRecords(shape.records));
  writeSegments(files.ledger, lines, shape.cuts, shape.padding);
  const sizes = shape.checkpoints ?? [];
  const framed = notesFor(lines, sizes, shape.signers ?? (() => keys)).map(framedNote);
  writeFileSync(files.anchor, framed.join(""));
  if (sizes.length > 0) writeFileSync(join(files.ledger, "checkpoints"), framed.join(""));
  publishKeys(files.keys, files.ledger);
  return files;
}

export function segmentFiles(ledger: string): string[] {
  const names = readdirSync(ledger).filter((name) => name.endsWith(".jsonl"));
  return names.toSorted().map((name) => join(ledger, name));
}

/** Every line of the log; with `writeSegments` it becomes one segment again. */
export function readLines(ledger: string): string[] {
  const texts = segmentFiles(ledger).map((file) => readFileSync(file, "utf8"));
  return texts.flatMap((text) => text.replace(/\t+$/, "").split("\n").slice(0, -1));
}
