// Tools imported from public documents, before APIs that know nothing but their document.
import { afterAll, beforeAll, describe, expect } from "vitest";
import { openImported } from "../setup/imported-apis.ts";
import type { ImportedApis } from "../setup/imported-apis.ts";
import { DOCUMENTS, tryTools } from "../setup/imported-calls.ts";
import { skip } from "../setup/openapi-corpus.ts";
import { verifies } from "../verifies.ts";

const EACH = 8;

let imported: ImportedApis;
beforeAll(async () => {
  if (skip === undefined) imported = await openImported(DOCUMENTS, spread);
});
afterAll(() => imported?.close());

/** From beginning to end, as many as are tried here; all are in the long tier. */
function spread(keys: readonly string[]): readonly string[] {
  return keys.filter((_, i) => i % Math.ceil(keys.length / EACH) === 0);
}

describe("tools imported from a public document", () => {
  for (const name of DOCUMENTS) {
    verifies(
      ["import.requests", "import.stub"],
      `send what an API takes that is ${name}, and every text arrives in its place or not at all`,
      async () => {
        const tried = await tryTools(imported, name, { calls: 3, texts: 36 });
        expect(tried.wrong).toEqual([]);
        expect(tried.tools).toBeGreaterThan(3);
        expect(tried.accepted).toBeGreaterThan(tried.tools);
      },
      { skip },
    );
  }
});
