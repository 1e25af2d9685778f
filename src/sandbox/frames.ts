// What passes between the host and a worker: four bytes of length, then that much UTF-8 JSON.
// Node's own `ipc` channel lets one message from the child end the parent; this one is only bytes.
// Shared with the worker, where Node's globals are taken away: what it needs it imports.
import { Buffer } from "node:buffer";

export type Frame = Readonly<Record<string, unknown>> & { readonly t: string };

const HEAD_BYTES = 4;
/** The frame's own levels included: 60 are left for what is in it. */
const DEPTH_MAX = 64;
const VALUES_MAX = 200_000;
/** Keys by which a copied object would get another prototype. */
const PROTOTYPE_KEYS = new Set(["__proto__", "constructor", "prototype"]);

/** What came is no frame: the other side is broken or hostile, and nothing more of it is read. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** It is more than one frame may hold. */
export class FrameTooLarge extends FrameError {}

export function encodeFrame(frame: Frame): Buffer {
  const text = JSON.stringify(frame);
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + Buffer.byteLength(text));
  bytes.writeUInt32BE(bytes.length - HEAD_BYTES);
  bytes.write(text, HEAD_BYTES);
  return bytes;
}

/** Cuts a stream of bytes into frames. The length is judged before its bytes are kept. */
export class FrameReader {
  private readonly frame_bytes_max: number;
  private chunks: Buffer[] = [];
  private held = 0;

  constructor(frame_bytes_max: number) {
    this.frame_bytes_max = frame_bytes_max;
  }

  /** The frames that are whole now; throws `FrameError`, after which the reader is of no use. */
  push(chunk: Buffer): Frame[] {
    this.chunks.push(chunk);
    this.held += chunk.length;
    const frames: Frame[] = [];
    for (;;) {
      const length = this.nextLength();
      if (length === undefined || this.held < HEAD_BYTES + length) return frames;
      const whole = this.take(HEAD_BYTES + length);
      frames.push(decode(whole.subarray(HEAD_BYTES)));
    }
  }

  private nextLength(): number | undefined {
    if (this.held < HEAD_BYTES) return undefined;
    const first = this.chunks[0];
    if (first === undefined || first.length < HEAD_BYTES)
      this.chunks = [Buffer.concat(this.chunks)];
    const length = this.chunks[0]?.readUInt32BE() ?? 0;
    if (length <= this.frame_bytes_max) return length;
    throw new FrameTooLarge(`a frame of ${length} bytes; at most ${this.frame_bytes_max}`);
  }

  private take(bytes: number): Buffer {
    const all = this.chunks.length === 1 ? this.chunks[0] : Buffer.concat(this.chunks);
    const whole = all ?? Buffer.alloc(0);
    this.held -= bytes;
    this.chunks = this.held === 0 ? [] : [whole.subarray(bytes)];
    return whole.subarray(0, bytes);
  }
}

function decode(bytes: Buffer): Frame {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new FrameError("a frame that is not JSON");
  }
  const flaw = flawOf(value);
  if (flaw !== undefined) throw new FrameError(`a frame that ${flaw}`);
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new FrameError("a frame that is not an object");
  }
  const frame = value as Record<string, unknown>;
  if (typeof frame["t"] !== "string") throw new FrameError("a frame without a type");
  return frame as Frame;
}

/**
 * Why a frame is refused, as the end of a sentence. Who sends what somebody else made looks first,
 * and says whose it is: at the other end it is the sender's.
 */
// Not recursive: depth is the sender's to choose until it is judged here.
export function flawOf(root: unknown): string | undefined {
  const waiting: [value: unknown, depth: number][] = [[root, 0]];
  let seen = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [value, depth] = next;
    if (++seen > VALUES_MAX) return `holds too many values (more than ${VALUES_MAX})`;
    if (value === null || typeof value !== "object") continue;
    if (depth >= DEPTH_MAX) return "is nested too deep (more than 60 levels)";
    const named = Array.isArray(value)
      ? undefined
      : Object.keys(value).find((key) => PROTOTYPE_KEYS.has(key));
    if (named !== undefined) return `has a key ${named}, which names a prototype`;
    for (const inner of Object.values(value)) waiting.push([inner, depth + 1]);
  }
  return undefined;
}
