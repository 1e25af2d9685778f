// Records as the gate writes them, a clock that tests move, and a disk that tests hold back.
import { readFileSync, rmSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { createLogger } from "../../../src/telemetry/log.ts";
import { onTestFinished } from "vitest";
import type { Clock } from "../../../src/kernel/clock.ts";
import { openLedger } from "../../../src/ledger/ledger.ts";
import type { Ledger, LedgerOptions, Recovery } from "../../../src/ledger/ledger.ts";
import type {
  CallFacts,
  Intent,
  OutcomeRecord,
  RefusalRecord,
} from "../../../src/ledger/record.ts";
import { OPERATOR, plainNames } from "../../../src/ledger/query.ts";
import type { AuditFilter, AuditPage } from "../../../src/ledger/query.ts";
import { segmentsOf } from "../../../src/ledger/segments.ts";
import { openSegmentFile } from "../../../src/ledger/wal.ts";
import type { SegmentFile } from "../../../src/ledger/wal.ts";
import { writeAt } from "../../setup/write-at.ts";
import { testFolder } from "../../setup/minimal.ts";

export interface TestClock extends Clock {
  ms: number;
}

/** Both clocks are `ms`, which only the test moves. */
export function testClock(ms = Date.parse("2026-03-14T09:26:53.000Z")): TestClock {
  const clock: TestClock = { ms, now: () => clock.ms, monotonic: () => clock.ms };
  return clock;
}

const FACTS: CallFacts = {
  call_id: "call-1",
  parent: null,
  user: "Ada L.",
  subject: "ada",
  issuer: "https://login.test",
  tenant: "acme",
  roles: ["clerk"],
  actor_chain: [],
  agent: "desk",
  client_id: "an-ide",
  session: "ses_1",
  tool: "item_put",
  target: "item:7",
  args: { id: 7 },
  effects: { readOnly: false, destructive: false, idempotent: true, openWorld: false },
  rule: "mcp.config.json:1",
  approved_by: null,
  trace_id: "4bf92f3577b34da6a3ce929d0e0e4736",
  isolation: "declarative",
  liveness: { source: "token_lifetime", bound_ms: 3_600_000 },
  policy: "sha256:0",
  tool_hash: "sha256:1",
};

const END = {
  outcome: "ok",
  effect: "done",
  error_code: null,
  duration_ms: 12,
  steps: { run: 10 },
  downstream: [
    { method: "PUT", url: "https://shop.test/items/7", status: 200, request_id: "call-1" },
  ],
  result: { id: 7 },
} as const;

export function intent(call_id: string, changes: Partial<CallFacts> = {}): Intent {
  return { kind: "intent", ...FACTS, call_id, ...changes };
}

export function outcome(call_id: string, changes: Partial<OutcomeRecord> = {}): OutcomeRecord {
  return { kind: "outcome", ...END, call_id, ...changes };
}

export function refusalOf(call_id: string, changes: Partial<RefusalRecord> = {}): RefusalRecord {
  return {
    kind: "refusal",
    ...FACTS,
    ...END,
    call_id,
    outcome: "rate_limited",
    effect: "none",
    error_code: "rate_limited",
    downstream: [],
    result: null,
    count: 1,
    ...changes,
  };
}

export interface Opened {
  readonly ledger: Ledger;
  readonly recovery: Recovery;
  readonly folder: string;
  readonly clock: TestClock;
  readonly fatal: unknown[];
}

/** A ledger in a folder of its own, or in one that was there before. */
export async function opened(
  folder: string = testFolder(),
  options: Partial<LedgerOptions> & { clock?: TestClock } = {},
): Promise<Opened> {
  const fatal: unknown[] = [];
  const clock = options.clock ?? testClock();
  const { ledger, recovery } = await openLedger({
    folder,
    keys_folder: `${folder}-keys`,
    anchors: [],
    log: createLogger("silent"),
    namesOf: plainNames,
    digestOf: (tenant, text) => `hmac-sha256:${tenant}:${text}`,
    index_file: ":memory:",
    segment_bytes_max: 1_000_000,
    disk_free_bytes_min: 0,
    reserve_bytes: 0,
    sinks: [],
    cursors_folder: `${folder}-sinks`,
    isHeld: () => false,
    onFatal: (error) => void fatal.push(error),
    ...options,
    clock,
  });
  onTestFinished(async () => {
    await ledger.close().catch(() => undefined);
    rmSync(`${folder}-keys`, { recursive: true, force: true });
  });
  return { ledger, recovery, folder, clock, fatal };
}

/** As an operator asks: everything. */
export function asked(ledger: Ledger, filter: AuditFilter): Promise<AuditPage> {
  return ledger.query(filter, OPERATOR);
}

/** One whole call. */
export async function call(ledger: Ledger, id: string, changes: Partial<CallFacts> = {}) {
  await ledger.intent(intent(id, changes));
  await ledger.outcome(outcome(id));
}

export function textOf(folder: string): string {
  return (
    segmentsOf(folder)
      // What is open has room made ahead.
      .map((path) => readFileSync(path, "utf8").replaceAll("\t", ""))
      .join("")
  );
}

export function linesOf(folder: string): Record<string, unknown>[] {
  const lines = textOf(folder).trimEnd().split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as never);
}

/** A disk that writes at once, and syncs only when it is let. */
export class HeldDisk {
  readonly events: string[] = [];
  fail: "write" | "sync" | undefined;
  private waiting: (() => void)[] = [];
  private held = false;

  readonly open = (path: string): Promise<SegmentFile> =>
    Promise.resolve({
      write: async (bytes: Buffer, at: number) => {
        const lines = bytes.toString("utf8").split("\n").length - 1;
        // Room that is made ahead holds none.
        if (lines > 0) this.events.push(`write ${lines}`);
        if (this.fail === "write") throw new Error("ENOSPC");
        writeAt(path, bytes, at);
      },
      sync: async () => {
        this.events.push("sync");
        if (this.fail === "sync") throw new Error("EIO");
        if (this.held) await new Promise<void>((resolve) => this.waiting.push(resolve));
      },
      cut: async (size: number) => truncateSync(path, size),
      close: () => Promise.resolve(),
    });

  /** Resolves when so many things have happened to the disk. */
  async reached(events: number): Promise<void> {
    while (this.events.length < events) await new Promise((done) => setTimeout(done, 1));
    await settle();
  }

  hold(): void {
    this.held = true;
  }

  release(): void {
    this.held = false;
    for (const resolve of this.waiting.splice(0)) resolve();
  }
}

export function inFolder(folder: string, name: string): string {
  return join(folder, name);
}

/** Long enough for everything that does not wait for the disk. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise<void>((done) => setImmediate(done));
}

/** A disk that has no room while it is full. */
export function fillingDisk() {
  const disk = {
    isFull: false,
    openSegment: async (path: string): Promise<SegmentFile> => {
      const file = await openSegmentFile(path);
      return {
        ...file,
        async write(bytes, at) {
          if (disk.isFull) throw Object.assign(new Error("no room"), { code: "ENOSPC" });
          return file.write(bytes, at);
        },
      };
    },
  };
  return disk;
}
