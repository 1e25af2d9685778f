// `bin/doorless.js` as users run it: a child process, its exit code, and what it wrote where.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { LAUNCHER, NODE_FLAGS, plainEnvironment, ROOT } from "./clients.ts";

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Record<string, string>;
  readonly cwd?: string;
  readonly stdin?: string;
}

/** Runs a verb to its end. */
export async function doorless(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return run(process.execPath, [...NODE_FLAGS, LAUNCHER, ...args], options);
}

async function run(
  command: string,
  args: readonly string[],
  { env, cwd = ROOT, stdin = "" }: RunOptions = {},
): Promise<Ran> {
  const child = spawn(command, [...args], { cwd, env: plainEnvironment(env), stdio: "pipe" });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  // A program that reads nothing may be gone before it is written to.
  child.stdin.on("error", () => undefined).end(stdin);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

/** Each line of a `--json` answer. */
export function jsonLines<T>({ stdout }: Ran): T[] {
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}
