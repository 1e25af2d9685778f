// Frames: hostile bytes are refused before they cost anything.
import { describe, expect } from "vitest";
import { encodeFrame, FrameError, FrameReader } from "../../../src/sandbox/frames.ts";
import { verifies } from "../../verifies.ts";

const BYTES_MAX = 1000;

function raw(text: string | Buffer, claimed?: number): Buffer {
  const body = Buffer.from(text);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(claimed ?? body.length);
  return Buffer.concat([head, body]);
}

describe("frames", () => {
  verifies("sandbox.frames", "frames come out as they went in, however the bytes are cut", () => {
    const frames = [
      { t: "a", text: "é\u{1f600}" },
      { t: "b", list: [1, null, { deep: true }] },
      { t: "c" },
    ];
    const bytes = Buffer.concat(frames.map(encodeFrame));
    for (const size of [1, 2, 3, 5, 7, 64, bytes.length]) {
      const reader = new FrameReader(BYTES_MAX);
      const read = [];
      for (let at = 0; at < bytes.length; at += size) {
        read.push(...reader.push(bytes.subarray(at, at + size)));
      }
      expect(read).toEqual(frames);
    }
  });

  const nested = (depth: number): string =>
    `{"t":"x","v":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  const HOSTILE: Readonly<Record<string, Buffer>> = {
    "a claim of four gigabytes": raw("", 0xffffffff),
    "one byte too many": raw("x".repeat(BYTES_MAX + 1)),
    "no JSON": raw("{"),
    "no UTF-8": raw(Buffer.from([0x22, 0xff, 0x22])),
    "a lone value": raw("7"),
    "a list": raw("[]"),
    "no type": raw("{}"),
    "a type that is no text": raw('{"t":1}'),
    "__proto__ as a key": raw('{"t":"x","v":{"__proto__":{"polluted":1}}}'),
    "__proto__ in escapes": raw('{"t":"x","\\u005f_proto__":1}'),
    "constructor as a key": raw('{"t":"x","v":[{"constructor":1}]}'),
    "prototype as a key": raw('{"t":"x","prototype":{}}'),
    "nesting without end": raw(nested(100)),
    "Node's own way to end a parent": raw('{"cmd":"NODE_HANDLE_NACK"}'),
  };
  for (const [what, bytes] of Object.entries(HOSTILE)) {
    verifies("sandbox.frames", `${what} is an error`, () => {
      expect(() => new FrameReader(BYTES_MAX).push(bytes)).toThrow(FrameError);
    });
  }

  verifies("sandbox.frames", "a claim that is too large fails before its bytes come", () => {
    const reader = new FrameReader(BYTES_MAX);
    expect(() => reader.push(raw("", BYTES_MAX + 1))).toThrow(/at most 1000/);
  });

  verifies("sandbox.frames", "a hundred thousand brackets overflow no stack", () => {
    const reader = new FrameReader(1_000_000);
    expect(() => reader.push(raw(nested(100_000)))).toThrow(/too deep/);
  });

  verifies("sandbox.frames", "a frame of very many small values is an error", () => {
    const reader = new FrameReader(10_000_000);
    const many = `{"t":"x","v":[${"0,".repeat(300_000)}0]}`;
    expect(() => reader.push(raw(many))).toThrow(/too many/);
  });
});
