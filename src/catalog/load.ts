// Reads the catalogue's folder once: every mistake in it is found, and any stops the start.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { CORE_SCHEMA, load as parseYaml } from "js-yaml";
import type { z } from "zod";
import { decodeUtf8, pointerTo } from "../kernel/json.ts";
import { ConfigError } from "../config/problem.ts";
import type { Problem } from "../config/problem.ts";
import { buildTool } from "./build.ts";
import type { Catalog, Connector, ToolDefinition } from "./definition.ts";
import { connectorFileSchema, toolFileSchema } from "./tool-file.ts";

const FILE_BYTES_MAX = 262_144;

export interface CatalogOptions {
  /** True only for a tool's author on loopback (`start --watch`): drafts are tools as well. */
  readonly drafts: boolean;
}

/** Loads `tools/<connector>/{connector.yaml,*.tool.yaml}`, or throws `ConfigError`. */
export function loadCatalog(folder: string, options: CatalogOptions = { drafts: false }): Catalog {
  const problems: Problem[] = [];
  const tools = new Map<string, ToolDefinition>();
  const drafts: string[] = [];
  for (const name of folders(folder, problems)) {
    const connector = readConnector(join(folder, name), name, problems);
    if (connector === undefined) continue;
    for (const file of toolFiles(join(folder, name), problems)) {
      const found = readTool(file, connector, options, problems);
      if (found === undefined) continue;
      if (typeof found === "string") drafts.push(found);
      else if (tools.has(found.name)) {
        problems.push(problem(file, "/name", "two tools have this name", "rename one"));
      } else tools.set(found.name, found);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return Object.freeze({ tools, drafts: Object.freeze(drafts.toSorted()) });
}

function problem(file: string, pointer: string, message: string, mend: string): Problem {
  return { file, pointer, message, mend };
}

function folders(folder: string, problems: Problem[]): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .toSorted();
  } catch (error) {
    const mend = 'create it, or name another with "tools" in mcp.config.json';
    problems.push(problem(folder, "", `cannot be read: ${(error as Error).message}`, mend));
    return [];
  }
}

function toolFiles(folder: string, problems: Problem[]): string[] {
  const files = readdirSync(folder).toSorted();
  for (const file of files.filter((name) => name.endsWith(".tool.ts"))) {
    const mend = "write it as a *.tool.yaml; isolation.code_tools is none";
    problems.push(problem(join(folder, file), "", "code tools are not loaded", mend));
  }
  return files.filter((name) => name.endsWith(".tool.yaml")).map((name) => join(folder, name));
}

function readConnector(folder: string, name: string, problems: Problem[]): Connector | undefined {
  const file = join(folder, "connector.yaml");
  const parsed = readYaml(file, connectorFileSchema, problems);
  if (parsed === undefined) return undefined;
  if (parsed.connector !== name) {
    problems.push(problem(file, "/connector", "is not the folder's name", `write ${name}`));
  }
  return Object.freeze({
    name,
    title: parsed.title,
    request_id_header: parsed.request_id_header,
    idempotency_header: parsed.idempotency_header,
    headers: Object.freeze(parsed.headers),
  });
}

// A draft is only a name: whatever else is in it has no way in.
function readTool(
  file: string,
  connector: Connector,
  options: CatalogOptions,
  problems: Problem[],
): ToolDefinition | string | undefined {
  const parsed = readYaml(file, toolFileSchema, problems);
  if (parsed === undefined) return undefined;
  if (parsed.name !== basename(file, ".tool.yaml")) {
    problems.push(problem(file, "/name", "is not the file's name", "rename one of them"));
  }
  if (parsed.status === "draft" && !options.drafts) return parsed.name;
  const before = problems.length;
  const tool = buildTool(parsed, connector, (pointer, message, mend) => {
    problems.push(problem(file, pointer, message, mend));
  });
  return problems.length > before ? undefined : tool;
}

function readYaml<T>(file: string, schema: z.ZodType<T>, problems: Problem[]): T | undefined {
  let value: unknown;
  try {
    const bytes = readFileSync(file);
    if (bytes.length > FILE_BYTES_MAX) throw new Error(`larger than ${FILE_BYTES_MAX} bytes`);
    value = parseYaml(decodeUtf8(bytes), { schema: CORE_SCHEMA });
  } catch (error) {
    problems.push(problem(file, "", (error as Error).message, "the file must be valid YAML 1.2"));
    return undefined;
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const pointer = issue.path.map(String).reduce(pointerTo, "");
    const keys = issue.code === "unrecognized_keys" ? ` (${issue.keys.join(", ")})` : "";
    const mend = "see the README, section on tool files";
    problems.push(problem(file, pointer, `${issue.message}${keys}`, mend));
  }
  return undefined;
}
