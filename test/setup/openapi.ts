// Documents of APIs, as tests write them, and what becomes of their operations.
import { pathToFileURL } from "node:url";
import type { Connector } from "../../src/catalog/definition.ts";
import { ApiDocument } from "../../src/catalog/openapi/document.ts";
import { draftOf } from "../../src/catalog/openapi/draft.ts";
import type { Draft } from "../../src/catalog/openapi/draft.ts";
import { operationsOf } from "../../src/catalog/openapi/propose.ts";
import { NotImportable } from "../../src/catalog/openapi/reason.ts";
import type { Json } from "./minimal.ts";

export const API: Connector = {
  name: "api",
  title: "API",
  request_id_header: "X-Request-Id",
  idempotency_header: "Idempotency-Key",
  headers: {},
};

export function documentOf(
  text: string | Json | Uint8Array,
  files: Readonly<Record<string, string>> = {},
  name = "openapi.json",
): ApiDocument {
  const bytes =
    text instanceof Uint8Array
      ? text
      : Buffer.from(typeof text === "string" ? text : JSON.stringify(text));
  return new ApiDocument(bytes, pathToFileURL(`/api/${name}`), async ({ pathname }) => {
    const file = files[pathname.replace("/api/", "")];
    if (file === undefined) throw new Error("there is no such file");
    return Buffer.from(file);
  });
}

/** The draft of an operation, or the reason why there is none. */
export async function drafted(
  document: ApiDocument,
  key?: string,
  connector = API,
): Promise<Draft["file"] & Json> {
  const listed = await operationsOf(document);
  const one = key === undefined ? listed[0] : listed.find((other) => other.key === key);
  if (one === undefined) throw new Error(`the document has no ${key ?? "operation"}`);
  await document.gather([one.node, one.item]);
  return draftOf(document, one, { connector, taken: () => false }).file;
}

/** The named reason that `attempt` ends in; whatever else it ends in is the test's failure. */
export async function reasonOf(attempt: () => unknown): Promise<string> {
  try {
    await attempt();
  } catch (error) {
    if (error instanceof NotImportable) return error.reason;
    throw error;
  }
  return "none";
}
