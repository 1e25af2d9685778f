// The smallest configuration and catalogue that load, in folders that go away with their test.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { loadCatalog } from "../../src/catalog/load.ts";
import type { Catalog } from "../../src/catalog/definition.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/problem.ts";
import type { Problem } from "../../src/config/problem.ts";
import type { Who } from "../../src/policy/who.ts";

export type Json = Record<string, unknown>;

/** Somebody with these roles, and nothing else to tell. */
export function withRoles(roles: readonly string[]): Who {
  return { roles, scopes: [], subject: "ada", tenant: undefined, issuer: "https://login.test" };
}

/** A folder that the running test may fill. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "doorless-unit-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function put(folder: string, name: string, text: string | Uint8Array): string {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

/** Nobody is asked whether a token is still good. */
const LIFETIME = { source: "token_lifetime", accepted: true } as const;
export const SHOP = {
  origin: "https://shop.test",
  delegation: { kind: "exchange", resource: "https://shop.test/api" },
};

/** One issuer, two agents, two roles, one connector; `changes` replace whole top-level keys. */
export function minimalConfig(changes: Json = {}): Json {
  const config = {
    public_url: "https://doors.test",
    // An anchor is of other tests.
    ledger: { without_anchor: "accepted" },
    listen: { host: "127.0.0.1", port: 8484 },
    issuers: { corp: { issuer: "https://login.test", claims: { roles: "/roles" } } },
    agents: {
      desk: { title: "Desk", purpose: "Read", tools: { item_get: {}, item_put: {} } },
      yard: { title: "Yard", purpose: "Write", tools: { item_put: { approve: "human" } } },
    },
    roles: { clerk: { desk: "all" }, guest: { desk: ["item_get"] } },
    connectors: { shop: SHOP },
    ...changes,
  };
  return { ...config, issuers: withLiveness(config.issuers) };
}

// How revocation shows is of other tests, too.
function withLiveness(issuers: unknown): unknown {
  if (issuers === null || typeof issuers !== "object") return issuers;
  const lasting = Object.entries(issuers).map(([name, issuer]) => [
    name,
    issuer !== null && typeof issuer === "object" ? { liveness: LIFETIME, ...issuer } : issuer,
  ]);
  return Object.fromEntries(lasting) as Json;
}

export function configFrom(text: string | Json, environment: Record<string, string> = {}): Config {
  const written = typeof text === "string" ? text : JSON.stringify(text, null, 2);
  return loadConfig(put(testFolder(), "mcp.config.json", written), environment);
}

/** What stops the start; empty where nothing does. */
export function problemsOf(attempt: () => unknown): readonly Problem[] {
  try {
    attempt();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

export const CONNECTOR_YAML = "connector: shop\ntitle: Shop\n";

/** A tool file that loads, as data; `changes` replace whole keys, `undefined` takes one away. */
export function toolFile(name: string, changes: Json = {}): Json {
  return {
    name,
    title: name,
    description: `${name} of the shop`,
    operation: "GET /items/{id}",
    input: { id: { in: "path", schema: { type: "integer", minimum: 1 } } },
    output: { id: { from: "/id", schema: { type: "integer" } } },
    effects: { readOnly: true, destructive: false, idempotent: true, openWorld: false },
    target: "item:{id}",
    scopes: ["items:read"],
    ...changes,
  };
}

export const WRITES = {
  operation: "PUT /items/{id}",
  effects: { readOnly: false, destructive: false, idempotent: true, openWorld: false },
};

/** A catalogue of one connector, `shop`, from these files: text, or data as JSON (it is YAML). */
export function catalogFolder(files: Readonly<Record<string, string | Json>>): string {
  const folder = testFolder();
  put(folder, "shop/connector.yaml", CONNECTOR_YAML);
  for (const [name, file] of Object.entries(files)) {
    const text = typeof file === "string" ? file : JSON.stringify(file, null, 2);
    put(folder, `shop/${name}`, text);
  }
  return folder;
}

export function catalogOf(...tools: readonly Json[]): Catalog {
  const files = tools.map((tool) => [`${String(tool["name"])}.tool.yaml`, tool] as const);
  return loadCatalog(catalogFolder(Object.fromEntries(files)));
}
