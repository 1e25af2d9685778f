// Level `process`: a child of ours with an empty environment, under Node's permission model. It
// stops mistakes of the operator's own tools; Node itself says that it is no boundary against
// hostile code, and claims.ts says what it does not stop.
import { spawn } from "node:child_process";
import { setPriority } from "node:os";
import type { ChildProcess } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { IsolatedProcess, IsolationBackend } from "./backend.ts";
import { limited } from "./limited.ts";
import { nodeArguments } from "./node-flags.ts";
import { MEASURED, usageOf } from "./usage.ts";

/** Niceness: about a third of the server's share. */
const PRIORITY = 5;

export function createProcessBackend(): IsolationBackend {
  return {
    level: "process",
    measured: MEASURED,
    root: [],
    spawn(spec) {
      const [program, ...args] = limited([process.execPath, ...nodeArguments(spec, spec.folder)]);
      const child = spawn(program, args, { env: {}, cwd: spec.folder, stdio: "pipe" });
      return isolated(child, () => child.pid);
    },
  };
}

/** Tool code waits for the server when both want a processor, never the other way round. */
function yieldTo(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, PRIORITY);
  } catch {
    // It is gone already.
  }
}

/** The child as a worker sees its host: three pipes, and an end. */
export function isolated(child: ChildProcess, pid: () => number | undefined): IsolatedProcess {
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null) throw new Error("no pipes");
  const exited = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(signal ?? `exit code ${code ?? "unknown"}`));
  });
  yieldTo(child.pid);
  // It may be gone before it has read everything.
  stdin.on("error", () => undefined);
  return {
    stdin: stdin satisfies Writable,
    stdout: stdout satisfies Readable,
    stderr: stderr satisfies Readable,
    exited,
    usage: () => {
      const at = pid();
      return at === undefined || child.exitCode !== null ? undefined : usageOf(at);
    },
    kill: () => void child.kill("SIGKILL"),
  };
}
