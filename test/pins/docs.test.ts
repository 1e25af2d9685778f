// The generated pages are what the source generates: `npm run docs` after a change.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect } from "vitest";
import { errorTable } from "../../src/kernel/errors.ts";
import { generatedDocs } from "../../scripts/gen-docs.ts";
import { verifies } from "../verifies.ts";

const ROOT = resolve(import.meta.dirname, "../..");

function generated(path: string): string {
  const text = generatedDocs().get(path);
  if (text === undefined) throw new Error(`${path} is not generated`);
  return text;
}

verifies("errors.page", "docs/errors.md is what the error table generates", () => {
  const page = readFileSync(resolve(ROOT, "docs/errors.md"), "utf8");
  expect(page).toBe(generated("docs/errors.md"));
  expect([...page.matchAll(/^## ([a-z_]+)$/gm)]).toHaveLength(Object.keys(errorTable).length);
});

verifies("config.schema", "docs/mcp.config.schema.json is what the schema generates", () => {
  const path = "docs/mcp.config.schema.json";
  expect(readFileSync(resolve(ROOT, path), "utf8")).toBe(generated(path));
});
