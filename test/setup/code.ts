// Code tools for tests: their text, and a sandbox of one's own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/load.ts";
import { openSandbox } from "../../src/sandbox/sandbox.ts";
import type { Sandbox } from "../../src/sandbox/sandbox.ts";
import { minimalConfig, put } from "./minimal.ts";
import type { Json } from "./minimal.ts";

export interface ToolText {
  readonly head?: string;
  /** Lines of the definition that replace the usual ones, as source. */
  readonly change?: Readonly<Record<string, string | undefined>>;
  /** The body of `run`. */
  readonly run?: string;
}

/** The source of a tool that loads; `change` replaces a line, `undefined` takes it away. */
export function toolText(name: string, { head = "", change = {}, run }: ToolText = {}): string {
  const lines: Record<string, string | undefined> = {
    name: JSON.stringify(name),
    title: '"A tool"',
    description: '"Does what the test wants"',
    input: "z.object({ id: z.string().max(2000).optional().meta({ ledger: 'plain' }) })",
    output: "z.object({ value: z.string().max(100000) })",
    effects: "{ readOnly: true, destructive: false, idempotent: true, openWorld: false }",
    target: '"none"',
    uses: '["GET /items", "GET /items/{id}/card"]',
    scopes: '["items:read"]',
    limits: "{ timeout_ms: 3000, requests_max: 5 }",
    run: `async ({ input, api, signal, log }) => { ${run ?? 'return { value: "ok" };'} }`,
    ...change,
  };
  const written = Object.entries(lines).filter(([, text]) => text !== undefined);
  const body = written.map(([key, text]) => `  ${key}: ${text},`).join("\n");
  const imports = 'import { defineTool, z } from "doorless/tool";';
  return `${imports}\n${head}\nexport default defineTool({\n${body}\n});\n`;
}

export interface OwnSandbox {
  readonly sandbox: Sandbox;
  readonly config: Config;
  readonly folder: string;
  close(): Promise<void>;
}

/** A sandbox without a server; `changes` are of the isolation section. */
export async function openOwnSandbox(changes: Json = {}): Promise<OwnSandbox> {
  const folder = mkdtempSync(join(tmpdir(), "doorless-sandbox-"));
  const isolation = { code_tools: "process", run_code: "engine", ...changes };
  const file = minimalConfig({
    public_url: "http://127.0.0.1:8484",
    isolation: { workers_ready: 0, ...isolation },
  });
  const config = loadConfig(put(folder, "mcp.config.json", JSON.stringify(file)), {});
  const close = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const sandbox = await openSandbox(config, folder);
    if (sandbox === undefined) throw new Error("no level was asked for");
    return {
      sandbox,
      config,
      folder,
      async close() {
        await sandbox.close();
        close();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}
