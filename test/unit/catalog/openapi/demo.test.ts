// The demo's declarative tools, and the drafts of the same operations out of the demo's own
// document: names, words and narrower bounds are a human's, the request is the document's.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { load as parseYaml } from "js-yaml";
import { buildContract } from "../../../../demo/saas/contract.ts";
import { openApiDocument } from "../../../../demo/saas/openapi.ts";
import { loadCatalog } from "../../../../src/catalog/load.ts";
import { pagedBy } from "../../../../src/catalog/pagination.ts";
import type { Pagination } from "../../../../src/catalog/pagination-file.ts";
import type { DeclarativeTool } from "../../../../src/catalog/definition.ts";
import {
  operationsOf,
  propose,
  proposeConnector,
} from "../../../../src/catalog/openapi/propose.ts";
import { ROOT } from "../../../setup/core-config.ts";
import { documentOf } from "../../../setup/openapi.ts";
import type { Json } from "../../../setup/minimal.ts";
import { verifies } from "../../../verifies.ts";

const TOOLS = join(ROOT, "tools");
const places = {
  api: "https://saas.test",
  issuer: "https://id.test",
  mail_issuer: "https://m.test",
};
const document = documentOf(openApiDocument(buildContract(1), places));
const tools = [...loadCatalog(TOOLS, { drafts: true }).tools.values()].filter(
  (tool): tool is DeclarativeTool => tool.kind === "declarative",
);

describe("the demo's tools", () => {
  for (const tool of tools) {
    verifies("import.demo", `${tool.name} asks for what the document says`, async () => {
      const key = `${tool.method} ${tool.path}`;
      const chosen = (await operationsOf(document)).filter((one) => one.key === key);
      const none = { names: new Map(), own: new Map() };
      const { drafts, refused } = await propose(document, chosen, tool.connector, none);
      expect(refused).toEqual([]);
      const file: Json = drafts[0]?.file ?? {};
      expect(file["operation"]).toBe(key);
      expect(file["scopes"]).toEqual(tool.scopes);
      // A page of a list is an argument of ours; a draft reads all of them by itself.
      const { fixed = {}, pagination } = file as { fixed?: Json; pagination?: Pagination };
      const alone = [
        ...Object.keys(fixed["query"] ?? {}),
        ...pagedBy(pagination ? { pagination } : {}),
      ];
      const paged = alone.map((name) => [name, { in: "query", optional: true, schema: {} }]);
      const input = { ...(file["input"] as Json), ...Object.fromEntries(paged) } as Record<
        string,
        Json
      >;
      expect(Object.keys(input).toSorted()).toEqual([...tool.inputs.keys()].toSorted());
      for (const [name, own] of tool.inputs) {
        const { in: place, as = name, optional = false, schema } = input[name] ?? {};
        expect({ in: place, as, optional }).toEqual({
          in: own.in,
          as: own.as,
          optional: own.optional,
        });
        expect(narrower(own.schema as Json, schema as Json), name).toEqual([]);
      }
    });
  }

  verifies(
    "import.demo",
    "are each an operation of the document, and their connectors as proposed",
    async () => {
      const listed = await operationsOf(document);
      const keys = new Set(listed.map((one) => one.key));
      expect(tools.filter(({ method, path }) => !keys.has(`${method} ${path}`))).toEqual([]);
      for (const name of new Set(tools.map(({ connector }) => connector.name))) {
        const own = listed.filter(({ path }) => path.startsWith(`/${name}/`));
        const there = parseYaml(readFileSync(join(TOOLS, name, "connector.yaml"), "utf8")) as Json;
        expect(readdirSync(TOOLS)).toContain(name);
        const proposed = proposeConnector(document, name, own);
        // Where nothing of it is written to, nobody needs a key for the second time.
        expect({ ...there, title: "" }).toMatchObject({ ...proposed, title: "" });
      }
    },
  );
});

const LESS = ["maximum", "maxLength", "maxItems"];
const MORE = ["minimum", "minLength", "minItems"];

/** Where `own` allows what `proposed` does not. */
function narrower(own: Json, proposed: Json): string[] {
  return Object.entries(proposed)
    .filter(([key, value]) => {
      const mine = own[key];
      if (LESS.includes(key))
        return mine === undefined ? own["format"] === undefined : Number(mine) > Number(value);
      if (MORE.includes(key)) return mine === undefined || Number(mine) < Number(value);
      if (key === "default" || key === "description") return false;
      return JSON.stringify(mine) !== JSON.stringify(value);
    })
    .map(([key, value]) => `${key}: ${JSON.stringify(own[key])} there, ${JSON.stringify(value)}`);
}
