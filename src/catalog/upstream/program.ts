// What the command of a local MCP server names: a script, the package that it lies in, and the
// packages that this one depends on. Those files and no others are what it may see, and their
// digest is what a human approves. Only files are looked at here; nothing is run.
import { createHash } from "node:crypto";
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, extname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { z } from "zod";
import { framed } from "../../kernel/ids.ts";
import { systemErrorInWords } from "../../kernel/in-words.ts";

const FILES_MAX = 20_000;
const BYTES_MAX = 268_435_456;
const DEPTH_MAX = 32;
const PACKAGES_MAX = 1000;
const WORDS_MAX = 64;
const WORD_CHARS_MAX = 1024;

/** A command that cannot be a local MCP server's here, and what could be. */
export class NoServerProgram extends Error {
  override readonly name = "NoServerProgram";
  readonly mend: string;
  constructor(message: string, mend: string) {
    super(message);
    this.mend = mend;
  }
}

/** A command taken apart. Paths on this machine are absolute, and no symbolic links. */
export interface ServerProgram {
  readonly script: string;
  /** The words after it, as they were given. */
  readonly args: readonly string[];
  /** The folder by which everything is placed: what lies beside the packages is not in it. */
  readonly root: string;
  /** The folders of its package, first, and of those that it depends on. */
  readonly packages: readonly string[];
  /** Where a package is found by another name: the place, and the folder that it leads to. */
  readonly links: ReadonlyMap<string, string>;
}

const DOWNLOADERS = new Set(["npx", "npm", "pnpm", "pnpx", "yarn", "bunx", "uvx", "uv", "pipx"]);
const SHELLS = new Set(["sh", "bash", "dash", "zsh", "fish", "cmd", "powershell", "pwsh", "env"]);
const CONTAINERS = new Set(["docker", "podman", "nerdctl"]);
const SCRIPTS = new Set([".js", ".mjs", ".cjs"]);
/** What no program reads when it runs. */
const NOT_RUN = /\.(?:d\.[cm]?ts|map)$/;
const NODE_LINE = /^#!.*\bnode\b/;
const GIVE =
  "give node and a script that is installed here, such as " +
  "node node_modules/PACKAGE/dist/index.js";

/**
 * Takes a command apart. Relative paths are of `base`; no folder of the server's may hold one of
 * `kept`, such as the configuration. Throws `NoServerProgram`.
 */
export function serverProgram(
  command: readonly string[],
  base: string,
  kept: readonly string[],
): ServerProgram {
  const { script, args } = scriptIn(command, base);
  const outside = [...kept, homedir(), tmpdir()];
  const own = ownFolder(script, outside);
  const { packages, links, bases } = closureOf(own);
  for (const folder of packages) {
    const held = outside.find((path) => isInside(real(path), folder));
    if (held === undefined) continue;
    const why = `its folder ${folder} also holds ${held}, which no server may read`;
    throw new NoServerProgram(why, "give the server a folder, and a package.json, of its own");
  }
  return { script, args, root: [...packages, ...bases].reduce(sharedFolder), packages, links };
}

function scriptIn(command: readonly string[], base: string) {
  const [first = "", ...rest] = command;
  if (command.length > WORDS_MAX || command.some((word) => word.length > WORD_CHARS_MAX)) {
    const most = `at most ${WORDS_MAX} words of ${WORD_CHARS_MAX} characters`;
    throw new NoServerProgram("the command is too long", most);
  }
  if (command.some((word) => word.includes("\0"))) {
    throw new NoServerProgram("the command has a character that no word may have", GIVE);
  }
  const named = basename(first).replace(/\.(?:exe|cmd|bat)$/i, "");
  refuse(named);
  const isNode = named === "node";
  const word = isNode ? (rest[0] ?? "") : first;
  if (word === "") throw new NoServerProgram("the command names no script", GIVE);
  if (word.startsWith("-")) {
    throw new NoServerProgram(`node is given the option ${word}`, "give the script first");
  }
  const script = fileAt(resolve(base, word), word);
  if (!SCRIPTS.has(extname(script)) && !NODE_LINE.test(firstLine(script))) {
    throw new NoServerProgram(`${word} is no program for Node`, GIVE);
  }
  return { script, args: isNode ? rest.slice(1) : rest };
}

function refuse(named: string): void {
  const why =
    (DOWNLOADERS.has(named) && `${named} fetches what it runs, and something else each time`) ||
    (SHELLS.has(named) && `${named} runs other programs, and there are none in the sandbox`) ||
    (CONTAINERS.has(named) && `${named} needs its daemon, which the sandbox does not reach`);
  if (why === false) return;
  const install = DOWNLOADERS.has(named) ? "npm install --save-exact PACKAGE, then " : "";
  throw new NoServerProgram(why, `${install}${GIVE}`);
}

function fileAt(path: string, word: string): string {
  try {
    const script = realpathSync(path);
    if (statSync(script).isFile()) return script;
  } catch (error) {
    throw new NoServerProgram(`${word}: ${systemErrorInWords(error)}`, GIVE);
  }
  throw new NoServerProgram(`${word} is no file`, GIVE);
}

function firstLine(file: string): string {
  return contentOf(file).subarray(0, 200).toString("latin1").split("\n")[0] ?? "";
}

// The nearest package; where that is the operator's own, with the configuration in it, no more than
// the folder that the script lies in.
function ownFolder(script: string, kept: readonly string[]): string {
  const nearest = upFrom(dirname(script)).find((folder) => existsSync(manifestIn(folder)));
  if (nearest === undefined) return dirname(script);
  const holds = kept.some((path) => isInside(real(path), nearest));
  return holds ? dirname(script) : nearest;
}

function manifestIn(folder: string): string {
  return join(folder, "package.json");
}

/** What is not there yet counts by its name. */
function real(path: string): string {
  return existsSync(path) ? realpathSync(path) : resolve(path);
}

function isInside(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way.split(sep)[0] !== ".." && !isAbsolute(way));
}

function upFrom(folder: string): readonly string[] {
  const up = dirname(folder);
  return up === folder ? [folder] : [folder, ...upFrom(up)];
}

function sharedFolder(a: string, b: string): string {
  return upFrom(a).find((folder) => isInside(b, folder)) ?? sep;
}

const names = z.record(z.string().regex(/^(?:@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*$/), z.unknown());
const manifestSchema = z.looseObject({
  dependencies: names.optional(),
  optionalDependencies: names.optional(),
  peerDependencies: names.optional(),
});

/** Its package and what that depends on, each found where Node would find it. */
function closureOf(own: string) {
  const packages = new Set([own]);
  const links = new Map<string, string>();
  const bases = new Set<string>();
  for (const folder of packages) {
    const { needed, wanted } = dependenciesOf(folder);
    for (const name of [...needed, ...wanted]) {
      const base = upFrom(folder).find((one) => existsSync(manifestIn(placeOf(one, name))));
      if (base === undefined) {
        if (!needed.has(name)) continue;
        const why = `the package ${name}, which ${basename(folder)} depends on, is not installed`;
        throw new NoServerProgram(why, "npm install, where its package.json lies");
      }
      const place = placeOf(base, name);
      const found = realpathSync(place);
      bases.add(base);
      if (found !== place) links.set(place, found);
      packages.add(found);
      if (packages.size > PACKAGES_MAX) {
        const why = `it depends on more than ${PACKAGES_MAX} packages`;
        throw new NoServerProgram(why, "bundle it, or choose a smaller server");
      }
    }
  }
  return { packages: [...packages], links, bases: [...bases] };
}

function placeOf(base: string, name: string): string {
  return join(base, "node_modules", name);
}

function dependenciesOf(folder: string) {
  const file = manifestIn(folder);
  if (!existsSync(file)) return { needed: new Set<string>(), wanted: new Set<string>() };
  let said: z.infer<typeof manifestSchema>;
  try {
    said = manifestSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    throw new NoServerProgram(`${file} is no package.json`, "install the server anew");
  }
  const { dependencies = {}, optionalDependencies = {}, peerDependencies = {} } = said;
  const wanted = new Set(Object.keys({ ...optionalDependencies, ...peerDependencies }));
  const needed = new Set(Object.keys(dependencies).filter((name) => !wanted.has(name)));
  return { needed, wanted };
}

/** One entry of the program: a plain file with its bytes, or a link from one place to another. */
export type ProgramEntry =
  | { readonly path: string; readonly bytes: Buffer }
  | { readonly path: string; readonly to: string };

/**
 * Reads the whole program once, file by file, in an order of its own; the result is its digest. Who
 * keeps what `take` is given has exactly what was digested. Throws `NoServerProgram`.
 */
export function readProgram(
  program: ServerProgram,
  take: (entry: ProgramEntry) => void = () => undefined,
): string {
  const { root, packages, links } = program;
  const at = (path: string): string => relative(root, path).split(sep).join("/");
  const digest = createHash("sha256");
  let bytes_in_all = 0;
  const files = new Set<string>();
  for (const folder of packages) addFiles(folder, 0, files);
  for (const file of inOrder(files)) {
    const bytes = contentOf(file);
    bytes_in_all += bytes.length;
    if (bytes_in_all > BYTES_MAX) throw tooLarge(`more than ${BYTES_MAX} bytes`);
    const own = createHash("sha256").update(bytes).digest("hex");
    digest.update(framed("file", at(file), own));
    take({ path: at(file), bytes });
  }
  for (const place of inOrder(links.keys())) {
    const to = at(links.get(place) ?? place);
    digest.update(framed("link", at(place), to));
    take({ path: at(place), to });
  }
  return `sha256:${digest.digest("hex")}`;
}

// Looked at before it is read: what is too large never stands in memory.
function contentOf(file: string): Buffer {
  try {
    if (statSync(file).size <= BYTES_MAX) return readFileSync(file);
  } catch (error) {
    const why = `${file}: ${systemErrorInWords(error)}`;
    throw new NoServerProgram(why, "install the server anew, as the user that doorless runs as");
  }
  throw tooLarge(`more than ${BYTES_MAX} bytes`);
}

function inOrder(paths: Iterable<string>): readonly string[] {
  return [...paths].toSorted((a, b) => (a < b ? -1 : 1));
}

// Neither other packages, which are there by themselves where they are needed, nor what begins with
// a dot: versions, caches, and where people keep their keys.
function addFiles(folder: string, depth: number, files: Set<string>): void {
  if (depth > DEPTH_MAX) throw tooLarge(`folders ${DEPTH_MAX} deep`);
  for (const name of readdirSync(folder)) {
    if (name.startsWith(".") || name === "node_modules" || NOT_RUN.test(name)) continue;
    const path = join(folder, name);
    const is = lstatSync(path);
    if (is.isDirectory()) addFiles(path, depth + 1, files);
    else if (is.isFile()) files.add(path);
    else {
      const why = `${path} is a link, or no plain file`;
      throw new NoServerProgram(why, "a server's package holds plain files");
    }
    if (files.size > FILES_MAX) throw tooLarge(`more than ${FILES_MAX} files`);
  }
}

function tooLarge(what: string): NoServerProgram {
  const most = `${FILES_MAX} files and ${BYTES_MAX} bytes`;
  return new NoServerProgram(`the program has ${what}: at most ${most}`, "bundle it");
}
