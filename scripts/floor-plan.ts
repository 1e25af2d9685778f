// The floor plan of DESIGN section 3 as data: who may import whom, and which library lives where.
// Change the house here; check-layers.ts only reads it.

/** The rooms of src/, in order. A room imports itself and the rooms above it. */
export const ROOMS: readonly string[] = [
  "kernel",
  "tool",
  "config",
  "telemetry",
  "store",
  "identity",
  "session",
  "contract",
  "catalog",
  "policy",
  "limits",
  "ledger",
  "delegation",
  "sandbox",
  "gate",
  "mcp",
  "web",
  "console",
  "cli",
];

/** Files that stand in src/ itself. `main.ts` imports every room. */
export const ROOT_FILES: readonly string[] = ["main.ts"];

/** The verbs start what the composition root builds; the cycle rule keeps it one way. */
export const MAY_IMPORT_ROOT_FILES: readonly string[] = ["cli"];

/** The only room that reaches the demo world. */
export const MAY_IMPORT_DEMO: readonly string[] = ["cli"];

/** Rooms that load what only a running deployment can name, so that an import is computed. */
export const MAY_COMPUTE_IMPORTS: readonly string[] = ["sandbox"];

/** Libraries that every room may use, beside Node's own modules. */
export const FREE_LIBRARIES: readonly string[] = ["zod"];

/**
 * Library -> its rooms. `@scope/*` covers a scope. A library that is not here is nowhere: it
 * needs an ADR first. `main.ts` may use each of them.
 */
export const LIBRARY_ROOMS: Readonly<Record<string, readonly string[]>> = {
  pino: ["telemetry"],
  "@opentelemetry/*": ["telemetry"],
  pg: ["store"],
  redis: ["store"],
  keyv: ["store"],
  jose: ["identity", "delegation"],

  "js-yaml": ["catalog"],
  // An optional peer: the source of a service is read, where somebody has it (ADR 23).
  "oxc-parser": ["catalog"],
  // An optional peer: Parquet and reports of the log, where somebody has it (ADR 6).
  "@duckdb/node-api": ["cli"],
  // Patterns of argument rules, in linear time (ADR 15).
  re2js: ["contract", "policy"],
  // Identity needs its guarded discovery; delegation exchanges tokens.
  "openid-client": ["identity", "delegation"],
  "quickjs-emscripten": ["sandbox"],
  // Two guarded ways out: to the identity providers, and to the downstream APIs.
  undici: ["identity", "sandbox"],
  "@modelcontextprotocol/*": ["mcp"],
  // `call` is an MCP client as any other.
  "@modelcontextprotocol/client": ["mcp", "cli"],
  hono: ["web", "console"],
};

/** Node modules that are not free, because each is a way out of a room. */
export const BUILTIN_ROOMS: Readonly<Record<string, readonly string[]>> = {
  "node:sqlite": ["store"],
  "node:child_process": ["sandbox", "cli"],
  "node:worker_threads": ["catalog", "ledger", "sandbox", "store"],
  "node:http": ["mcp", "web", "console", "cli", "telemetry"],
};

/** A port's implementation stands beside the port, named after its technology. */
export const BUILTIN_FILES: Readonly<Record<string, RegExp>> = {
  "node:sqlite": /-sqlite\.ts$/,
};

/** What operators write may use the authoring API and nothing else. */
export const TOOLS_MAY_IMPORT: readonly string[] = ["doorless/tool"];
