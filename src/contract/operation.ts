// Finds one operation in a document, by its method and path; a path parameter's name is nothing.
import { own } from "../kernel/own.ts";
import { isRaw, followed, rawOf, textOf } from "./raw.ts";
import type { Raw } from "./raw.ts";
import { SliceError } from "./slice-error.ts";

export interface Found {
  readonly document: Raw;
  readonly swagger: boolean;
  readonly info: Raw;
  readonly method: string;
  readonly item: Raw;
  readonly node: Raw;
  /** The document's names of path parameters -> those of the operation that was asked for. */
  readonly renamed: ReadonlyMap<string, string>;
}

const NAME = /\{([^{}]*)\}/g;

export function operationIn(document: Raw, operation: string): Found {
  const swagger = versionIn(document, "swagger") === "2.0";
  if (!swagger && !/^3\.[0-2](?:\.|$)/.test(versionIn(document, "openapi") ?? "")) {
    const mend = 'it needs "openapi": "3.0" to "3.2", or "swagger": "2.0"';
    throw new SliceError("not_openapi", `not an OpenAPI document: ${mend}`);
  }
  const [method = "", wanted = ""] = operation.split(" ");
  const paths = rawOf(document, "paths");
  const path = pathIn(paths, wanted);
  if (path === undefined) throw new SliceError("path_not_found", `there is no path ${wanted}`);
  const item = followed(document, paths[path]);
  const node = item[method.toLowerCase()];
  if (!isRaw(node)) {
    throw new SliceError("operation_not_found", `the path ${wanted} has no ${method}`);
  }
  const names = [...path.matchAll(NAME)].map((match) => match[1] ?? "");
  const ours = [...wanted.matchAll(NAME)].map((match) => match[1] ?? "");
  const renamed = new Map(names.map((name, i) => [name, ours[i] ?? name]));
  return { document, swagger, info: rawOf(document, "info"), method, item, node, renamed };
}

// Without quotes YAML has a number there.
function versionIn(document: Raw, key: string): string | undefined {
  const said = own(document, key);
  return typeof said === "number" ? said.toFixed(1) : textOf(document, key);
}

function pathIn(paths: Raw, wanted: string): string | undefined {
  if (Object.hasOwn(paths, wanted)) return wanted;
  const shape = wanted.replaceAll(NAME, "{}");
  return Object.keys(paths).find((path) => path.replaceAll(NAME, "{}") === shape);
}
