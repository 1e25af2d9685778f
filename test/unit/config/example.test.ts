// The configuration at the root: valid, whole, and described by the schema that it names.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { loadCatalog } from "../../../src/catalog/load.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { configJsonSchema } from "../../../src/config/schema.ts";
import { compilePolicy } from "../../../src/policy/policy.ts";
import { verifies } from "../../verifies.ts";
import { configFrom, minimalConfig, problemsOf, testFolder } from "../../setup/minimal.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const FILE = resolve(ROOT, "mcp.config.json");
const raw = JSON.parse(readFileSync(FILE, "utf8")) as Record<string, unknown>;

verifies("config.example", "the file at the root loads, and its catalogue fits it", () => {
  const config = loadConfig(FILE, {}, { secrets: false });
  const policy = compilePolicy(config, loadCatalog(config.tools_dir));
  expect(policy.agents).toEqual(["support", "sales", "research"]);
  expect(Object.keys(config.people)).toEqual([
    "dana",
    "mia",
    "omar",
    "zoe",
    "ines",
    "alex",
    "olga",
  ]);
});

verifies("config.schema", "the schema accepts the file at the root and what loads", () => {
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(
    configJsonSchema(),
  );
  expect(validate(raw), JSON.stringify(validate.errors)).toBe(true);
  expect(validate(minimalConfig())).toBe(true);
  expect(validate({ ...raw, colour: "blue" })).toBe(false);
  expect(validate({ ...raw, listen: { port: 70_000 } })).toBe(false);
});

verifies("config.schema", "the file at the root names the schema in the repository", () => {
  const named = resolve(ROOT, String(raw["$schema"]));
  const schema = JSON.parse(readFileSync(named, "utf8")) as unknown;
  expect(schema).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
});

test("a loaded configuration is frozen to its leaves", () => {
  const config = configFrom(minimalConfig());
  expect(Object.isFrozen(config)).toBe(true);
  expect(() => {
    (config.agents["desk"] as unknown as Record<string, unknown>)["title"] = "other";
  }).toThrow(TypeError);
  expect(() => {
    Object.assign(config.roles, { admin: {} });
  }).toThrow(TypeError);
});

test("a configuration's hash changes with its meaning, not with its spelling", () => {
  const config = configFrom(minimalConfig());
  expect(configFrom(JSON.stringify(minimalConfig())).hash).toBe(config.hash);
  const roles = { clerk: { desk: "all" }, guest: { desk: [] } };
  expect(configFrom(minimalConfig({ roles })).hash).not.toBe(config.hash);
});

verifies("config.mistake-located", "a file that is not there is said, with what to do", () => {
  const problems = problemsOf(() => loadConfig(`${testFolder()}/none.json`, {}));
  expect(problems).toHaveLength(1);
  expect(problems[0]?.message).toMatch(/no such file/);
  expect(problems[0]?.mend).toMatch(/--config/);
});

test("a place is the file and the line of a rule", () => {
  const config = configFrom(minimalConfig());
  const text = JSON.stringify(minimalConfig(), null, 2).split("\n");
  const line = text.findIndex((one) => one.includes('"guest"')) + 1;
  expect(config.place("/roles/guest")).toBe(`mcp.config.json:${line}`);
});
