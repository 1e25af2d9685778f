// The operations of a document, as its author lists them.
import { NotImportable } from "./reason.ts";
import type { ApiDocument } from "./document.ts";
import { isJson, listAt, objectAt, textAt } from "./read.ts";
import type { Json } from "./read.ts";

const METHODS = [
  "get",
  "put",
  "post",
  "delete",
  "options",
  "head",
  "patch",
  "trace",
  "query",
] as const;
/** An operation as the document lists it. */
export interface Listed {
  /** `GET /deals/{id}`: what people and files name it by. */
  readonly key: string;
  readonly method: string;
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly deprecated: boolean;
  readonly node: Json;
  readonly item: Json;
}

/** Every operation, in the document's order. */
export function listOperations(document: ApiDocument): Listed[] {
  const found: Listed[] = [];
  for (const [path, pointed] of Object.entries(objectAt(document.root, "paths") ?? {})) {
    if (!path.startsWith("/") || !isJson(pointed)) continue;
    const item = resolved(document, pointed);
    if (item === undefined) continue;
    for (const method of METHODS) {
      const node = objectAt(item, method);
      if (node !== undefined) found.push(listed(method.toUpperCase(), path, node, item));
    }
    // OpenAPI 3.2: methods that it has no word for.
    for (const [method, node] of Object.entries(objectAt(item, "additionalOperations") ?? {})) {
      if (isJson(node)) found.push(listed(method.toUpperCase(), path, node, item));
    }
  }
  return found;
}

function resolved(document: ApiDocument, item: Json): Json | undefined {
  if (typeof item["$ref"] !== "string") return item;
  try {
    return { ...document.resolve(item).value, ...item, $ref: undefined };
  } catch (error) {
    // Its operations cannot even be named; the others can.
    if (error instanceof NotImportable) return undefined;
    throw error;
  }
}

function listed(method: string, path: string, node: Json, item: Json): Listed {
  const tag = listAt(node, "tags")[0];
  return {
    key: `${method} ${path}`,
    method,
    path,
    tag: typeof tag === "string" ? tag : "untagged",
    summary: textAt(node, "summary") ?? textAt(node, "operationId") ?? "",
    deprecated: node["deprecated"] === true,
    node,
    item,
  };
}
