// `tools import code`: the routes of a service out of its source, and what of it could not be read.
import { basename, posix } from "node:path";
import { isJson, objectAt } from "../openapi/read.ts";
import { linkImports, runExport } from "./imports.ts";
import { describe } from "./describe.ts";
import type { Described } from "./describe.ts";
import { flatten } from "./flatten.ts";
import { CodeFolder } from "./folder.ts";
import { isRouteByPlace } from "./frameworks.ts";
import { runTheRest, sayTheRest } from "./leftover.ts";
import { nodesAt } from "./ast.ts";
import { Module } from "./module.ts";
import { Unparsable } from "./parser.ts";
import type { Parse } from "./parser.ts";
import { Reader } from "./reader.ts";
import type { Files } from "./reader.ts";
import type { Unread } from "./reason.ts";
import { relevantFiles } from "./relevant.ts";
import { Resolver } from "./resolve.ts";
import { newRouter } from "./routers.ts";
import { Said } from "./said.ts";
import { tableRoutes } from "./tables.ts";
import { jsonOf } from "./shape.ts";
import { list, plain, record, UNKNOWN } from "./values.ts";
import type { At, Json, Value } from "./values.ts";

const CODE_BYTES_MAX = 33_554_432;
/** Files that import each other in a row: each is gone into from the one before it. */
const NESTED_MAX = 500;
const SCRIPT_CHARS_MAX = 2000;
const START = /\bfastify start\b[^&|;]*\s(\S+\.[cm]?[jt]s)\b/;

export interface CodeRead extends Described {
  readonly unread: readonly Unread[];
  readonly left_out: readonly string[];
  readonly files: number;
}

export interface CodeOptions {
  readonly parse: Parse;
  /** Hears of files as they are found, and as they are read. */
  readonly progress: (what: "found" | "read", files: number) => void;
}

export function readCode(root: string, { parse, progress }: CodeOptions): CodeRead {
  const folder = new CodeFolder(root, (files) => progress("found", files));
  const said = new Said();
  const service = new Service(folder, said, parse, progress);
  service.start();
  const { reader, modules } = service;
  if (!folder.isWhole) said.sayOf("too_much_code", { file: "", line: 0 }, "too many files");
  runTheRest(reader, modules);
  if (reader.isExhausted) said.sayOf("too_many_steps", { file: "", line: 0 }, "");
  const placed = flatten(reader.routers, said);
  const all = [...placed, ...tableRoutes(reader, placed)];
  const described = describe(reader, basename(root), all);
  sayTheRest(reader, modules, said);
  const { left_out } = folder;
  return { ...described, unread: said.list, left_out, files: modules.length };
}

class Service implements Files {
  readonly reader: Reader;
  private readonly folder: CodeFolder;
  private readonly said: Said;
  private readonly parse: Parse;
  private readonly progress: CodeOptions["progress"];
  private readonly resolver: Resolver;
  private readonly known = new Map<string, Module | undefined>();
  private bytes = 0;
  private nested = 0;

  constructor(folder: CodeFolder, said: Said, parse: Parse, progress: CodeOptions["progress"]) {
    this.folder = folder;
    this.said = said;
    this.parse = parse;
    this.progress = progress;
    this.reader = new Reader(this, said);
    this.resolver = new Resolver(folder, (file) => jsonOf(this.json(file)));
  }

  get modules(): readonly Module[] {
    return [...this.known.values()].filter((one) => one !== undefined);
  }

  /** Goes through every file that matters, as if each were where the service begins. */
  start(): void {
    const tooLarge = (file: string): void =>
      this.said.sayOf("file_too_large", { file, line: 1 }, "");
    for (const file of relevantFiles(this.folder, this.resolver, tooLarge)) {
      this.module(file, this.folder.text(file));
    }
    this.startFastify();
    for (const file of this.folder.files.filter(isRouteByPlace)) {
      this.said.sayOf("framework_unread", { file, line: 1 }, "its place is its path");
    }
  }

  /** Plugins that `fastify start FILE` makes an app of: a script of package.json says so. */
  private startFastify(): void {
    for (const file of this.folder.manifests.filter((one) => one.endsWith("package.json"))) {
      const manifest = jsonOf(this.json(file));
      const scripts = isJson(manifest) ? objectAt(manifest, "scripts") : undefined;
      const named = Object.values(scripts ?? {}).flatMap(
        (one) => START.exec(String(one).slice(0, SCRIPT_CHARS_MAX))?.[1] ?? [],
      );
      for (const entry of new Set(named)) this.startPlugin(posix.join(posix.dirname(file), entry));
    }
  }

  private startPlugin(entry: string): void {
    const path = [entry, entry.replace(/^(?:dist|build)\//, "src/")].find(
      (one) => this.folder.find(one) !== undefined,
    );
    const file = path === undefined ? undefined : this.folder.find(path);
    const module = file === undefined ? undefined : this.module(file, this.folder.text(file));
    const plugin = module?.get("default");
    if (plugin?.kind !== "function" || module === undefined || this.reader.ran.has(plugin.node))
      return;
    const app = newRouter(this.reader, "fastify", true);
    this.reader.callFunction(plugin, [app, record([], true)]);
  }

  names(folder: string): readonly string[] | undefined {
    return this.folder.names(folder);
  }

  load(specifier: string, at: At, isRequire: boolean): Value {
    const found = this.resolver.find(specifier, at.scope.source.file);
    if ("library" in found) return { kind: "library", from: found.library, name: "", args: [] };
    if ("missing" in found) {
      // Pictures and styles are no part of what answers.
      const isAsset = /\.(?:css|scss|svg|png|jpe?g|html|ejs|pug|graphql|gql|txt|md|wasm)$/;
      const path = posix.join(posix.dirname(at.scope.source.file), specifier);
      if (!isAsset.test(specifier) && !this.folder.isLeftOut(path))
        this.reader.say("module_unresolved", at, specifier);
      return UNKNOWN;
    }
    if (found.file.endsWith(".json")) return this.json(found.file);
    const module = this.module(found.file, this.folder.text(found.file));
    if (module === undefined) return UNKNOWN;
    return isRequire ? module.required : module;
  }

  private module(file: string, text: string | undefined): Module | undefined {
    if (this.known.has(file)) return this.known.get(file);
    if (this.nested >= NESTED_MAX) {
      // It is read when its own turn comes; who imports it here has nothing of it.
      const what = `more than ${NESTED_MAX} files that import each other`;
      this.said.sayOf("too_many_steps", { file, line: 1 }, what);
      return undefined;
    }
    this.known.set(file, undefined);
    if (text === undefined) {
      this.said.sayOf("file_too_large", { file, line: 1 }, "");
      return undefined;
    }
    this.bytes += text.length;
    if (this.bytes > CODE_BYTES_MAX) {
      this.said.sayOf("too_much_code", { file, line: 1 }, `more than ${CODE_BYTES_MAX} characters`);
      return undefined;
    }
    const module = this.parsed(file, text);
    if (module === undefined) return undefined;
    this.known.set(file, module);
    this.progress("read", this.known.size);
    this.nested += 1;
    this.follow(module);
    this.nested -= 1;
    return module;
  }

  private follow(module: Module): void {
    linkImports(this.reader, module);
    const statements = nodesAt(module.source.program, "body");
    // Functions are there before the first statement, whoever asks in the meantime.
    this.reader.run(
      statements.filter((one) => isHoisted(one?.type)),
      module.scope,
    );
    for (const node of statements) {
      if (node === undefined || runExport(this.reader, node, module)) continue;
      this.reader.run([node], module.scope);
    }
  }

  private parsed(file: string, text: string): Module | undefined {
    try {
      return new Module(this.parse(file, text));
    } catch (error) {
      if (!(error instanceof Unparsable)) throw error;
      const { reason, line, message } = error;
      this.said.sayOf(reason, { file, line }, message);
      return undefined;
    }
  }

  // JSON with comments, too: it is an expression of the same language.
  private json(file: string): Value {
    try {
      return valueOf(JSON.parse(this.folder.text(file) ?? "null"));
    } catch {
      const module = this.parsed(file, `(${this.folder.text(file) ?? "null"})`);
      const [first] = module === undefined ? [] : nodesAt(module.source.program, "body");
      const expression = first?.["expression"] as never;
      return module === undefined ? UNKNOWN : this.reader.evaluate(expression, module.scope);
    }
  }
}

function isHoisted(type: string | undefined): boolean {
  return type === "FunctionDeclaration";
}

function valueOf(json: unknown): Value {
  if (Array.isArray(json)) return list(json.map(valueOf));
  if (typeof json !== "object" || json === null) return plain(json as string | number | null);
  return record(Object.entries(json as Json).map(([key, value]) => [key, valueOf(value)]));
}
