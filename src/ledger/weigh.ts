// What of a value may enter the ledger, and how many bytes it will take there: decided before
// anything is sealed, so that nothing is sealed only to be thrown away.
import type { Input } from "../catalog/definition.ts";
import type { Field, LedgerMark, Projection } from "../contract/projection.ts";
import { mismatches } from "../contract/schema.ts";
import { canonicalJson } from "../kernel/ids.ts";

const FIELD_BYTES_MAX = 2048;
const UNKNOWN_ARGUMENTS_MAX = 16;
const UNKNOWN_ARGUMENTS = "(unknown arguments)";

/** `{"truncated":true,"bytes":N,"digest":"hmac-sha256:…"}`, with as many digits as there can be. */
export const MARKER_BYTES = 26 + 16 + 11 + 55 + 2;
// {"sealed":"key_….","digest":"hmac-sha256:…","chars":n}, without what is between the points.
const SEALED_FRAME_BYTES = 11 + 21 + 12 + 55 + 10 + 8 + 1;
const IV_AND_TAG_BYTES = 28;

/** A value on its way into the ledger; `bytes` is what its JSON will take at most. */
export type Kept = Leaf | Group | List;

export interface Leaf {
  readonly kind: "plain" | "sealed" | "long";
  readonly value: unknown;
  readonly bytes: number;
}

export interface Group {
  readonly kind: "group";
  readonly entries: readonly Entry[];
  readonly bytes: number;
}

interface List {
  readonly kind: "list";
  readonly items: readonly Kept[];
  readonly bytes: number;
}

export type Entry = readonly [name: string, kept: Kept];

/** A string itself, anything else as JSON with sorted keys: what digests are made over. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : (canonicalJson(value) ?? "");
}

/** The text of what may be kept: of a container its JSON in the order of the tool's fields. */
export function keptText(kept: Kept): string {
  const value = valueOf(kept);
  return kept.kind === "group" || kept.kind === "list" ? JSON.stringify(value) : textOf(value);
}

/** The value again, without what was dropped. */
export function valueOf(kept: Kept): unknown {
  switch (kept.kind) {
    case "group":
      return Object.fromEntries(kept.entries.map(([name, inner]) => [name, valueOf(inner)]));
    case "list":
      return kept.items.map(valueOf);
    case "plain":
    case "sealed":
    case "long":
      return kept.value;
  }
}

export function keepValue(mark: LedgerMark, value: unknown): Leaf | undefined {
  if (mark === "drop" || value === undefined) return undefined;
  if (mark === "plain" && (value === null || typeof value !== "object")) {
    if (typeof value !== "string") return { kind: "plain", value, bytes: 24 };
  }
  const json_bytes = Buffer.byteLength(JSON.stringify(value));
  // Text is never longer than its JSON, so the cheaper question comes first.
  if (json_bytes > FIELD_BYTES_MAX && Buffer.byteLength(textOf(value)) > FIELD_BYTES_MAX) {
    return { kind: "long", value, bytes: MARKER_BYTES };
  }
  if (mark === "plain" && !hasOurNames(value)) return { kind: "plain", value, bytes: json_bytes };
  const letters = Math.ceil(((IV_AND_TAG_BYTES + json_bytes) * 4) / 3);
  return { kind: "sealed", value, bytes: SEALED_FRAME_BYTES + letters };
}

// An API's answer must not pass for something that we sealed, erased or cut.
function hasOurNames(value: unknown): boolean {
  if (value === null || typeof value !== "object") return false;
  if (Array.isArray(value)) return value.some(hasOurNames);
  return Object.entries(value).some(
    ([name, inner]) => ["sealed", "truncated", "erased"].includes(name) || hasOurNames(inner),
  );
}

/** The arguments that may be kept. Names that the tool does not have are counted, never named. */
export function keepArgs(
  inputs: ReadonlyMap<string, Input>,
  args: Readonly<Record<string, unknown>>,
): Group {
  const entries: Entry[] = [];
  let unknown = 0;
  for (const [name, value] of Object.entries(args)) {
    const input = inputs.get(name);
    if (input === undefined) {
      unknown++;
      continue;
    }
    // A readable field that does not fit its schema could hold anything: it is sealed.
    const readable = input.ledger === "plain" && mismatches(input.schema, value).length === 0;
    const kept = keepValue(input.ledger === "plain" && !readable ? "sealed" : input.ledger, value);
    if (kept !== undefined) entries.push([name, kept]);
  }
  if (unknown > 0) {
    const value = Math.min(unknown, UNKNOWN_ARGUMENTS_MAX);
    entries.push([UNKNOWN_ARGUMENTS, { kind: "plain", value, bytes: 2 }]);
  }
  return group(entries);
}

export function keepFields(
  projection: Projection,
  value: Readonly<Record<string, unknown>>,
): Group {
  const entries: Entry[] = [];
  for (const [name, field] of projection) {
    const kept = Object.hasOwn(value, name) ? keepField(field, value[name]) : undefined;
    if (kept !== undefined) entries.push([name, kept]);
  }
  return group(entries);
}

function keepField(field: Field, value: unknown): Kept | undefined {
  switch (field.kind) {
    case "value":
      return keepValue(field.ledger, value);
    case "object":
      return keepFields(field.fields, value as Record<string, unknown>);
    case "list": {
      const items = (value as Record<string, unknown>[]).map((i) => keepFields(field.items, i));
      return { kind: "list", items, bytes: 2 + sum(items.map(({ bytes }) => bytes + 1)) };
    }
  }
}

function group(entries: readonly Entry[]): Group {
  return { kind: "group", entries, bytes: 2 + sum(entries.map(entryBytes)) };
}

function entryBytes([name, { bytes }]: Entry): number {
  return nameBytes(name) + bytes;
}

/** `"name":` and the comma after the value. */
export function nameBytes(name: string): number {
  return Buffer.byteLength(JSON.stringify(name)) + 2;
}

export function sum(numbers: readonly number[]): number {
  let total = 0;
  for (const n of numbers) total += n;
  return total;
}
