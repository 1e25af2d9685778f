// Lines on their way to the disk together, one after the other in one buffer: one write takes them.
import { hash } from "node:crypto";
import type { Tail } from "./segments.ts";

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

interface Waiting extends Waiter {
  readonly seq: number;
  readonly hash: string;
  /** Of its line in the batch's bytes, with the newline. */
  readonly start: number;
  readonly end: number;
}

const ROOM_BYTES = 65_536;
const ROOM_KEPT_BYTES_MAX = 4_194_304;
// Of UTF-8, for one of JavaScript's characters.
const CHAR_BYTES_MAX = 3;
const NEWLINE = 0x0a;

export class Batch {
  private buffer: Buffer;
  private readonly waiting: Waiting[] = [];

  /** `room`: of a batch that nobody looks at any more. */
  constructor(room: Buffer = Buffer.allocUnsafeSlow(ROOM_BYTES)) {
    this.buffer = room;
  }

  get length(): number {
    return this.waiting.length;
  }

  get first_seq(): number {
    return this.waiting[0]?.seq ?? 0;
  }

  /** Number and hash of the last line; of an empty batch there are none. */
  get end(): Pick<Tail, "seq" | "hash"> {
    return this.waiting.at(-1) ?? { seq: 0, hash: "" };
  }

  /** All lines, each with its newline. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.size);
  }

  /** Each line, without its newline. */
  get lines(): Buffer[] {
    return this.waiting.map(({ start, end }) => this.buffer.subarray(start, end - 1));
  }

  /** For another batch, once this one's bytes are written and told of. */
  get room(): Buffer | undefined {
    return this.buffer.length > ROOM_KEPT_BYTES_MAX ? undefined : this.buffer;
  }

  /** The waiter is told with the whole batch. */
  add(seq: number, line: string, { resolve, reject }: Waiter): Pick<Tail, "seq" | "hash"> {
    const start = this.size;
    this.makeRoom(start + line.length * CHAR_BYTES_MAX + 1);
    const newline = start + this.buffer.write(line, start);
    this.buffer[newline] = NEWLINE;
    const bytes = this.buffer.subarray(start, newline);
    const added = { seq, hash: hash("sha256", bytes, "hex"), start, end: newline + 1 };
    this.waiting.push({ ...added, resolve, reject });
    return added;
  }

  resolve(): void {
    for (const waiting of this.waiting) waiting.resolve();
  }

  reject(why: Error): void {
    for (const waiting of this.waiting) waiting.reject(why);
  }

  private get size(): number {
    return this.waiting.at(-1)?.end ?? 0;
  }

  private makeRoom(size: number): void {
    if (size <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * size);
    this.bytes.copy(larger);
    this.buffer = larger;
  }
}
