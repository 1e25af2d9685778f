// The catalogue's folder as the import finds it, and what it writes there: never over a file that
// is there already, because that one is a human's.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { basename, join } from "node:path";
import { CORE_SCHEMA, load as parseYaml } from "js-yaml";
import { pointerTo } from "../../kernel/json.ts";
import { ConfigError } from "../../config/problem.ts";
import { toConnector } from "../load.ts";
import type { Connector } from "../definition.ts";
import { connectorFileSchema } from "../tool-file.ts";
import { isJson, textAt } from "./read.ts";
import type { Json } from "./read.ts";

const SUFFIX = /\.tool\.(?:yaml|ts)$/;
const DIFFERENCES_MAX = 20;

/** Tools that are there: a name -> the operation that it is, where its file says so. */
export interface Present {
  readonly names: ReadonlyMap<string, string | undefined>;
  /** Names of this connector's tools, by operation. */
  readonly own: ReadonlyMap<string, string>;
}

/** Looks at every connector's folder: a tool's name is unique in the catalogue. */
export function presentTools(folder: string, connector: string): Present {
  const names = new Map<string, string | undefined>();
  const own = new Map<string, string>();
  if (!existsSync(folder)) return { names, own };
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    for (const file of readdirSync(join(folder, entry.name))) {
      if (!SUFFIX.test(file)) continue;
      const operation = operationIn(join(folder, entry.name, file));
      const name = basename(file).replace(SUFFIX, "");
      names.set(name, operation);
      if (operation !== undefined && entry.name === connector) own.set(bare(operation), name);
    }
  }
  return { names, own };
}

/** An operation whatever its path parameters are called. */
export function bare(operation: string): string {
  return operation.replaceAll(/\{[^{}]*\}/g, "{}");
}

function operationIn(file: string): string | undefined {
  const tree = file.endsWith(".yaml") ? readTree(file) : undefined;
  if (tree === undefined) return undefined;
  const upstream = textAt(tree, "upstream");
  return upstream === undefined ? textAt(tree, "operation") : mcpKey(upstream);
}

/** A tool of an MCP server where others have an operation. */
export function mcpKey(upstream: string): string {
  return `MCP ${upstream}`;
}

// A file that cannot be read is the loader's to complain of; here it is only in the way.
function readTree(file: string): Json | undefined {
  try {
    const tree = parseYaml(readFileSync(file, "utf8"), { schema: CORE_SCHEMA });
    return isJson(tree) ? tree : undefined;
  } catch {
    return undefined;
  }
}

/** The connector that is there, or `undefined` where its file is still to be written. */
export function presentConnector(folder: string, name: string): Connector | undefined {
  const file = join(folder, name, "connector.yaml");
  if (!existsSync(file)) return undefined;
  const parsed = connectorFileSchema.safeParse(readTree(file));
  if (parsed.success) return toConnector(name, parsed.data);
  const message = "is not a connector's file";
  const mend = "mend it, or name another connector";
  throw new ConfigError([{ file, pointer: "", message, mend }]);
}

export type Written =
  | { readonly state: "written" | "same" }
  | { readonly state: "differs"; readonly differences: readonly string[] };

/** Writes `text` where nothing is; where something is, says how it differs from `proposed`. */
export function writeNew(file: string, text: string, proposed: Json): Written {
  try {
    writeFileSync(file, text, { flag: "wx" });
    return { state: "written" };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const there = readTree(file);
  if (there === undefined) return { state: "differs", differences: ["it cannot be read as YAML"] };
  const differences: string[] = [];
  compare(there, proposed, "", differences);
  if (differences.length === 0) return { state: "same" };
  const more = differences.length - DIFFERENCES_MAX;
  const first = differences.slice(0, DIFFERENCES_MAX);
  return { state: "differs", differences: more > 0 ? [...first, `and ${more} more`] : first };
}

function compare(there: unknown, proposed: unknown, at: string, found: string[]): void {
  if (isDeepStrictEqual(there, proposed)) return;
  if (isJson(there) && isJson(proposed)) {
    for (const key of new Set([...Object.keys(there), ...Object.keys(proposed)])) {
      const [a, b] = [there, proposed].map((one) =>
        Object.hasOwn(one, key) ? one[key] : undefined,
      );
      compare(a, b, pointerTo(at, key), found);
    }
  } else found.push(`${at}: ${shown(there)} there, ${shown(proposed)} proposed`);
}

function shown(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** A folder of the catalogue, made where it is not. */
export function folderIn(folder: string, name: string): string {
  const own = join(folder, name);
  mkdirSync(own, { recursive: true });
  if (!lstatSync(own).isSymbolicLink()) return own;
  const message = "is a symbolic link";
  const mend = "put the folder itself there: what a link leads to can change behind it";
  throw new ConfigError([{ file: own, pointer: "", message, mend }]);
}
