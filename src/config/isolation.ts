// Where code that is not doorless's own runs, and what it may use there. Left out, it does not run.
import { z } from "zod";
import type { Report } from "./problem.ts";

const count = (standard: number, max: number) => z.int().min(1).max(max).default(standard);

export const isolationSchema = z.strictObject({
  code_tools: z
    .enum(["none", "process", "os", "external"])
    .default("none")
    .describe("Tools written in code: not at all, or the level that their workers must have"),
  run_code: z
    .enum(["none", "engine", "os", "external"])
    .default("none")
    .describe("Generated code, always in an engine of its own: that alone, or inside a jail too"),
  mcp_servers: z
    .enum(["os", "external"])
    .default("os")
    .describe("MCP servers that a connector starts: what no lower level can hold"),
  below_os: z
    .literal("accepted")
    .optional()
    .describe("Beyond loopback: that code runs without a jail of the operating system"),
  command: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe("Level external: runs Node with the arguments that follow, {stage} at /stage"),
  workers_max: count(64, 4096).describe("Worker processes, in all"),
  workers_per_user_max: count(4, 256).describe("Workers of one user at once"),
  workers_ready: z.int().min(0).max(64).default(2).describe("Unused workers kept, of each kind"),
  idle_s_max: count(300, 86_400).describe("How long an idle worker waits for its session"),
  memory_mib_max: z.int().min(96).max(2048).default(256).describe("Resident memory of a worker"),
  cpu_ms_max: count(10_000, 120_000).describe("Processor time of one call"),
  run_code_timeout_ms: z.int().min(100).max(120_000).default(15_000),
  run_code_calls_max: count(50, 1000).describe("Tool calls that one run may make"),
  run_code_output_chars_max: count(65_536, 1_048_576).describe("What one run may print"),
});

export type IsolationConfig = z.infer<typeof isolationSchema>;

/** What no single field can say: a level that needs a command, and one that is too low here. */
export function checkIsolation(
  isolation: IsolationConfig,
  beyond_loopback: boolean,
  report: Report,
): void {
  for (const name of ["code_tools", "run_code", "mcp_servers"] as const) {
    const level = isolation[name];
    if (level === "external" && isolation.command === undefined) {
      const mend = 'add "command", such as ["docker", "run", "-i", "--network", "none", …, "node"]';
      report("/isolation/command", `isolation.${name} is external, and no command is given`, mend);
    }
    const low = level === "process" || level === "engine";
    if (!low || !beyond_loopback || isolation.below_os !== undefined) continue;
    const mend = 'write "os", or accept it in writing with "below_os": "accepted"';
    report(`/isolation/${name}`, `beyond loopback, code runs at level os, not ${level}`, mend);
  }
  if (isolation.command?.some((one) => one.includes("{stage}")) === false) {
    const mend = "mount {stage}, the folder of the worker's program, read-only at /stage";
    report("/isolation/command", "the command does not name {stage}", mend);
  }
}
