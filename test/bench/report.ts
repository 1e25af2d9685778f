// From rounds to the table of the README.
import type { CodeResult } from "./code.ts";
import type { StepTime } from "./steps.ts";

/** One round on one side. Latencies are sorted. */
export interface Sample {
  readonly per_s: number;
  readonly cpu_us: number;
  readonly main_us: number;
  readonly requests: number;
  readonly latencies_ms: readonly number[];
}

export interface CaseResult {
  readonly era: string;
  readonly method: string;
  readonly rounds: readonly { readonly doorless: Sample; readonly unprotected: Sample }[];
}

export interface Report {
  readonly node: string;
  readonly cpu: string;
  /** The machine's load average when the run began. */
  readonly load_before: number;
  readonly connections: number;
  readonly plan: { readonly rounds: number; readonly round_ms: number };
  readonly cases: readonly CaseResult[];
  readonly rss_mib: { readonly doorless: number; readonly unprotected: number };
  readonly steps: readonly StepTime[];
  readonly code?: CodeResult;
}

/** The value below which `share` of the sorted values lie. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(sortedOf(values), 0.5);
}

function sortedOf(values: readonly number[]): readonly number[] {
  return values.toSorted((a, b) => a - b);
}

const HEADS = [
  "era",
  "request",
  "server",
  "per s",
  "p50 ms",
  "p99 ms",
  "CPU µs",
  "main µs",
  "ratio (min-max)",
];

export function textReport(report: Report): string {
  const { rounds, round_ms } = report.plan;
  const rows = report.cases.flatMap(rowsOf);
  const { doorless, unprotected } = report.rss_mib;
  return [
    `${report.node} on ${report.cpu}; ${report.connections} connections, each with one request`,
    `under way; ${rounds} rounds of ${round_ms} ms per server, alternating; medians of rounds.`,
    "Servers, load and the API share the machine, whose load average was " +
      `${report.load_before.toFixed(1)} before. \`ratio\` is`,
    "doorless's throughput per unprotected throughput in the same round. CPU is the server",
    "process's, per request.",
    "",
    ...markdown(HEADS, rows),
    "",
    `Memory after the run (RSS): doorless ${doorless.toFixed(0)} MiB, ` +
      `unprotected ${unprotected.toFixed(0)} MiB.`,
    "",
    "Where a doorless tools/call spends its time, from the ledger's own records:",
    "",
    ...markdown(
      ["step", "p50 ms", "p99 ms"],
      report.steps.map(({ step, p50_ms, p99_ms }) => [step, p50_ms.toFixed(3), p99_ms.toFixed(3)]),
    ),
    ...(report.code === undefined ? [] : codeReport(report.code)),
  ].join("\n");
}

function codeReport({ rounds, rows, worker_mib }: CodeResult): string[] {
  const memory = Object.entries(worker_mib).map(([level, mib]) => `${level} ${mib.toFixed(0)} MiB`);
  return [
    "",
    `Code, one call after another, medians of ${rounds} rounds; \`ratio\` is to a declarative call`,
    "that makes the same request, at the same core in the same rounds.",
    "",
    ...markdown(
      ["level", "call", "p50 ms", "ratio"],
      rows.map(({ level, call, p50_ms, ratio }) => {
        return [level, call, p50_ms.toFixed(2), ratio.toFixed(2)];
      }),
    ),
    "",
    `Memory of one worker (its proportional share, PSS): ${memory.join(", ")}.`,
  ];
}

function rowsOf({ era, method, rounds }: CaseResult): string[][] {
  const ratios = sortedOf(rounds.map((r) => r.doorless.per_s / r.unprotected.per_s));
  const spread = `${(ratios[0] ?? 0).toFixed(2)}-${(ratios.at(-1) ?? 0).toFixed(2)}`;
  const row = (server: string, samples: readonly Sample[], ratio: string): string[] => [
    era,
    method,
    server,
    median(samples.map((s) => s.per_s)).toFixed(0),
    median(samples.map((s) => quantile(s.latencies_ms, 0.5))).toFixed(2),
    median(samples.map((s) => quantile(s.latencies_ms, 0.99))).toFixed(2),
    median(samples.map((s) => s.cpu_us)).toFixed(0),
    median(samples.map((s) => s.main_us)).toFixed(0),
    ratio,
  ];
  const protectedRounds = rounds.map((r) => r.doorless);
  const bareRounds = rounds.map((r) => r.unprotected);
  return [
    row("unprotected", bareRounds, ""),
    row("doorless", protectedRounds, `${quantile(ratios, 0.5).toFixed(2)} (${spread})`),
  ];
}

export function markdown(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = heads.map((head, i) =>
    Math.max(head.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  return [line(heads), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)];
}
