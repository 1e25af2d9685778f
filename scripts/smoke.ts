// The smoke test of .ci/run: the demo as a newcomer starts it, under whatever `node` is on PATH.
// Starts, waits for the ready line, asks for a surface, stops with SIGTERM, wants exit 0.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 5_000;

const data = mkdtempSync(join(tmpdir(), "doorless-smoke-"));
const demo = spawn("node", ["bin/doorless.js", "demo", "--port", "0", "--data", data, "--json"], {
  stdio: ["ignore", "pipe", "inherit"],
});
const ended = once(demo, "exit");
try {
  const ready = JSON.parse(await within(firstLine(), READY_TIMEOUT_MS, "ready line")) as unknown;
  console.log("ready:", JSON.stringify(ready));
  const surface = spawnSync(
    "node",
    ["bin/doorless.js", "surface", "support", "--as", "dana", "--data", data, "--json"],
    { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] },
  );
  if (surface.status !== 0) throw new Error(`surface exited with ${surface.status}`);
  if (!surface.stdout.includes("tickets_search")) throw new Error(`surface: ${surface.stdout}`);
  demo.kill("SIGTERM");
  const exit = JSON.stringify(await within(ended, STOP_TIMEOUT_MS, "stop"));
  if (exit !== "[0,null]") throw new Error(`demo ended with ${exit}`);
  console.log("smoke: the demo starts, shows Dana's surface, and stops");
} finally {
  // Killing the launcher takes the program along; the data goes when both have let go of it.
  demo.kill("SIGKILL");
  rmSync(data, { recursive: true, force: true, maxRetries: 5 });
}

async function firstLine(): Promise<string> {
  for await (const line of createInterface({ input: demo.stdout })) return line;
  throw new Error("the demo ended before it was ready");
}

async function within<T>(task: Promise<T>, timeout_ms: number, what: string): Promise<T> {
  const late = sleep(timeout_ms, undefined, { ref: false }).then((): never => {
    throw new Error(`no ${what} within ${timeout_ms} ms`);
  });
  return Promise.race([task, late]);
}
