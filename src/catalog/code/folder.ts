// The files of a service: which there are below the folder, and which an import means. Links are
// not followed, and nothing outside of the folder is read.
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import type { Dirent } from "node:fs";
import { join, posix } from "node:path";

const FILES_MAX = 20_000;
const ENTRIES_MAX = 400_000;
const DEPTH_MAX = 40;
const FILE_BYTES_MAX = 1_048_576;
const PROGRESS_FILES = 500;

const CODE = /\.(?:[cm]?[jt]s|[jt]sx)$/;
const NO_SOURCE = /\.d\.[cm]?ts$|[.-](?:test|spec|e2e|bench|stories)\.\w+$|\.min\.js$/;
const NO_FOLDERS = new Set([
  "node_modules",
  "bower_components",
  "dist",
  "build",
  "out",
  "coverage",
  "test",
  "tests",
  "__tests__",
  "__mocks__",
  "e2e",
  "spec",
]);
const MANIFEST = /(?:^|\/)(?:package|[jt]sconfig)\.json$/;
const ENDS = ["", ".ts", ".tsx", ".mts", ".cts", ".js", ".mjs", ".cjs", ".jsx", ".json"];

export class CodeFolder {
  readonly root: string;
  /** Code, in the order of its names. */
  readonly files: readonly string[];
  /** package.json and tsconfig.json. */
  readonly manifests: readonly string[];
  /** Folders and files that were left out, in words. */
  readonly left_out: readonly string[];
  readonly isWhole: boolean;
  private readonly present: ReadonlySet<string>;

  constructor(root: string, progress: (files: number) => void) {
    this.root = root;
    const found = walked(root, progress);
    this.present = found.present;
    this.isWhole = found.isWhole;
    this.files = [...this.present].filter((path) => CODE.test(path)).toSorted();
    this.manifests = [...this.present].filter((path) => MANIFEST.test(path)).toSorted();
    this.left_out = [...found.left].toSorted();
  }

  /** The text of a file; nothing where it is too large, or gone meanwhile. */
  text(path: string): string | undefined {
    const file = join(this.root, path);
    try {
      const { size } = lstatSync(file);
      return size > FILE_BYTES_MAX
        ? undefined
        : readFileSync(file, "utf8").replace(/^\u{feff}/u, "");
    } catch {
      return undefined;
    }
  }

  /** Whether it would lie in a folder that was left out, and is said to be. */
  isLeftOut(path: string): boolean {
    return path.split("/").some((name) => NO_FOLDERS.has(name));
  }

  /** What lies in a folder, by its own name; nothing where it is none that was read. */
  names(folder: string): readonly string[] | undefined {
    const within = folder.replace(/^\//, "").replace(/\/$/, "");
    const found = new Set<string>();
    for (const path of this.present) {
      if (within !== "" && !path.startsWith(`${within}/`)) continue;
      const [name = ""] = path.slice(within === "" ? 0 : within.length + 1).split("/", 1);
      found.add(name);
    }
    return found.size === 0 ? undefined : [...found].toSorted();
  }

  /** The file that a path without its end, or with a compiled one's, means. */
  find(path: string): string | undefined {
    const stem = posix.normalize(path).replace(/\/$/, "");
    const source = stem.replace(/\.([cm]?)js(x?)$/, ".$1ts$2");
    const tsx = stem.replace(/\.js$/, ".tsx");
    const inFolder = stem === "." ? "" : `${stem}/`;
    return [
      ...ENDS.map((end) => stem + end),
      source,
      tsx,
      ...ENDS.slice(1).map((end) => `${inFolder}index${end}`),
    ].find((one) => this.present.has(one));
  }
}

interface Walked {
  readonly present: Set<string>;
  readonly left: Set<string>;
  readonly isWhole: boolean;
}

function walked(root: string, progress: (files: number) => void): Walked {
  const [present, left] = [new Set<string>(), new Set<string>()];
  let entries = 0;
  const next = [""];
  for (let at = next.pop(); at !== undefined; at = next.pop()) {
    for (const entry of entriesOf(join(root, at), () => left.add(`${at}/ (closed)`))) {
      entries += 1;
      if (entries > ENTRIES_MAX || present.size > FILES_MAX) {
        return { present, left, isWhole: false };
      }
      const path = at === "" ? entry.name : `${at}/${entry.name}`;
      const verdict = judged(entry, path);
      if (verdict === "go in") next.push(path);
      else if (verdict === "read") present.add(path);
      else if (verdict !== undefined) left.add(verdict);
      if (verdict === "read" && present.size % PROGRESS_FILES === 0) progress(present.size);
    }
  }
  return { present, left, isWhole: true };
}

function entriesOf(path: string, closed: () => void): readonly Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    closed();
    return [];
  }
}

/** What to do with it; in other words, what of it is left out; nothing where it is no matter. */
function judged(entry: Dirent, path: string): string | undefined {
  const isCode = CODE.test(path);
  if (entry.isSymbolicLink()) return `${path} (a link)`;
  if (entry.isDirectory()) {
    if (entry.name.startsWith(".")) return undefined;
    const isOut = NO_FOLDERS.has(entry.name) || path.split("/").length > DEPTH_MAX;
    return isOut ? `${path}/` : "go in";
  }
  if (!entry.isFile() || (!isCode && !path.endsWith(".json"))) return undefined;
  return isCode && NO_SOURCE.test(path) ? path : "read";
}
