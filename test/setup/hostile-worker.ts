// A worker whose program a test writes: what a worker would send if somebody had taken it over.
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createProcessBackend } from "../../src/sandbox/backend-process.ts";
import { setStage } from "../../src/sandbox/stage.ts";
import { Worker } from "../../src/sandbox/worker.ts";

const MIB = 1024 * 1024;

/** In its scope: `send` (a frame), `raw` (bytes), `next` (the host's next frame). */
const BEFORE = `
import { encodeFrame, FrameReader } from "../frames.js";
const raw = (bytes) => void process.stdout.write(bytes);
const send = (frame) => raw(encodeFrame(frame));
const reader = new FrameReader(1e8);
const waiting = [], got = [];
process.stdin.on("data", (chunk) => {
  for (const frame of reader.push(chunk)) waiting.length ? waiting.shift()(frame) : got.push(frame);
});
const next = () =>
  got.length ? Promise.resolve(got.shift()) : new Promise((done) => waiting.push(done));
`;

export interface HostileWorker {
  readonly worker: Worker;
  readonly close: () => Promise<void>;
}

export function openHostileWorker(program: string, rss_mib_max = 256): HostileWorker {
  const stage = setStage(tmpdir());
  const entry = "src/sandbox/worker/hostile.js";
  const file = join(stage.folder, entry);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${BEFORE}\n${program}`);
  const spec = { folder: stage.folder, entry, heap_mib_max: 128, permission: true };
  const limits = { frame_bytes_max: MIB, rss_bytes_max: rss_mib_max * MIB };
  const worker = new Worker(createProcessBackend().spawn(spec), limits);
  return {
    worker,
    async close() {
      worker.destroy({ code: "cancelled" });
      await worker.gone;
      stage.remove();
    },
  };
}
