// Which files to begin with: those that may say something of routes, and those that import one of
// these, for what they make of it counts as well. The others are read when something needs them.
import { FRAMEWORKS } from "./frameworks.ts";
import type { CodeFolder } from "./folder.ts";
import type { Resolver } from "./resolve.ts";

const INTEREST = new RegExp(
  "\\b(?:express|fastify|hono|Router|createServer|serve|method)\\b" +
    "|\\.(?:get|post|put|patch|delete|all|route|register|use)\\s*[(<]",
  "i",
);
// No two of its gaps meet: between them a thousand blanks would be parted in every way.
const SPECIFIER = /\b(?:from\s*|require\s*\(\s*|import\s*(?:\(\s*)?)["'`]([^"'`\n]{1,200})["'`]/g;

/** In the order of their names; `tooLarge` hears of those that are not looked into. */
export function relevantFiles(
  folder: CodeFolder,
  resolver: Resolver,
  tooLarge: (file: string) => void,
): readonly string[] {
  const importers = new Map<string, Set<string>>();
  const next: string[] = [];
  for (const file of folder.files) {
    const text = folder.text(file);
    if (text === undefined) {
      tooLarge(file);
      continue;
    }
    if (INTEREST.test(text)) next.push(file);
    for (const [, specifier = ""] of text.matchAll(SPECIFIER)) {
      if (FRAMEWORKS.has(specifier)) next.push(file);
      const found = resolver.find(specifier, file);
      if (!("file" in found)) continue;
      const known = importers.get(found.file);
      if (known === undefined) importers.set(found.file, new Set([file]));
      else known.add(file);
    }
  }
  const relevant = new Set<string>();
  for (let file = next.pop(); file !== undefined; file = next.pop()) {
    if (relevant.has(file)) continue;
    relevant.add(file);
    for (const one of importers.get(file) ?? []) next.push(one);
  }
  return [...relevant].toSorted();
}
