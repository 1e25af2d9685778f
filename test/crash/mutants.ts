// Faults that somebody could put into the ledger: each a change of one place in the source, and
// each must be found by the proof. A proof that no fault can break is none.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export interface Mutant {
  readonly what: string;
  /** Below src/. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Faults that the simulation of the disk finds. */
export const IN_THE_LEDGER: readonly Mutant[] = [
  {
    what: "no fdatasync",
    file: "ledger/wal.ts",
    from: "const synced = file.sync();",
    to: "const synced = Promise.resolve();",
  },
  {
    what: "the answer before the append",
    file: "ledger/wal.ts",
    from: "this.writing ??= this.write();",
    to: "this.writing ??= this.write(); queue.durable.catch(() => 0); return Promise.resolve();",
  },
  {
    what: "an outcome that is not awaited",
    file: "ledger/ledger.ts",
    from: "(record: OutcomeRecord): Promise<void> {\n    return this.wal.append(record);",
    to: "(record: OutcomeRecord) {\n    this.wal.append(record).catch(() => 0);",
  },
  {
    what: "no sync of the folder",
    file: "ledger/wal.ts",
    from: "    await (this.options.syncFolder ?? syncFolder)(this.options.folder);\n",
    to: "",
  },
  {
    what: "another try after EIO",
    file: "ledger/wal.ts",
    from: "await synced;",
    to: "await synced.catch(() => file.sync());",
  },
  {
    what: "a recovery that skips a bad record",
    file: "ledger/segments.ts",
    from: "cut_bytes = bytes.length - start;\n        break;",
    to: "start = end + 1;\n        continue;",
  },
  {
    what: "a recovery that leaves a torn end",
    file: "ledger/segments.ts",
    from: "  if (tail.path !== undefined) cutAfter(tail.path, tail.size);\n",
    to: "",
  },
  {
    what: "a recovery that knows no room between the pages of a batch",
    file: "ledger/segments.ts",
    from: "return raw.includes(BLANK) || raw.includes(0);",
    to: "return raw.includes(0);",
  },
  {
    what: "a refused batch keeps its numbers",
    file: "ledger/wal.ts",
    from: "    this.given = this.written;\n",
    to: "",
  },
  {
    what: "a checkpoint over what is not durable yet",
    file: "ledger/wal.ts",
    from: "const synced = file.sync();",
    to: "this.untold = batch; const synced = file.sync();",
  },
  {
    what: "calls that a crash cut off are left open",
    file: "ledger/ledger.ts",
    from: "orphans.map((call_id) => ledger.outcome(unknownOutcome(call_id)))",
    to: "[]",
  },
];

/** Faults that the real server shows when its power goes. */
export const IN_THE_SERVER: readonly Mutant[] = [
  {
    what: "an outcome that the gate does not await",
    file: "gate/gate.ts",
    from: "await ledger.outcome(",
    to: "void ledger.outcome(",
  },
  {
    what: "no fdatasync",
    file: "ledger/wal.ts",
    from: "sync: () => dataSync(handle.fd),",
    to: "sync: () => Promise.resolve(),",
  },
];

const ROOT = resolve(import.meta.dirname, "../..");

export interface MutatedSource {
  /** The copy of the whole project that it is in. */
  readonly root: string;
  remove(): void;
}

/** A copy of the source with the fault in it. Throws where its place is not there exactly once. */
export function mutated({ file, from, to }: Mutant): MutatedSource {
  const root = mkdtempSync(join(tmpdir(), "doorless-mutant-"));
  for (const part of ["src", "demo", "tools", "test", "scripts", "package.json"]) {
    cpSync(join(ROOT, part), join(root, part), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(root, "node_modules"));
  const path = join(root, "src", file);
  const parts = readFileSync(path, "utf8").split(from);
  if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times: ${from}`);
  writeFileSync(path, parts.join(to));
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}
