// The check in a thread of its own: a document may be megabytes, and calls go on meanwhile.
import { once } from "node:events";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { unverified } from "./drift.ts";
import type { Contract, Verdict } from "./drift.ts";

/** What the thread is for. */
export interface ThreadData {
  readonly contracts: readonly Contract[];
  readonly now_ms: number;
}

const MEMORY_MB_MAX = 1024;
const DURATION_MS_MAX = 300_000;

/** Never rejects: what cannot be judged, or not in time, is `unverified`. `signal` ends it. */
export async function judgeInThread(
  contracts: readonly Contract[],
  now_ms: number,
  signal: AbortSignal,
  deadline: AbortSignal = AbortSignal.timeout(DURATION_MS_MAX),
): Promise<readonly Verdict[]> {
  if (contracts.length === 0) return [];
  const program = new URL(`drift-main${extname(import.meta.url)}`, import.meta.url);
  // It needs nothing of the environment, and is given nothing.
  const worker = new Worker(program, {
    workerData: { contracts, now_ms } satisfies ThreadData,
    env: {},
    name: "contract check",
    resourceLimits: { maxOldGenerationSizeMb: MEMORY_MB_MAX },
  });
  try {
    const [verdicts] = (await once(worker, "message", {
      signal: AbortSignal.any([signal, deadline]),
    })) as [readonly Verdict[]];
    return verdicts;
  } catch (error) {
    const what = deadline.aborted ? "it did not end in five minutes" : (error as Error).message;
    const why = `the check failed: ${what}`;
    return contracts.map((contract) => unverified(contract, why));
  } finally {
    await worker.terminate();
  }
}
