// The slice of the document that a draft relies on, as the document has it today.
import { realpathSync } from "node:fs";
import { relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { sliceOf } from "../../contract/slice.ts";
import type { Slice } from "../../contract/slice.ts";
import { SliceError } from "../../contract/slice-error.ts";
import type { ApiDocument } from "./document.ts";
import type { Draft } from "./draft.ts";

/** The slice, or why there is none; a file is named as seen from the catalogue's folder. */
export function pinOf(
  document: ApiDocument,
  draft: Draft,
  folder: string,
  now: Date,
): Slice | { readonly failure: string } {
  const { url, sha256 } = document;
  const from = url.protocol === "file:" ? seenFrom(folder, fileURLToPath(url)) : url.href;
  const source = { from, sha256, retrieved: now.toISOString() };
  try {
    return sliceOf(document.root, draft.operation, { source, projection: draft.projection });
  } catch (error) {
    if (error instanceof SliceError) return { failure: `${error.code}: ${error.message}` };
    throw error;
  }
}

// The document's own path is a real one, too.
function seenFrom(folder: string, file: string): string {
  return relative(realpathSync(folder), file).split(sep).join("/");
}
