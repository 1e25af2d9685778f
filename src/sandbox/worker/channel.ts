// The worker's end of its two pipes. A host that is gone ends the worker.
import { encodeFrame, FrameReader } from "../frames.ts";
import type { Frame } from "../frames.ts";

// What the host sends is the API's answers, which it has bounded itself.
const FRAME_BYTES_MAX = 64 * 1024 * 1024;

export type Send = (frame: Frame) => void;

/** Hears frames from the host; the way to send some. */
export function openChannel(onFrame: (frame: Frame) => void): Send {
  // Taken now: what runs here later finds no `process`.
  const { stdin, stdout } = process;
  const exit = process.exit.bind(process, 0);
  const reader = new FrameReader(FRAME_BYTES_MAX);
  stdin.on("data", (chunk: Buffer) => {
    for (const frame of reader.push(chunk)) onFrame(frame);
  });
  stdin.on("end", exit);
  return (frame) => void stdout.write(encodeFrame(frame));
}
