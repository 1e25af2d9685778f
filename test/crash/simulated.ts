// Runs the simulation in processes of their own, since it takes the timers away.
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import type { Simulated } from "./simulate.ts";

const ROOT = resolve(import.meta.dirname, "../..");

export function simulated(given: readonly string[]): Promise<Simulated> {
  const { promise, resolve: done, reject } = Promise.withResolvers<Simulated>();
  const program = join(ROOT, "test/crash/simulate.ts");
  execFile(process.execPath, [program, ...given], (_error, stdout, stderr) => {
    try {
      done(JSON.parse(stdout) as Simulated);
    } catch {
      reject(new Error(stderr));
    }
  });
  return promise;
}

/** So many seeds from `first` on, in two processes. */
export async function simulatedInTwo(first: number, seeds: number): Promise<Simulated> {
  const half = seeds / 2;
  const run = (from: number): Promise<Simulated> =>
    simulated(["--first", String(from), "--seeds", String(half)]);
  const [a, b] = await Promise.all([run(first), run(first + half)]);
  return {
    seeds: a.seeds + b.seeds,
    crashes: a.crashes + b.crashes,
    failed: [...a.failed, ...b.failed],
  };
}
