// Tool files: each mistake stops the load; a draft is not loaded; a hash covers all of a tool.
import { describe, expect, test } from "vitest";
import { loadCatalog } from "../../../src/catalog/load.ts";
import { verifies } from "../../verifies.ts";
import {
  catalogFolder,
  catalogOf,
  CONNECTOR_YAML,
  problemsOf,
  put,
  toolFile,
  WRITES,
} from "../../setup/minimal.ts";
import type { Json } from "../../setup/minimal.ts";

const PATH_ID = { in: "path", schema: { type: "integer", minimum: 1 } };
const TEXT = { type: "string", maxLength: 10 };
const LIST = { type: "array", maxItems: 3, items: TEXT };
const effects = { readOnly: true, destructive: false, idempotent: true, openWorld: false };
const id = { from: "/id", schema: { type: "integer" } };
const withInput = (input: Json): Json => ({ input: { id: PATH_ID, ...input } });

interface Wrong {
  readonly what: string;
  readonly change: Json;
  readonly pointer: string | readonly string[];
  readonly says?: RegExp;
}
const wrong = (what: string, change: Json, pointer: Wrong["pointer"], says?: RegExp): Wrong => ({
  what,
  change,
  pointer,
  ...(says === undefined ? {} : { says }),
});

const MISTAKES: readonly Wrong[] = [
  wrong("no effects", { effects: undefined }, "/effects"),
  wrong(
    "an effect left out",
    { effects: { ...effects, destructive: undefined } },
    "/effects/destructive",
  ),
  wrong(
    "effects that are guessed",
    { effects: { ...effects, readOnly: "yes" } },
    "/effects/readOnly",
  ),
  wrong("no target", { target: undefined }, "/target"),
  wrong("a target in no form", { target: "items" }, "/target", /kind:\{argument\}/),
  wrong("a target that no input names", { target: "item:{sku}" }, "/target", /no required input/),
  wrong(
    "a target that an optional input names",
    { ...withInput({ q: { in: "query", optional: true, schema: TEXT } }), target: "item:{q}" },
    "/target",
  ),
  wrong("an unknown key", { url: "https://x.test" }, "", /url/),
  wrong(
    "an unknown key in an input",
    withInput({ q: { in: "query", schema: TEXT, if: 1 } }),
    "/input/q",
  ),
  wrong("a URL as operation", { operation: "GET https://x.test/items/{id}" }, "/operation"),
  wrong("an unknown method", { operation: "CONNECT /items/{id}" }, "/operation"),
  wrong("a query in the path", { operation: "GET /items/{id}?all=1" }, "/operation", /malformed/),
  wrong("a backslash in the path", { operation: String.raw`GET /items\{id}` }, "/operation"),
  wrong("a path argument without input", { operation: "GET /shelf/{shelf}/{id}" }, "/operation"),
  wrong("an input that the path lacks", { operation: "GET /items" }, "/input/id", /no \{id\}/),
  wrong("an optional path argument", { input: { id: { ...PATH_ID, optional: true } } }, "*"),
  wrong("a body for GET", withInput({ b: { in: "body", schema: TEXT } }), "/input/b/in"),
  wrong(
    "text without maxLength",
    withInput({ q: { in: "query", schema: { type: "string" } } }),
    "/input/q/schema",
  ),
  wrong(
    "a list without maxItems",
    withInput({ q: { in: "query", schema: { type: "array", items: TEXT } } }),
    "/input/q/schema",
  ),
  wrong(
    "unbounded text deep inside",
    {
      ...WRITES,
      ...withInput({
        b: {
          in: "body",
          schema: { type: "object", properties: { x: { type: "string" } } },
        },
      }),
    },
    "/input/b/schema/properties/x",
  ),
  wrong(
    "a style that its place does not have",
    withInput({ q: { in: "query", style: "matrix", schema: TEXT } }),
    "/input/q/style",
    /no matrix in a query/,
  ),
  wrong(
    "pipes that are exploded",
    withInput({ q: { in: "query", style: "pipeDelimited", explode: true, schema: LIST } }),
    "/input/q/explode",
  ),
  wrong(
    "a deep object that is text",
    withInput({ q: { in: "query", style: "deepObject", schema: TEXT } }),
    "/input/q/style",
  ),
  wrong(
    "lists in lists in a query",
    withInput({ q: { in: "query", schema: { ...LIST, items: LIST } } }),
    "/input/q/schema",
    /single values/,
  ),
  wrong(
    "an open object beside other arguments",
    withInput({ q: { in: "query", schema: { type: "object" } } }),
    "/input/q/schema",
    /beside those of other arguments/,
  ),
  wrong(
    "reserved characters let through",
    withInput({ q: { in: "query", allowReserved: true, schema: TEXT } }),
    "/input/q",
    /allowReserved/,
  ),
  wrong(
    "a style in a JSON body",
    { ...WRITES, ...withInput({ b: { in: "body", style: "form", schema: LIST } }) },
    "/input/b",
  ),
  wrong(
    "a whole body beside another input",
    {
      ...WRITES,
      ...withInput({
        b: { in: "body", whole: true, schema: LIST },
        c: { in: "body", schema: TEXT },
      }),
    },
    "/input/b/whole",
  ),
  wrong(
    "a whole query",
    withInput({ q: { in: "query", whole: true, schema: TEXT } }),
    "/input/q/whole",
  ),
  wrong(
    "a list as a form",
    { ...WRITES, body: "form", ...withInput({ b: { in: "body", whole: true, schema: LIST } }) },
    "/input/b/schema",
  ),
  wrong(
    "two inputs under one name",
    withInput({ q: { in: "query", schema: TEXT }, p: { in: "query", as: "q", schema: TEXT } }),
    "/input/p",
  ),
  wrong(
    "an input under a fixed name",
    {
      fixed: { header: { "X-Api": "1" } },
      ...withInput({ q: { in: "header", as: "x-api", schema: TEXT } }),
    },
    "/input/q",
  ),
  wrong(
    "a fixed header of the broker's",
    { fixed: { header: { Cookie: "a=b" } } },
    "/fixed/header/Cookie",
  ),
  wrong(
    "a fixed header of two lines",
    { fixed: { header: { "X-A": "a\nb" } } },
    "/fixed/header/X-A",
  ),
  wrong(
    "a reference that leads nowhere",
    withInput({ q: { in: "query", schema: { $ref: "#/$defs/Other" } } }),
    "/input/q/schema/$ref",
    /no such definition/,
  ),
  wrong(
    "a definition that is itself",
    {
      $defs: { A: { anyOf: [{ $ref: "#/$defs/B" }, { type: "null" }] }, B: { $ref: "#/$defs/A" } },
      ...withInput({ q: { in: "query", schema: { type: "integer" } } }),
    },
    ["/$defs/A/anyOf/0/$ref", "/$defs/B/$ref"],
    /leads back/,
  ),
  wrong(
    "unbounded text in a definition",
    { $defs: { A: { anyOf: [{ type: "string" }, { type: "null" }] } } },
    "/$defs/A/anyOf/0",
  ),
  wrong(
    "a reference in an answer",
    {
      $defs: { A: { type: "null" } },
      output: { id: { from: "/id", schema: { $ref: "#/$defs/A" } } },
    },
    "/output/id/schema/$ref",
  ),
  wrong("read-only and destructive", { effects: { ...effects, destructive: true } }, "/effects"),
  wrong("read-only DELETE", { operation: "DELETE /items/{id}" }, "/effects", /read-only/),
  wrong("no scope", { scopes: [] }, "/scopes"),
  wrong("a scope with a space", { scopes: ["a b"] }, "/scopes/0"),
  wrong(
    "a keyword nobody enforces",
    { output: { id: { from: "/id", schema: { type: "string", contains: {} } } } },
    "/output/id/schema",
  ),
  wrong("a field with schema and items", { output: { a: { ...id, items: { id } } } }, "/output/a"),
  wrong("a field of no kind", { output: { a: { from: "/a" } } }, "/output/a"),
  wrong("a dotted path in the answer", { output: { a: { ...id, from: "a.b" } } }, "/output/a/from"),
  wrong("a name with a capital", { name: "Item_get" }, "/name"),
  wrong("a name that is not the file's", { name: "item_put" }, "/name", /not the file's name/),
  wrong("a timeout of an hour", { limits: { timeout_ms: 3_600_000 } }, "/limits/timeout_ms"),
  wrong("an unknown status", { status: "live" }, "/status"),
];

describe("a tool file", () => {
  verifies("broker.tool-files", "without a mistake is a tool", () => {
    expect([...catalogOf(toolFile("item_get")).tools.keys()]).toEqual(["item_get"]);
  });

  for (const { what, change, pointer, says } of MISTAKES) {
    verifies("broker.tool-files", `with ${what} stops the load`, () => {
      const file = { ...toolFile("item_get"), ...change };
      const folder = catalogFolder({ "item_get.tool.yaml": file });
      const problems = problemsOf(() => loadCatalog(folder));
      const pointers = problems.map((problem) => problem.pointer);
      if (pointer === "*") expect(pointers).toContain("/input/id/optional");
      else expect(pointers).toEqual([pointer].flat());
      expect(problems[0]?.file).toBe(`${folder}/shop/item_get.tool.yaml`);
      expect(problems[0]?.mend).toMatch(/\S/);
      if (says !== undefined) expect(problems[0]?.message).toMatch(says);
    });
  }

  for (const header of ["Authorization", "cookie", "HOST", "Content-Length", "X-Forwarded-For"]) {
    verifies("broker.tool-files", `a connector cannot set ${header}`, () => {
      const folder = catalogFolder({ "item_get.tool.yaml": toolFile("item_get") });
      put(folder, "shop/connector.yaml", `${CONNECTOR_YAML}headers: { ${header}: x }\n`);
      expect(problemsOf(() => loadCatalog(folder)).length).toBeGreaterThan(0);
    });
  }

  verifies("broker.tool-files", "all mistakes of all files are said together", () => {
    const folder = catalogFolder({
      "item_get.tool.yaml": toolFile("item_get", { effects: undefined }),
      "item_put.tool.yaml": toolFile("item_put", { target: undefined, scopes: [] }),
      "item_run.tool.ts": "export {}",
    });
    const failure = "it is broken";
    const manifests = new Map([[`${folder}/shop/item_run.tool.ts`, { failure }]]);
    put(folder, "other/connector.yaml", "connector: elsewhere\ntitle: Other\n");
    put(folder, "empty/readme.md", "no connector here");
    const problems = problemsOf(() => loadCatalog(folder, { drafts: false, manifests }));
    const said = problems.map(({ file, pointer }) => `${file.slice(folder.length)} ${pointer}`);
    expect(said.toSorted()).toEqual([
      "/empty/connector.yaml ",
      "/other/connector.yaml /connector",
      "/shop/item_get.tool.yaml /effects",
      "/shop/item_put.tool.yaml /scopes",
      "/shop/item_put.tool.yaml /target",
      "/shop/item_run.tool.ts ",
    ]);
  });

  verifies("broker.tool-files", "two tools of one name stop the load", () => {
    const folder = catalogFolder({ "item_get.tool.yaml": toolFile("item_get") });
    put(folder, "store/connector.yaml", "connector: store\ntitle: Store\n");
    put(folder, "store/item_get.tool.yaml", JSON.stringify(toolFile("item_get")));
    expect(problemsOf(() => loadCatalog(folder)).map(({ message }) => message)).toEqual([
      "two tools have this name",
    ]);
  });
});

describe("drafts", () => {
  const draft = (): string =>
    catalogFolder({
      "item_get.tool.yaml": toolFile("item_get"),
      "item_put.tool.yaml": toolFile("item_put", { ...WRITES, status: "draft" }),
    });

  verifies("surface.drafts", "a draft is not loaded; its name alone is remembered", () => {
    const catalog = loadCatalog(draft());
    expect([...catalog.tools.keys()]).toEqual(["item_get"]);
    expect(catalog.drafts).toEqual(["item_put"]);
    expect(Object.isFrozen(catalog.drafts)).toBe(true);
  });

  verifies("surface.drafts", "its author can load it, by name of the option alone", () => {
    const catalog = loadCatalog(draft(), { drafts: true });
    expect([...catalog.tools.keys()].toSorted()).toEqual(["item_get", "item_put"]);
    expect(catalog.drafts).toEqual([]);
  });
});

describe("the hash of a tool", () => {
  const hashOf = (changes: Json = {}): string | undefined =>
    catalogOf(toolFile("item_get", changes)).tools.get("item_get")?.hash;

  for (const [key, value] of Object.entries({
    title: "Other",
    description: "Other words",
    operation: "GET /other/{id}",
    input: { id: { ...PATH_ID, description: "x" } },
    output: { id: { ...id, optional: true } },
    effects: { ...effects, idempotent: false },
    target: "none",
    scopes: ["items:all"],
    limits: { timeout_ms: 14_999 },
  })) {
    verifies("broker.tool-files", `changes with its ${key}`, () => {
      expect(hashOf({ [key]: value })).not.toBe(hashOf());
    });
  }

  test("does not change with the order or the spelling of the file", () => {
    const reversed = Object.fromEntries(Object.entries(toolFile("item_get")).toReversed());
    const hash = catalogOf(reversed).tools.get("item_get")?.hash;
    expect(hash).toBe(hashOf());
    expect(hash).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  test("changes with its connector", () => {
    const folder = catalogFolder({ "item_get.tool.yaml": toolFile("item_get") });
    put(folder, "shop/connector.yaml", `${CONNECTOR_YAML}headers: { X-Api-Version: "2" }\n`);
    expect(loadCatalog(folder).tools.get("item_get")?.hash).not.toBe(hashOf());
  });
});
