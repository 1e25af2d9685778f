// Where an operation is served: the origin that the connector needs, and the path before its own.
import { NotImportable } from "./reason.ts";
import type { ApiDocument } from "./document.ts";
import { isJson, listAt, objectAt, textAt } from "./read.ts";
import type { Json } from "./read.ts";

export interface Server {
  /** Nothing where the document does not say, or says it with a variable. */
  readonly origin: string | undefined;
  /** Without a slash at its end. */
  readonly path: string;
}

/** The document's own. */
export function originOf(document: ApiDocument): string | undefined {
  return read(document, document.root).origin;
}

export function serverOf(document: ApiDocument, node: Json, item: Json): Server {
  const server = servingOf(document, node, item);
  if (!server.path.includes(VARIABLE)) return server;
  throw new NotImportable("path_malformed", "its server's path has a variable without a default");
}

function servingOf(document: ApiDocument, node: Json, item: Json): Server {
  if (document.dialect === "2.0") return read(document, document.root);
  const own = [node, item].find((one) => listAt(one, "servers").length > 0);
  const home = read(document, document.root);
  if (own === undefined) return home;
  const server = read(document, own);
  if (server.origin !== home.origin) {
    const detail = server.origin ?? "a server that it does not name";
    throw new NotImportable("server_elsewhere", detail);
  }
  return server;
}

function read(document: ApiDocument, node: Json): Server {
  const url = document.dialect === "2.0" ? swaggerUrl(node) : serverUrl(node);
  const from = document.url.protocol === "file:" ? new URL(FILE_ORIGIN) : document.url;
  if (!URL.canParse(url, from)) return { origin: undefined, path: "" };
  const at = new URL(url, from);
  const path = at.pathname.replace(/\/+$/, "");
  const known = /^https?:$/.test(at.protocol) && !at.host.includes(VARIABLE);
  return { origin: known && at.origin !== FILE_ORIGIN ? at.origin : undefined, path };
}

// What a relative address is relative to, where the document is a file; nobody is asked there.
const FILE_ORIGIN = "http://origin.invalid";
const VARIABLE = "variable.invalid";

function serverUrl(node: Json): string {
  const [first] = listAt(node, "servers");
  if (!isJson(first)) return "/";
  const variables = objectAt(first, "variables") ?? {};
  return (textAt(first, "url") ?? "/").replaceAll(/\{([^{}]*)\}/g, (_braces, name: string) => {
    const value = objectAt(variables, name)?.["default"];
    // Without quotes YAML has a number there.
    return typeof value === "string" || typeof value === "number" ? String(value) : VARIABLE;
  });
}

function swaggerUrl(node: Json): string {
  const path = textAt(node, "basePath") ?? "/";
  const host = textAt(node, "host");
  if (host === undefined) return path;
  const schemes = listAt(node, "schemes");
  const scheme = schemes.includes("https") || schemes.length === 0 ? "https" : String(schemes[0]);
  return `${scheme}://${host}${path}`;
}
