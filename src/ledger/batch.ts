// Lines on their way to the disk together, one after the other in one buffer: one write takes them,
// and one promise tells all who wait for them.
import { hash } from "node:crypto";
import type { LedgerRecord, LineHead } from "./record.ts";
import type { Tail } from "./segments.ts";

const ROOM_BYTES = 65_536;
const ROOM_KEPT_BYTES_MAX = 4_194_304;
// Of UTF-8, for one of JavaScript's characters.
const CHAR_BYTES_MAX = 3;
const NEWLINE = 0x0a;
const COMMA = 0x2c;
const NONE = { seq: 0, hash: "" };

export class Batch {
  private buffer: Buffer;
  private first: number | undefined;
  private last: Pick<Tail, "seq" | "hash"> = NONE;
  /** Where in the buffer each line ends, after its newline. */
  private readonly ends: number[] = [];
  private readonly told = Promise.withResolvers<void>();

  /** `room`: of a batch that nobody looks at any more. */
  constructor(room: Buffer = Buffer.allocUnsafeSlow(ROOM_BYTES)) {
    this.buffer = room;
  }

  get length(): number {
    return this.ends.length;
  }

  get first_seq(): number {
    return this.first ?? 0;
  }

  /** Number and hash of the last line; of an empty batch there are none. */
  get end(): Pick<Tail, "seq" | "hash"> {
    return this.last;
  }

  /** All lines, each with its newline. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.size);
  }

  /** Each line, without its newline. */
  get lines(): Buffer[] {
    return this.ends.map((end, i) => this.buffer.subarray(this.ends[i - 1] ?? 0, end - 1));
  }

  /** For another batch, once this one's bytes are written and told of. */
  get room(): Buffer | undefined {
    return this.buffer.length > ROOM_KEPT_BYTES_MAX ? undefined : this.buffer;
  }

  /** Of every line in it: they become durable together, or none does. */
  get durable(): Promise<void> {
    return this.told.promise;
  }

  /** A record as a line, after those that are in it already. */
  add(head: LineHead, record: LedgerRecord): Pick<Tail, "seq" | "hash"> {
    const start = this.size;
    const before = beginningOf(head);
    const text = JSON.stringify(record);
    this.makeRoom(start + before.length + text.length * CHAR_BYTES_MAX + 1);
    const brace = start + this.buffer.write(before, start, "latin1");
    const newline = brace + this.buffer.write(text, brace);
    // One object of both: where the record's began, the head goes on.
    this.buffer[brace] = COMMA;
    this.buffer[newline] = NEWLINE;
    this.ends.push(newline + 1);
    this.first ??= head.seq;
    const bytes = this.buffer.subarray(start, newline);
    return (this.last = { seq: head.seq, hash: hash("sha256", bytes, "hex") });
  }

  resolve(): void {
    this.told.resolve();
  }

  reject(why: Error): void {
    // Of nobody's line it would be nobody's to hear.
    if (this.length > 0) this.told.reject(why);
  }

  private get size(): number {
    return this.ends.at(-1) ?? 0;
  }

  private makeRoom(size: number): void {
    if (size <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * size);
    this.bytes.copy(larger);
    this.buffer = larger;
  }
}

// As JSON.stringify would write it, without the brace at its end: none of it is ever escaped.
function beginningOf({ v, seq, prev, time }: LineHead): string {
  return `{"v":${v},"seq":${seq},"prev":"${prev}","time":"${time}"`;
}
