// What the maintainer scripts share: which files there are, and how to walk a parsed one.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { parseSync, visitorKeys } from "oxc-parser";
import type { ParseResult } from "oxc-parser";

/** A finding, ready to print: `file:line  what  [rule]  what to do`. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly what: string;
  readonly rule: string;
  readonly mend: string;
}

export interface AstNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

export interface Source {
  readonly file: string;
  readonly text: string;
  readonly parsed: ParseResult;
  lineAt(offset: number): number;
}

export function printFindings(findings: readonly Finding[]): void {
  for (const { file, line, what, rule, mend } of findings) {
    console.error(`${file}:${line}  ${what}  [${rule}]\n    ${mend}`);
  }
}

/**
 * Every file below `folder` of `root`, as sorted paths relative to root with forward slashes.
 * The plain lines of root's .gitignore are what is left out: git itself may be absent.
 */
export function listFiles(root: string, folder = "."): string[] {
  const ignored = ignoredNames(root);
  const found: string[] = [];
  const pending = [join(root, folder)];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const entry of readFolder(at)) {
      if (ignored.has(entry.name)) continue;
      const path = join(at, entry.name);
      if (entry.isDirectory()) pending.push(path);
      else if (entry.isFile()) found.push(relative(root, path).split(sep).join("/"));
    }
  }
  return found.toSorted();
}

export function isCode(file: string): boolean {
  return file.endsWith(".ts") || file.endsWith(".js");
}

export function readSource(root: string, file: string): Source {
  const text = readFileSync(join(root, file), "utf8");
  const parsed = parseSync(file, text);
  const error = parsed.errors[0];
  if (error !== undefined) throw new Error(`${file} does not parse: ${error.message}`);
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  const lineAt = (offset: number): number => {
    const next = starts.findIndex((start) => start > offset);
    return next === -1 ? starts.length : next;
  };
  return { file, text, parsed, lineAt };
}

/** Visits every node in the order of the text, parents first, and says whose child it is. */
export function walk(root: unknown, visit: (node: AstNode, parent?: AstNode) => void): void {
  const pending: { node: AstNode; parent?: AstNode }[] = isNode(root) ? [{ node: root }] : [];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, parent } = next;
    visit(node, parent);
    const children = (visitorKeys[node.type] ?? []).flatMap((key) => node[key]).filter(isNode);
    for (const child of children.toReversed()) pending.push({ node: child, parent: node });
  }
}

export function isNode(value: unknown): value is AstNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

function ignoredNames(root: string): Set<string> {
  const names = new Set([".git"]);
  try {
    for (const line of readFileSync(join(root, ".gitignore"), "utf8").split("\n")) {
      if (line !== "" && !line.startsWith("#") && !line.includes("*")) names.add(line);
    }
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  return names;
}

function readFolder(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
