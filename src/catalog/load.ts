// Reads the catalogue's folder once: every mistake in it is found, and any stops the start.
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CORE_SCHEMA, load as parseYaml } from "js-yaml";
import type { z } from "zod";
import { decodeUtf8, pointerTo } from "../kernel/json.ts";
import { ConfigError } from "../config/problem.ts";
import type { Problem } from "../config/problem.ts";
import { buildTool } from "./build.ts";
import { buildUpstreamTool } from "./upstream/build.ts";
import type { Complain } from "./complain.ts";
import type { Catalog, Connector, ToolDefinition } from "./definition.ts";
import { runCodeTool } from "./generated.ts";
import { buildCodeTool, CODE_SUFFIX, parseManifest, readCodeFile } from "./manifest.ts";
import type { ManifestRead, ManifestReader } from "./manifest.ts";
import { pinFile, readPin, readUpstreamPin } from "./pin.ts";
import { connectorFileSchema, toolFileSchema, upstreamFileSchema } from "./tool-file.ts";
import type { ToolFile, UpstreamFile } from "./tool-file.ts";

const FILE_BYTES_MAX = 262_144;

export interface CatalogOptions {
  /** True only for a tool's author on loopback (`start --watch`): drafts are tools as well. */
  readonly drafts: boolean;
  /** What a worker read out of the code tools, by file; without it there are no code tools. */
  readonly manifests?: ReadonlyMap<string, ManifestRead>;
  /** How long `run_code` may take; without it there is no such tool. */
  readonly run_code_timeout_ms?: number;
}

const NO_CODE = "isolation.code_tools is none: this deployment runs no tool code";
const NO_RUN_CODE = "isolation.run_code is none: this deployment runs no generated code";

/**
 * What a worker says of each code tool of the folder. A file that cannot be read as one is left to
 * `loadCatalog`, which says so together with every other mistake.
 */
export async function readManifests(
  folder: string,
  reader: ManifestReader,
): Promise<ReadonlyMap<string, ManifestRead>> {
  const files = folders(folder, []).flatMap((name) => filesIn(join(folder, name), CODE_SUFFIX));
  const read = async (file: string): Promise<ManifestRead> => {
    try {
      return await reader(readCodeFile(file));
    } catch (error) {
      return { failure: (error as Error).message };
    }
  };
  return new Map(await Promise.all(files.map(async (file) => [file, await read(file)] as const)));
}

/** Loads `tools/<connector>/{connector.yaml,*.tool.yaml}`, or throws `ConfigError`. */
export function loadCatalog(folder: string, options: CatalogOptions = { drafts: false }): Catalog {
  const problems: Problem[] = [];
  const tools = new Map<string, ToolDefinition>();
  const toolsets = new Set<string>();
  const drafts: string[] = [];
  const absent = new Map<string, string>();
  const { run_code_timeout_ms } = options;
  if (run_code_timeout_ms === undefined) absent.set("run_code", NO_RUN_CODE);
  else tools.set("run_code", runCodeTool(run_code_timeout_ms));
  for (const name of folders(folder, problems)) {
    const connector = readConnector(join(folder, name), name, problems);
    if (connector === undefined) continue;
    toolsets.add(name);
    for (const file of filesIn(join(folder, name), ".tool.yaml", CODE_SUFFIX)) {
      if (file.endsWith(CODE_SUFFIX) && options.manifests === undefined) {
        absent.set(basename(file, CODE_SUFFIX), NO_CODE);
        continue;
      }
      const read = file.endsWith(CODE_SUFFIX) ? readCode : readTool;
      const found = read(file, connector, options, problems);
      if (found === undefined) continue;
      if (typeof found === "string") drafts.push(found);
      else if (tools.has(found.name)) {
        problems.push(problem(file, "/name", "two tools have this name", "rename one"));
      } else tools.set(found.name, found);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze({
    tools,
    toolsets,
    drafts: Object.freeze(drafts.toSorted()),
    absent,
    unapproved: new Map(),
  });
}

function problem(file: string, pointer: string, message: string, mend: string): Problem {
  return { file, pointer, message, mend };
}

function folders(folder: string, problems: Problem[]): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    for (const { name } of entries.filter((entry) => entry.isSymbolicLink())) {
      const mend = "put the folder itself there: what a link leads to can change behind it";
      problems.push(problem(join(folder, name), "", "is a symbolic link", mend));
    }
    return entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .toSorted();
  } catch (error) {
    const mend = 'create it, or name another with "tools" in mcp.config.json';
    problems.push(problem(folder, "", `cannot be read: ${(error as Error).message}`, mend));
    return [];
  }
}

function filesIn(folder: string, ...suffixes: string[]): string[] {
  const names = readdirSync(folder).filter((name) => suffixes.some((one) => name.endsWith(one)));
  return names.toSorted().map((name) => join(folder, name));
}

function readConnector(folder: string, name: string, problems: Problem[]): Connector | undefined {
  const file = join(folder, "connector.yaml");
  const parsed = readYaml(file, connectorFileSchema, problems);
  if (parsed === undefined) return undefined;
  if (parsed.connector !== name) {
    problems.push(problem(file, "/connector", "is not the folder's name", `write ${name}`));
  }
  return toConnector(name, parsed);
}

/** A connector as its file describes it. */
export function toConnector(name: string, file: z.infer<typeof connectorFileSchema>): Connector {
  return Object.freeze({
    name,
    title: file.title,
    request_id_header: file.request_id_header,
    idempotency_header: file.idempotency_header,
    headers: Object.freeze(file.headers),
  });
}

// A draft is only a name: whatever else is in it has no way in.
function readTool(
  file: string,
  connector: Connector,
  options: CatalogOptions,
  problems: Problem[],
): ToolDefinition | string | undefined {
  const tree = readTree(file, problems);
  if (tree === undefined) return undefined;
  const parsed = isUpstream(tree.value)
    ? checked(file, tree.value, upstreamFileSchema, problems)
    : checked(file, tree.value, toolFileSchema, problems);
  if (parsed === undefined) return undefined;
  if (parsed.name !== basename(file, ".tool.yaml")) {
    problems.push(problem(file, "/name", "is not the file's name", "rename one of them"));
  }
  if (parsed.status === "draft" && !options.drafts) return parsed.name;
  const before = problems.length;
  const tool =
    "upstream" in parsed
      ? readUpstream(file, parsed, connector, problems)
      : readOperation(file, parsed, connector, problems);
  return problems.length > before ? undefined : tool;
}

function isUpstream(tree: unknown): boolean {
  return tree !== null && typeof tree === "object" && Object.hasOwn(tree, "upstream");
}

function readOperation(file: string, said: ToolFile, connector: Connector, problems: Problem[]) {
  const tool = buildTool(said, connector, complainOf(file, problems));
  const pinned = pinFile(dirname(file), said.name);
  const pin = readPin(pinned, complainOf(pinned, problems));
  return pin === undefined ? tool : Object.freeze({ ...tool, pin });
}

function readUpstream(file: string, said: UpstreamFile, connector: Connector, problems: Problem[]) {
  const pinned = pinFile(dirname(file), said.name);
  const before = problems.length;
  const pin = readUpstreamPin(pinned, complainOf(pinned, problems));
  if (pin !== undefined) {
    return buildUpstreamTool(said, pin, connector, complainOf(file, problems));
  }
  if (problems.length === before) problems.push(problem(pinned, "", "is not there", NO_PIN));
  return undefined;
}

function complainOf(file: string, problems: Problem[]): Complain {
  return (pointer, message, mend) => void problems.push(problem(file, pointer, message, mend));
}

const NO_PIN = "restore it from your repository, or import the tool again: it is what was approved";

function readCode(
  file: string,
  connector: Connector,
  { drafts, manifests }: CatalogOptions,
  problems: Problem[],
): ToolDefinition | string | undefined {
  const complain = (pointer: string, message: string, mend: string): void => {
    problems.push(problem(file, pointer, message, mend));
  };
  const read = manifests?.get(file) ?? { failure: "appeared while the folder was read" };
  if ("failure" in read) {
    complain("", read.failure, "see docs/tools-in-code.md");
    return undefined;
  }
  const before = problems.length;
  const manifest = parseManifest(read.manifest, complain);
  if (manifest === undefined) return undefined;
  if (manifest.name !== basename(file, CODE_SUFFIX)) {
    complain("/name", "is not the file's name", "rename one of them");
  }
  if (manifest.status === "draft" && !drafts) return manifest.name;
  const tool = buildCodeTool(manifest, read, connector, complain);
  return problems.length > before ? undefined : tool;
}

function readYaml<T>(file: string, schema: z.ZodType<T>, problems: Problem[]): T | undefined {
  const tree = readTree(file, problems);
  return tree === undefined ? undefined : checked(file, tree.value, schema, problems);
}

function readTree(file: string, problems: Problem[]): { readonly value: unknown } | undefined {
  try {
    const bytes = readFileSync(file);
    if (bytes.length > FILE_BYTES_MAX) throw new Error(`larger than ${FILE_BYTES_MAX} bytes`);
    return { value: parseYaml(decodeUtf8(bytes), { schema: CORE_SCHEMA }) };
  } catch (error) {
    problems.push(problem(file, "", (error as Error).message, "the file must be valid YAML 1.2"));
    return undefined;
  }
}

function checked<T>(
  file: string,
  value: unknown,
  schema: z.ZodType<T>,
  problems: Problem[],
): T | undefined {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const pointer = issue.path.map(String).reduce(pointerTo, "");
    const keys = issue.code === "unrecognized_keys" ? ` (${issue.keys.join(", ")})` : "";
    const mend = "see docs/tool-files.md";
    problems.push(problem(file, pointer, `${issue.message}${keys}`, mend));
  }
  return undefined;
}
