// doorless before APIs that are their OpenAPI documents: the tools are what `tools import openapi`
// made of them, as somebody approved them without another word.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { loadCatalog } from "../../src/catalog/load.ts";
import type { DeclarativeTool } from "../../src/catalog/definition.ts";
import { parseGiven } from "../../src/cli/verb.ts";
import { toolsImportOpenapi } from "../../src/cli/tools-import.ts";
import { openApiStub } from "./api-stub/server.ts";
import type { ApiStub, Seen } from "./api-stub/server.ts";
import { approveTools } from "./approved.ts";
import { openBoundary } from "./boundary.ts";
import type { Boundary } from "./boundary.ts";
import { callTool } from "./mcp-post.ts";
import type { Called } from "./mcp-post.ts";
import { FOLDER } from "./openapi-corpus.ts";

interface ImportedApi {
  readonly stub: ApiStub;
  readonly tools: readonly DeclarativeTool[];
}

export interface ImportedApis {
  readonly apis: ReadonlyMap<string, ImportedApi>;
  call(api: ImportedApi, tool: DeclarativeTool, args: unknown): Promise<Done>;
  close(): Promise<void>;
}

export interface Done extends Called {
  /** What the API received of it. */
  readonly seen: readonly Seen[];
}

/** Of each document, operations chosen from all those that it has. */
export async function openImported(
  documents: readonly string[],
  choose: (keys: readonly string[]) => readonly string[],
): Promise<ImportedApis> {
  const folder = mkdtempSync(join(tmpdir(), "doorless-imported-"));
  const stubs = new Map<string, ApiStub>();
  const undo = async (): Promise<void> => {
    await Promise.all([...stubs.values()].map((stub) => stub.close()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    for (const [i, name] of documents.entries()) {
      const file = join(FOLDER, name);
      const stub = await openApiStub(file);
      stubs.set(`api${i}`, stub);
      await imported(
        file,
        `api${i}`,
        folder,
        choose(stub.document.operations.map(({ key }) => key)),
      );
    }
    const boundary = await openBefore(stubs, folder);
    const all = [...loadCatalog(folder).tools.values()].filter(
      (tool) => tool.kind === "declarative",
    );
    const apis = [...stubs].map(([connector, stub], i): [string, ImportedApi] => {
      const tools = all.filter((tool) => tool.connector.name === connector);
      return [documents[i] ?? "", { stub, tools }];
    });
    const token = await boundary.token("desk");
    return {
      apis: new Map(apis),
      async call({ stub }, tool, args) {
        const called = await callTool(
          `${boundary.url}/mcp/desk`,
          `Bearer ${token}`,
          tool.name,
          args,
        );
        return { ...called, seen: stub.taken() };
      },
      async close() {
        await boundary.close();
        await undo();
      },
    };
  } catch (error) {
    await undo();
    throw error;
  }
}

/** The verb itself; then each draft is taken as it is. */
async function imported(file: string, connector: string, folder: string, keys: readonly string[]) {
  const named = keys.flatMap((key) => ["--operation", key]);
  const words = [file, "--connector", connector, "--tools", folder, ...named, "--json"];
  const written = process.stdout.write.bind(process.stdout);
  // What it prints is of other tests.
  process.stdout.write = () => true;
  try {
    expect(await toolsImportOpenapi.run(parseGiven(toolsImportOpenapi, words))).toBe(0);
  } finally {
    process.stdout.write = written;
  }
  for (const name of readdirSync(join(folder, connector))) {
    if (!name.endsWith(".tool.yaml")) continue;
    const path = join(folder, connector, name);
    writeFileSync(path, readFileSync(path, "utf8").replace("status: draft\n", ""));
  }
}

async function openBefore(stubs: ReadonlyMap<string, ApiStub>, folder: string): Promise<Boundary> {
  await approveTools(folder);
  const names = [...loadCatalog(folder).tools.keys()];
  const tools = Object.fromEntries(names.map((name) => [name, {}]));
  const connectors = [...stubs].map(([name, { origin }]) => {
    const delegation = { kind: "exchange", resource: `https://api.test/${name}` };
    return [name, { origin, allow_private_addresses: true, delegation }];
  });
  return openBoundary({
    world: {
      tools: [],
      agents: { desk: { title: "Desk", purpose: "x", tokens: { audience: "own" }, tools } },
    },
    file: {
      tools: folder,
      connectors: Object.fromEntries(connectors),
      delegation: { reuse_ms_max: 10_000 },
    },
  });
}
