// From bytes to the tree of one OpenAPI file, strictly: every bound named, no key given twice.
import { CORE_SCHEMA, load as parseYaml } from "js-yaml";
import { decodeUtf8, parseJson } from "../../kernel/json.ts";
import { NotImportable } from "./reason.ts";

export const DOCUMENT_BYTES_MAX = 67_108_864;
const DEPTH_MAX = 200;
// Counted as often as an alias repeats them: a bomb of aliases is a document that is too large.
const NODES_MAX = 8_000_000;

export type Json = Readonly<Record<string, unknown>>;

export function isJson(value: unknown): value is Json {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** What `node` has under `key` if that is an object; nothing inherited. */
export function objectAt(node: Json, key: string): Json | undefined {
  const value = Object.hasOwn(node, key) ? node[key] : undefined;
  return isJson(value) ? value : undefined;
}

export function listAt(node: Json, key: string): readonly unknown[] {
  const value = Object.hasOwn(node, key) ? node[key] : undefined;
  return Array.isArray(value) ? value : [];
}

export function textAt(node: Json, key: string): string | undefined {
  const value = Object.hasOwn(node, key) ? node[key] : undefined;
  return typeof value === "string" ? value : undefined;
}

/** The tree of a file; it belongs to the caller, and nobody else holds a part of it. */
export function readTree(bytes: Uint8Array, file: string): unknown {
  if (bytes.length > DOCUMENT_BYTES_MAX) {
    throw new NotImportable("document_too_large", `${file} has more than ${DOCUMENT_BYTES_MAX} B`);
  }
  const tree = parse(bytes, file);
  mustBeSound(tree, file);
  return tree;
}

function parse(bytes: Uint8Array, file: string): unknown {
  try {
    const text = decodeUtf8(bytes).replace(/^\u{feff}/u, "");
    if (/^\s*\{/.test(text) && !/\.ya?ml$/i.test(file)) {
      return parseJson(text, { depth_max: DEPTH_MAX, keys_max: NODES_MAX });
    }
    return parseYaml(text, { schema: CORE_SCHEMA });
  } catch (error) {
    const [first = ""] = (error as Error).message.split("\n");
    throw new NotImportable("document_unreadable", `${file}: ${first.slice(0, 300)}`);
  }
}

// JSON has been held to all of this; YAML has aliases, which make a tree of a few lines endless.
function mustBeSound(tree: unknown, file: string): void {
  let nodes = 0;
  const look = (value: unknown, depth: number): void => {
    if (value === null || typeof value !== "object") return;
    if (depth > DEPTH_MAX) {
      const detail = `${file} is nested deeper than ${DEPTH_MAX} levels, or holds itself`;
      throw new NotImportable("document_unreadable", detail);
    }
    if (Object.hasOwn(value, "__proto__")) {
      throw new NotImportable("document_unreadable", `${file} has a key "__proto__"`);
    }
    const inner: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
    nodes += inner.length;
    if (nodes > NODES_MAX) {
      throw new NotImportable("document_too_large", `${file} has more than ${NODES_MAX} values`);
    }
    for (const one of inner) look(one, depth + 1);
  };
  look(tree, 0);
}
