// The large documents' older editions, and ajv's word on each input schema: JSON Schema 2020-12
// read by somebody else.
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect } from "vitest";
import { imported, loaded, skip } from "../../../setup/openapi-corpus.ts";
import { verifies } from "../../../verifies.ts";

const DOCUMENTS: Readonly<Record<string, number>> = {
  "github-old.json": 1010,
  "github-new.json": 1201,
  "stripe-old.yaml": 442,
  "stripe-new.yaml": 466,
  "discord-new.json": 235,
  "discord-old.json": 201,
  "figma-new.yaml": 47,
  "notion-new.json": 24,
};

for (const [name, count] of Object.entries(DOCUMENTS)) {
  verifies(
    "import.corpus",
    `each draft of ${name} loads, and its input is a schema to ajv as well`,
    async () => {
      const { drafts } = await imported(name);
      const tools = loaded(drafts);
      expect(tools.size).toBe(count);
      const ajv = new Ajv2020({ strict: false, validateFormats: false, addUsedSchema: false });
      for (const { input_schema } of tools.values()) ajv.compile(input_schema);
    },
    { skip, timeout_ms: 300_000 },
  );
}
