// Which file an import means: beside the importing one, by tsconfig's paths, or a package of the
// same repository.
import { posix } from "node:path";
import type { CodeFolder } from "./folder.ts";
import { isJson, objectAt, textAt } from "../openapi/read.ts";
import type { Json } from "./values.ts";

interface Alias {
  /** Where it holds: files below this folder. */
  readonly within: string;
  readonly pattern: string;
  readonly targets: readonly string[];
}

export type Found =
  | { readonly file: string }
  | { readonly library: string }
  | { readonly missing: true };

/** `json` reads JSON with comments. */
export class Resolver {
  private readonly folder: CodeFolder;
  private readonly aliases: readonly Alias[];
  private readonly packages = new Map<string, string>();

  constructor(folder: CodeFolder, json: (file: string) => unknown) {
    this.folder = folder;
    const aliases: Alias[] = [];
    for (const file of folder.manifests) {
      const tree = json(file);
      if (!isJson(tree)) continue;
      const within = posix.dirname(file);
      if (file.endsWith("package.json")) {
        const name = textAt(tree, "name");
        if (name !== undefined) this.packages.set(name, within);
      } else aliases.push(...aliasesIn(tree, within));
    }
    this.aliases = aliases.toSorted((a, b) => b.within.length - a.within.length);
  }

  find(specifier: string, from: string): Found {
    if (/^\.{0,2}\//.test(specifier) || specifier === "." || specifier === "..") {
      const isWhole = specifier.startsWith("/");
      const path = isWhole ? specifier.slice(1) : posix.join(posix.dirname(from), specifier);
      const file = path.startsWith("..") ? undefined : this.folder.find(path);
      return file === undefined ? { missing: true } : { file };
    }
    const file = this.aliased(specifier, from) ?? this.inPackage(specifier);
    if (file !== undefined) return { file };
    // These are names that a repository gives to its own folders; no package is called so.
    return /^(?:@\/|~|#)/.test(specifier) ? { missing: true } : { library: libraryOf(specifier) };
  }

  private aliased(specifier: string, from: string): string | undefined {
    for (const { within, pattern, targets } of this.aliases) {
      if (within !== "." && !from.startsWith(`${within}/`)) continue;
      const [before = "", after] = pattern.split("*", 2);
      const fits = after === undefined ? specifier === pattern : specifier.startsWith(before);
      if (!fits) continue;
      const rest = specifier.slice(before.length, specifier.length - (after ?? "").length);
      for (const target of targets) {
        const found = this.folder.find(target.replace("*", () => rest));
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  private inPackage(specifier: string): string | undefined {
    const parts = specifier.split("/");
    const name = parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
    const home = this.packages.get(name);
    if (home === undefined) return undefined;
    const rest = specifier.slice(name.length).replace(/^\//, "");
    const folders = [`${home}/src`, home, `${home}/lib`];
    for (const folder of folders) {
      const found = this.folder.find(rest === "" ? `${folder}/index` : `${folder}/${rest}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function aliasesIn(tree: Json, within: string): Alias[] {
  const options = objectAt(tree, "compilerOptions") ?? {};
  const base = posix.join(within, textAt(options, "baseUrl") ?? ".");
  const named = Object.entries(objectAt(options, "paths") ?? {}).map(([pattern, targets]) => ({
    within,
    pattern,
    targets: [targets]
      .flat()
      .filter((one) => typeof one === "string")
      .map((one) => posix.join(base, one)),
  }));
  // With a base, anything may be meant from there.
  const based =
    textAt(options, "baseUrl") === undefined
      ? []
      : [{ within, pattern: "*", targets: [`${base}/*`] }];
  return [...named, ...based];
}

const BUILTINS = new Set(["path", "http", "https", "http2", "fs", "url", "os", "util", "events"]);

function libraryOf(specifier: string): string {
  if (BUILTINS.has(specifier)) return `node:${specifier}`;
  return specifier === "node:path/posix" ? "node:path" : specifier;
}
