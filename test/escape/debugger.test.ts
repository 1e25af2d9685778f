// SIGUSR1 opens a debugger in a Node process, and whoever connects to it reads everything. A worker
// at level process may signal the server; so the server runs where that signal opens nothing.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { expect } from "vitest";
import { ConfigError } from "../../src/config/problem.ts";
import { openOwnSandbox } from "../setup/code.ts";
import { verifies } from "../verifies.ts";

const FLAG = "--disable-sigusr1";
const TICKS = "setInterval(() => console.log('alive'), 20)";

/** What a process with these flags says after it was signalled, until it has ticked twice more. */
async function signalled(flags: readonly string[]): Promise<{ stderr: string; alive: boolean }> {
  const child = spawn(process.execPath, [...flags, "-e", TICKS], { env: {} });
  const ended = once(child, "exit");
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  let ticks = 0;
  for await (const _ of createInterface({ input: child.stdout })) {
    if (++ticks === 1) child.kill("SIGUSR1");
    if (ticks === 4) break;
  }
  const alive = child.exitCode === null && child.signalCode === null;
  child.kill("SIGKILL");
  await ended;
  return { stderr, alive };
}

verifies("sandbox.escape", "a server that was signalled has no debugger, and goes on", async () => {
  expect(await signalled([FLAG])).toEqual({ stderr: "", alive: true });
  // The attack itself works where the flag is missing, or this test would say nothing.
  expect((await signalled(["--inspect-port=0"])).stderr).toContain("Debugger listening");
});

verifies("sandbox.probe", "without the flag, level process cannot be had", async () => {
  const at = process.execArgv.indexOf(FLAG);
  process.execArgv.splice(at, 1);
  try {
    const opened = openOwnSandbox({ code_tools: "process", run_code: "none" });
    await expect(opened).rejects.toBeInstanceOf(ConfigError);
    await expect(opened).rejects.toThrow(/started without --disable-sigusr1/);
  } finally {
    process.execArgv.splice(at, 0, FLAG);
  }
});
