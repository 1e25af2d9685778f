// The thread that fetches documents and judges contracts by them.
import { parentPort, workerData } from "node:worker_threads";
import { judgeContracts } from "./drift.ts";
import type { ThreadData } from "./drift-thread.ts";

const { contracts, now_ms } = workerData as ThreadData;

parentPort?.postMessage(await judgeContracts(contracts, now_ms));
