// The generated pages are what the source generates: `npm run docs` after a change.
import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { load as parseYaml } from "js-yaml";
import { expect } from "vitest";
import { httpLimitsSchema, limitsSchema } from "../../src/config/limits.ts";
import type { Rate } from "../../src/config/limits.ts";
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

verifies(
  "broker.tool-files",
  "docs/tool.schema.json is what the schema generates, and takes each tool that is shipped",
  () => {
    const text = readFileSync(resolve(ROOT, "docs/tool.schema.json"), "utf8");
    expect(text).toBe(generated("docs/tool.schema.json"));
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const validate = ajv.compile(JSON.parse(text) as object);
    const tools = globSync("tools/*/*.tool.yaml", { cwd: ROOT }).map((file) => ({
      file,
      said: parseYaml(readFileSync(resolve(ROOT, file), "utf8")) as object,
    }));
    expect(tools.length).toBeGreaterThan(10);
    for (const { file, said } of tools) {
      expect(validate(said), file).toBe(true);
      expect(validate({ ...said, url: "https://api.test" }), file).toBe(false);
      expect(validate({ ...said, effects: {} }), file).toBe(false);
    }
  },
);

verifies(
  "limits.documented",
  "docs/limits.md lists each limit with the value that it has unset",
  () => {
    const page = readFileSync(resolve(ROOT, "docs/limits.md"), "utf8");
    const rows = new Map(
      [...page.matchAll(/^\| `(\w+)` \| .* \| (.*) \|$/gm)].map(([, name, unset]) => [name, unset]),
    );
    const { exclusive_idle_s: _, ...limits } = limitsSchema.parse({});
    const all = Object.keys(limitsSchema.shape).filter((name) => name !== "exclusive_idle_s");
    expect(new Set(rows.keys())).toEqual(new Set(all));
    for (const name of all) {
      const value = (limits as Record<string, unknown>)[name];
      expect(rows.get(name), name).toBe(name === "costs" ? "1" : saidOf(value));
    }
    const { strangers_per_address } = httpLimitsSchema.parse({});
    expect(page).toContain(`\`strangers_per_address\`, ${saidOf(strangers_per_address)}:`);
  },
);

function saidOf(value: unknown): string {
  if (value === undefined) return "as much as the user's";
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if ("burst" in value) {
    const { calls, per_s, burst } = value as Rate;
    return `${calls} per ${per_s} s, burst ${burst}`;
  }
  return Object.entries(value)
    .map(([name, one]) => `${name} ${String(one)}`)
    .join(", ");
}
