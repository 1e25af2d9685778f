// The same as imported-apis.test.ts, of every operation of each document.
import { describe, expect } from "vitest";
import { openImported } from "../setup/imported-apis.ts";
import { DOCUMENTS, tryTools } from "../setup/imported-calls.ts";
import { skip } from "../setup/openapi-corpus.ts";
import { verifies } from "../verifies.ts";

describe("all tools imported from a public document", () => {
  for (const name of DOCUMENTS) {
    verifies(
      ["import.requests", "import.stub"],
      `send what an API takes that is ${name}, and every text arrives in its place or not at all`,
      async () => {
        const imported = await openImported([name], (keys) => keys);
        try {
          const tried = await tryTools(imported, name, { calls: 2, texts: 600 });
          expect(tried.wrong).toEqual([]);
          expect(tried.accepted).toBeGreaterThan(tried.tools);
        } finally {
          await imported.close();
        }
      },
      { skip, timeout_ms: 600_000 },
    );
  }
});
