// One of the threads that walk the log at a start: a path comes, what stands in that segment goes.
import { parentPort, workerData } from "node:worker_threads";
import { walkSegment } from "./signed-walk.ts";
import type { ThreadData } from "./signed-walk.ts";

const { stone } = workerData as ThreadData;

parentPort?.on("message", (path: string) => parentPort?.postMessage(walkSegment(path, stone)));
