// The contract that a tool was made for: the slice of its API, in a file beside it. What it says is
// approved together with the tool.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { hashesOf } from "../contract/slice.ts";
import type { Slice, SliceHashes } from "../contract/slice.ts";
import { digestOf, fingerprint } from "../kernel/ids.ts";
import { decodeUtf8, parseJson, pointerTo } from "../kernel/json.ts";
import type { Complain } from "./complain.ts";
import { toUpstreamPin, upstreamPinSchema } from "./upstream/pin.ts";

const FILE_LIMITS = { depth_max: 1000, keys_max: 1_000_000 };
const FILE_BYTES_MAX = 8_388_608;

export interface PinHashes extends SliceHashes {
  /** Of the address from which its next state is fetched. */
  readonly source: string;
}

export interface Pin {
  readonly slice: Slice;
  readonly hashes: PinHashes;
}

// Its frame; what a schema of it may say, the reader of schemas has seen to.
const objects = z.record(z.string(), z.looseObject({}));
const sliceSchema = z.looseObject({
  format: z.literal(1),
  source: z.looseObject({ from: z.string(), sha256: z.string() }),
  operation: z.string(),
  server: z.array(z.string()),
  security: z.array(z.array(z.looseObject({}))),
  request: z.looseObject({ parameters: z.array(z.looseObject({})), $defs: objects }),
  response: z.looseObject({ statuses: objects, $defs: objects }),
});

/** Where a tool's contract is pinned, in its connector's folder. */
export function pinFile(folder: string, tool: string): string {
  return join(folder, "contract", `${tool}.json`);
}

/** What `file` pins; nothing where there is none, or where `complain` heard what is wrong. */
type PinReader<P> = (file: string, complain: Complain) => P | undefined;

const KNOWN_MAX = 1000;

// Hashing a large one takes a tenth of a second, and each change of the policy reads all of them.
function reader<T, P>(schema: z.ZodType<T>, pinOf: (said: T) => P): PinReader<P> {
  const known = new Map<string, P>();
  const mend = "restore it from your repository, or have it written anew";
  return (file, complain) => {
    if (!existsSync(file)) return undefined;
    try {
      const bytes = readFileSync(file);
      if (bytes.length > FILE_BYTES_MAX) throw new Error(`larger than ${FILE_BYTES_MAX} bytes`);
      const text = decodeUtf8(bytes);
      const key = digestOf(text);
      const before = known.get(key);
      if (before !== undefined) return before;
      const parsed = schema.safeParse(parseJson(text, FILE_LIMITS));
      if (parsed.success) {
        const pin = pinOf(parsed.data);
        if (known.size < KNOWN_MAX) known.set(key, pin);
        return pin;
      }
      for (const { path, message } of parsed.error.issues) {
        complain(path.map(String).reduce(pointerTo, ""), message, mend);
      }
    } catch (error) {
      complain("", `is no contract: ${(error as Error).message}`, mend);
    }
    return undefined;
  };
}

/** Of a tool that is an operation of an API. */
export const readPin = reader(sliceSchema, (said) => {
  const slice = said as unknown as Slice;
  const source = fingerprint(slice.source.from);
  return Object.freeze({ slice, hashes: { ...hashesOf(slice), source } });
});

/** Of a tool of an MCP server. */
export const readUpstreamPin = reader(upstreamPinSchema, toUpstreamPin);
