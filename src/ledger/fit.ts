// The cap of a line. Arguments and result have caps of their own; this is for what else a token,
// an API or an operator can make long. A line is never dropped: what is too long is named.
import type { LedgerRecord } from "./record.ts";
import type { Truncated } from "./seal.ts";
import { textOf } from "./weigh.ts";

/** With the head that the log puts before each record. */
export const LINE_BYTES_MAX = 65_536;
const HEAD_BYTES_MAX = 256;
// What an auditor misses least goes first; who, what tool and how it ended always stay.
const CUT_IN_THIS_ORDER = ["result", "args", "detail", "downstream", "roles", "actor_chain"];
const CUT_LAST = ["target", "client_id", "user"];
const CUT_FROM_BYTES = 512;

/** The record itself where it fits; else one in which the longest parts are sizes and digests. */
export function fitLine<R extends LedgerRecord>(
  record: R,
  digest: (value: unknown) => string,
  line_bytes_max = LINE_BYTES_MAX,
): R {
  const bytes_max = line_bytes_max - HEAD_BYTES_MAX;
  let bytes = sizeOf(record);
  if (bytes <= bytes_max) return record;
  const cut: Record<string, unknown> = { ...record };
  for (const name of [...CUT_IN_THIS_ORDER, ...CUT_LAST]) {
    const value = cut[name];
    if (value === undefined || sizeOf(value) < CUT_FROM_BYTES) continue;
    const marker = markerOf(value, digest);
    bytes -= sizeOf(value) - sizeOf(marker);
    cut[name] = marker;
    if (bytes <= bytes_max) break;
  }
  return cut as unknown as R;
}

// Of the same kind as what it stands for, so that whoever reads lists or text still can.
function markerOf(value: unknown, digest: (value: unknown) => string): unknown {
  const bytes = Buffer.byteLength(textOf(value));
  const marker: Truncated = { truncated: true, bytes, digest: digest(value) };
  if (typeof value === "string") return `(truncated: ${bytes} bytes, ${marker.digest})`;
  return Array.isArray(value) ? [marker] : marker;
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
