// tools.lock.json: what a human has approved, each tool as it was then. A record of who changed
// what, to be reviewed like the rest of a repository; it is signed by nobody (ADR 17).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ConfigError } from "../config/problem.ts";
import type { Problem } from "../config/problem.ts";
import { fingerprint } from "../kernel/ids.ts";
import { decodeUtf8, JsonError, parseJson, parseJsonDocument, pointerTo } from "../kernel/json.ts";
import { own } from "../kernel/own.ts";
import { replaceFile } from "../store/replace-file.ts";
import type { Catalog, ToolDefinition } from "./definition.ts";
import { differences } from "./difference.ts";
import type { UpstreamHashes } from "../contract/upstream.ts";
import type { PinHashes } from "./pin.ts";

export const LOCK_FILE = "tools.lock.json";
const FILE_LIMITS = { depth_max: 64, keys_max: 2_000_000 };

const HASH = z.string().regex(/^sha256:[0-9a-f]{64}$/, "sha256: and 64 hexadecimal digits");

const entrySchema = z.strictObject({
  definition: HASH,
  // Of the contract that was pinned then, where one was.
  contract: z
    .union([
      z.strictObject({ request: HASH, response: HASH, server: HASH, security: HASH, source: HASH }),
      z.strictObject({ definition: HASH, endpoint: HASH }),
    ])
    .optional(),
  // Changes of the contract that somebody has looked at, by their fingerprints.
  accepted: z.array(z.string().regex(/^[0-9a-f]{12}$/, "12 hexadecimal digits")).optional(),
  approved: z.strictObject({ by: z.string().min(1), at: z.iso.datetime() }),
  // Its meaning then: by it the next approval shows what is different.
  as: z.record(z.string(), z.unknown()),
});

const lockSchema = z.strictObject({
  $schema: z.string().optional(),
  lockfileVersion: z.literal(1),
  tools: z.record(z.string(), entrySchema),
});

export type LockEntry = z.infer<typeof entrySchema>;

export interface Lock {
  readonly file: string;
  /** False where there is no such file: nothing is approved then. */
  readonly exists: boolean;
  readonly tools: Readonly<Record<string, LockEntry>>;
}

/** The lock of a tools folder. Throws `ConfigError` where it is there and cannot be understood. */
export function readLock(folder: string): Lock {
  const file = join(folder, LOCK_FILE);
  try {
    const text = decodeUtf8(readFileSync(file));
    const parsed = lockSchema.safeParse(parseJson(text, FILE_LIMITS));
    if (parsed.success) return { file, exists: true, tools: parsed.data.tools };
    // Where each value stands costs more than all the rest, and is only asked for here.
    const document = parseJsonDocument(text, FILE_LIMITS);
    throw new ConfigError(
      parsed.error.issues.map(({ path, message }) => {
        const pointer = path.map(String).reduce(pointerTo, "");
        return damaged(file, pointer, message, document.at(pointer).line);
      }),
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      return { file, exists: false, tools: {} };
    }
    if (error instanceof ConfigError) throw error;
    const line = error instanceof JsonError ? error.position.line : undefined;
    throw new ConfigError([damaged(file, "", (error as Error).message, line)]);
  }
}

function damaged(file: string, pointer: string, message: string, line?: number): Problem {
  const mend =
    "restore it from your repository; or remove it, and approve the tools anew with " +
    "`doorless tools approve`";
  return { file, pointer, message, mend, ...(line === undefined ? {} : { line }) };
}

export function lockEntry(tool: ToolDefinition, by: string, now_ms: number): LockEntry {
  const at = new Date(now_ms).toISOString();
  const contract = pinnedOf(tool);
  const pinned = contract === undefined ? {} : { contract };
  return { definition: tool.hash, ...pinned, approved: { by, at }, as: tool.meaning };
}

/** The hashes of a tool's contract, where it has one. */
export function pinnedOf(tool: ToolDefinition): PinHashes | UpstreamHashes | undefined {
  return tool.kind === "declarative" || tool.kind === "upstream" ? tool.pin?.hashes : undefined;
}

/** What of a tool is not what the entry says, place by place. */
export function changesSince({ as, contract }: LockEntry, tool: ToolDefinition) {
  return [
    ...differences(as, tool.meaning),
    ...differences({ contract: { ...contract } }, { contract: { ...pinnedOf(tool) } }),
  ];
}

/** All of it anew, or nothing: a tool a line block, by name, so that two approvals merge. */
export function writeLock({ file }: Lock, tools: Readonly<Record<string, LockEntry>>): void {
  const byName = Object.entries(tools).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify({ lockfileVersion: 1, tools: Object.fromEntries(byName) }, null, 2);
  replaceFile(file, `${text}\n`, 0o644);
}

/** What was approved of this tool, where the lock still says it and nobody has put in another. */
export function approvedAs(lock: Lock, tool: string): LockEntry | undefined {
  const entry = own(lock.tools, tool);
  return entry !== undefined && fingerprint(entry.as) === entry.definition ? entry : undefined;
}

export interface Mismatch {
  readonly tool: string;
  readonly kind: "unapproved" | "changed" | "contract" | "gone";
  readonly why: string;
}

/** Every way in which the folder is not what the lock says. */
export function compareWithLock(catalog: Catalog, lock: Lock): readonly Mismatch[] {
  const waiting = [...catalog.tools.values()].flatMap((tool): Mismatch[] => {
    const { name } = tool;
    // The one that is built in comes with this version of doorless.
    if (tool.kind === "generated") return [];
    const entry = own(lock.tools, name);
    if (entry === undefined) {
      return [{ tool: name, kind: "unapproved", why: "nobody has approved it" }];
    }
    const { by, at } = entry.approved;
    if (entry.definition !== tool.hash) {
      return [{ tool: name, kind: "changed", why: `it is not what ${by} approved at ${at}` }];
    }
    const parts = differences({ ...entry.contract }, { ...pinnedOf(tool) });
    if (parts.length === 0) return [];
    const named = parts.map(({ pointer }) => pointer.slice(1)).join(", ");
    const why = `its contract is not what ${by} approved at ${at}: ${named}`;
    return [{ tool: name, kind: "contract", why }];
  });
  const gone = Object.keys(lock.tools).flatMap((name): Mismatch[] => {
    if (catalog.tools.has(name) || catalog.absent.has(name)) return [];
    const why = catalog.drafts.includes(name) ? "it is only a draft now" : "its file is gone";
    return [{ tool: name, kind: "gone", why }];
  });
  return [...waiting, ...gone].toSorted((a, b) => (a.tool < b.tool ? -1 : 1));
}

/** The catalogue in force: what does not match the lock is absent, except for its author. */
export function withLock(catalog: Catalog, lock: Lock, for_author: boolean): Catalog {
  const waiting = compareWithLock(catalog, lock).filter(({ kind }) => kind !== "gone");
  const unapproved = new Map(
    waiting.map(({ tool, why }) => [tool, `${why} (\`doorless tools approve ${tool}\` shows it)`]),
  );
  if (for_author) return Object.freeze({ ...catalog, unapproved });
  const tools = new Map([...catalog.tools].filter(([name]) => !unapproved.has(name)));
  const absent = new Map([...catalog.absent, ...unapproved]);
  return Object.freeze({ ...catalog, tools, absent, unapproved });
}
