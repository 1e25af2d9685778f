// A service's source, read as the verb reads it.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadParser } from "../../../../src/catalog/code/parser.ts";
import { readCode } from "../../../../src/catalog/code/read.ts";
import type { CodeRead } from "../../../../src/catalog/code/read.ts";
import { testFolder } from "../../../setup/minimal.ts";

const parse = await loadParser();

export function readFolder(root: string): CodeRead {
  return readCode(root, { parse, progress: () => undefined });
}

/** A service of a few files: name -> text. */
export function readFiles(files: Readonly<Record<string, string>>): CodeRead {
  const root = testFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return readFolder(root);
}

/** `GET /x src/app.ts:3`, in their order. */
export function routesOf({ places }: CodeRead): string[] {
  return [...places].map(([key, { file, line }]) => `${key} ${file}:${line}`).toSorted();
}

/** `src/app.ts:3 path_regex`, in their order. */
export function unreadOf({ unread }: CodeRead): string[] {
  return unread.map(({ file, line, reason }) => `${file}:${line} ${reason}`);
}

export function operationIn({ document }: CodeRead, key: string): Record<string, unknown> {
  const [method = "", path = ""] = key.split(" ");
  const paths = document["paths"] as Record<string, Record<string, Record<string, unknown>>>;
  const found = paths[path]?.[method.toLowerCase()];
  if (found === undefined) throw new Error(`there is no ${key}`);
  return found;
}
