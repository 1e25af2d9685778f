// Every operation of public documents: a draft that the catalogue's own loader takes, or a reason.
// More of them are in corpus.long.test.ts.
import { describe, expect } from "vitest";
import { listingOf } from "../../../../src/policy/surface.ts";
import { imported, loaded, PICKED_FROM_GITHUB, skip } from "../../../setup/openapi-corpus.ts";
import { verifies } from "../../../verifies.ts";

/** Operations, how many of them become drafts, and why the others do not. */
const DOCUMENTS: Readonly<Record<string, readonly [number, Readonly<Record<string, number>>]>> = {
  "discord-new.json": [242, { answer_not_json: 2, body_not_text: 3, schema_empty: 2 }],
  "discord-old.json": [222, { answer_not_json: 1, body_not_text: 2, schema_empty: 18 }],
  "figma-new.yaml": [47, {}],
  "figma-old.yaml": [40, {}],
  "github-new.json": [1223, { answer_not_json: 4, body_not_allowed: 17, server_elsewhere: 1 }],
  "notion-new.json": [24, {}],
  "notion-old.json": [19, {}],
  "petstore-expanded.json": [4, {}],
  "petstore-expanded.swagger2.json": [4, {}],
};

describe("import of a public document", () => {
  for (const [name, [operations, reasons]] of Object.entries(DOCUMENTS)) {
    verifies(
      "import.corpus",
      `drafts or refuses each operation of ${name}`,
      async () => {
        const { drafts, refused } = await imported(name);
        expect(drafts.length + refused.length).toBe(operations);
        const counted = Object.groupBy(refused, ({ reason }) => reason);
        const counts = Object.entries(counted).map(([reason, all]) => [reason, all.length]);
        expect(Object.fromEntries(counts)).toEqual(reasons);
        expect(loaded(drafts).size).toBe(drafts.length);
      },
      { skip, timeout_ms: 60_000 },
    );
  }

  verifies(
    "import.tokens",
    "twenty tools picked from GitHub cost fewer than 8,000 tokens",
    async () => {
      const { drafts } = await imported("github-new.json", PICKED_FROM_GITHUB);
      expect(drafts).toHaveLength(20);
      const listed = [...loaded(drafts).values()].map((tool) => listingOf(tool));
      // Four bytes a token: what the research measured with.
      expect(Buffer.byteLength(JSON.stringify(listed)) / 4).toBeLessThan(8000);
    },
    { skip, timeout_ms: 60_000 },
  );
});
