// Drafts for the operations that were asked for, and the reasons for those that cannot be one.
import type { Connector } from "../definition.ts";
import type { ApiDocument } from "./document.ts";
import { draftOf } from "./draft.ts";
import type { Draft } from "./draft.ts";
import { bare } from "./folder.ts";
import type { Present } from "./folder.ts";
import { listOperations } from "./listing.ts";
import type { Listed } from "./listing.ts";
import { NotImportable } from "./reason.ts";
import type { Reason } from "./reason.ts";
import { parametersOf } from "./operation.ts";
import { objectAt, textAt } from "./read.ts";
import { originOf } from "./server.ts";
import { trimmed } from "./text.ts";

export interface Refused {
  readonly operation: string;
  readonly reason: Reason;
  readonly message: string;
}

export interface Proposal {
  readonly drafts: readonly Draft[];
  readonly refused: readonly Refused[];
}

/** What is in the document, read far enough to be listed. */
export async function operationsOf(document: ApiDocument): Promise<readonly Listed[]> {
  await document.gatherPaths();
  return listOperations(document);
}

/** A tool that is there keeps its name: the draft of its operation is compared with it. */
export async function propose(
  document: ApiDocument,
  chosen: readonly Listed[],
  connector: Connector,
  present: Present,
): Promise<Proposal> {
  const drafts: Draft[] = [];
  const refused: Refused[] = [];
  const given = new Set<string>();
  for (const listed of chosen) {
    try {
      await document.gather([listed.node, listed.item]);
      const draft = draftOf(document, listed, {
        connector,
        taken: (name) => given.has(name) || present.names.has(name),
      });
      const name = present.own.get(bare(String(draft.file["operation"]))) ?? draft.file.name;
      given.add(name);
      drafts.push({ ...draft, file: { ...draft.file, name } });
    } catch (error) {
      if (!(error instanceof NotImportable)) throw error;
      const { reason, message } = error;
      refused.push({ operation: listed.key, reason, message });
    }
  }
  return { drafts, refused };
}

const REQUEST_ID = /^(?:x-)?(?:request|correlation)-id$/i;
const IDEMPOTENCY = /^(?:x-)?idempotency-key$/i;

/** The connector's file, as the document suggests it. */
export function proposeConnector(
  document: ApiDocument,
  name: string,
  chosen: readonly Listed[],
): Readonly<Record<string, string>> {
  const headers = new Set<string>();
  for (const listed of chosen) {
    for (const one of parametersOf(document, listed)) {
      if (textAt(one, "in") === "header") headers.add(textAt(one, "name") ?? "");
    }
  }
  const title = trimmed(textAt(objectAt(document.root, "info") ?? {}, "title") ?? "", 100);
  const idempotency = [...headers].find((header) => IDEMPOTENCY.test(header));
  return {
    connector: name,
    title: title === "" ? name : title,
    request_id_header: [...headers].find((header) => REQUEST_ID.test(header)) ?? "X-Request-Id",
    ...(idempotency === undefined ? {} : { idempotency_header: idempotency }),
  };
}

/** What mcp.config.json needs so that the connector can be used. */
export function configSnippet(document: ApiDocument, name: string): Record<string, unknown> {
  const origin = originOf(document) ?? "https://api.example.com";
  return { [name]: { origin, delegation: { kind: "exchange", resource: origin } } };
}
