// The one folder that a worker can read: what runs there, and nothing else. It is written anew at
// each start, as plain files without a symbolic link, so that nothing of the installation and no
// path of the machine is in it.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, extname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { readProgram } from "../catalog/upstream/program.ts";
import type { ServerProgram } from "../catalog/upstream/program.ts";
import { javascriptOf } from "./javascript.ts";

/** The program's own files that run in a worker, by their folder under src/. */
const OURS = ["sandbox/frames", "sandbox/claims", "sandbox/node-flags", "sandbox/worker", "tool"];
/** The packages that they import, with what those import themselves. */
const PACKAGES = [
  "zod",
  "quickjs-emscripten",
  "quickjs-emscripten-core",
  "@jitl/quickjs-ffi-types",
  "@jitl/quickjs-wasmfile-release-sync",
  // Named by the package, and never loaded.
  "@jitl/quickjs-wasmfile-release-asyncify",
  "@jitl/quickjs-wasmfile-debug-sync",
  "@jitl/quickjs-wasmfile-debug-asyncify",
];
const KEPT = new Set([".js", ".mjs", ".wasm", ".json"]);

export interface Stage {
  /** An absolute path without symbolic links, ending in no slash. */
  readonly folder: string;
  /** Beside it: what the host needs and no worker sees. */
  readonly aside: string;
  /** The program of a worker, relative to the folder. */
  entry(name: "tool-worker" | "engine-worker" | "probe-worker"): string;
  /** Copies a local MCP server's own files, and no others, beside it. Throws `NoServerProgram`. */
  server(name: string, program: ServerProgram): StagedServer;
  remove(): void;
}

/** Writes the stage into a new folder under `parent`. */
export function setStage(parent: string): Stage {
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  const whole = mkdtempSync(join(realpathSync(parent), "sandbox-"));
  const remove = (): void => rmSync(whole, { recursive: true, force: true });
  const folder = join(whole, "stage");
  const aside = join(whole, "aside");
  try {
    mkdirSync(folder);
    mkdirSync(aside);
    writeFileSync(join(folder, "package.json"), '{"type":"module"}');
    const src = dirname(import.meta.dirname);
    for (const path of OURS) stageOurs(src, path, join(folder, "src"));
    for (const name of PACKAGES) stagePackage(name, join(folder, "node_modules", name));
  } catch (error) {
    remove();
    throw error;
  }
  return {
    folder,
    aside,
    entry: (name) => `src/sandbox/worker/${name}.js`,
    server: (name, program) => stageServer(program, join(whole, "servers", name)),
    remove,
  };
}

/** A local MCP server as it was read, once: nothing that happens to its files later is in it. */
export interface StagedServer {
  readonly folder: string;
  readonly entry: string;
  readonly args: readonly string[];
  /** Of what was copied, and so of what runs. */
  readonly digest: string;
}

function stageServer(program: ServerProgram, folder: string): StagedServer {
  const made = new Set<string>();
  const digest = readProgram(program, (entry) => {
    const target = join(folder, entry.path);
    const parent = dirname(target);
    // There are thousands of files, and few folders.
    if (!made.has(parent)) mkdirSync(parent, { recursive: true });
    made.add(parent);
    if ("bytes" in entry) writeFileSync(target, entry.bytes);
    else symlinkSync(relative(parent, join(folder, entry.to)), target);
  });
  const { args } = program;
  return { folder, entry: relative(program.root, program.script), args, digest };
}

/** One file, or every file of a folder; TypeScript becomes JavaScript on the way. */
function stageOurs(src: string, path: string, into: string): void {
  const extension = extname(fileURLToPath(import.meta.url));
  const isFolder = statSync(join(src, path), { throwIfNoEntry: false })?.isDirectory() === true;
  const names = isFolder
    ? readdirSync(join(src, path)).map((name) => join(path, name))
    : [`${path}${extension}`];
  for (const name of names.filter((one) => one.endsWith(extension))) {
    const text = readFileSync(join(src, name), "utf8");
    const code = extension === ".ts" ? javascriptOf(text) : text;
    const target = join(into, `${name.slice(0, -extension.length)}.js`);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, code.replaceAll(/("\.{1,2}\/[^"\n]*)\.ts"/g, '$1.js"'));
  }
}

function stagePackage(name: string, into: string): void {
  cpSync(packageFolder(name), into, {
    recursive: true,
    dereference: true,
    filter: (path) => path.split(sep).at(-1) !== "src" && isKept(path),
  });
}

function isKept(path: string): boolean {
  return statSync(path).isDirectory() || KEPT.has(extname(path));
}

// Beside this file in a clone, above it in an installation: wherever Node finds it.
function packageFolder(name: string): string {
  const require = createRequire(import.meta.url);
  const bases = require.resolve.paths(name) ?? [];
  const found = bases
    .map((base) => join(base, name))
    .find((path) => statSync(join(path, "package.json"), { throwIfNoEntry: false }) !== undefined);
  if (found === undefined) throw new Error(`the package ${name} is not installed`);
  return found;
}
