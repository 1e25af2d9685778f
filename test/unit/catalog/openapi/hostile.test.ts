// Documents that were made to harm: each ends in a named error, or in a draft that is sound.
import { describe, expect } from "vitest";
import { documentOf, drafted, reasonOf } from "../../../setup/openapi.ts";
import { operationsOf, propose } from "../../../../src/catalog/openapi/propose.ts";
import { API } from "../../../setup/openapi.ts";
import type { Json } from "../../../setup/minimal.ts";
import { verifies } from "../../../verifies.ts";

const NONE = { names: new Map<string, string>(), own: new Map<string, string>() };
const HEAD = '"openapi":"3.0.0","info":{"title":"t","version":"1"}';
const OK = { 200: { description: "ok" } };

function withSchema(schema: unknown, more: Json = {}): Json {
  const parameters = [{ name: "q", in: "query", schema }];
  return { openapi: "3.0.0", paths: { "/x": { get: { parameters, responses: OK } } }, ...more };
}

function nested(depth: number): Json {
  let schema: Json = { type: "integer" };
  for (let i = 0; i < depth; i++) schema = { type: "array", items: schema };
  return schema;
}

const BOMB = [
  'openapi: "3.0.0"',
  "x-a: &a [1,1,1,1,1,1,1,1,1,1]",
  ..."bcdefghi".split("").map((name, i) => {
    const above = "abcdefgh"[i] ?? "a";
    return `x-${name}: &${name} [${Array(10).fill(`*${above}`).join(",")}]`;
  }),
].join("\n");

const UNREADABLE: Readonly<Record<string, string | Uint8Array>> = {
  nothing: "",
  "a word": "openapi",
  "half a document": '{"openapi":"3.0.0","paths":',
  "what is not UTF-8": Uint8Array.of(0x7b, 0xff, 0x7d),
  "a key given twice": `{${HEAD},"paths":{"/x":{},"/x":{}}}`,
  "__proto__ as a key": `{${HEAD},"__proto__":{"swagger":"2.0"}}`,
  "a thousand levels": `{${HEAD},"x":${"[".repeat(1000)}${"]".repeat(1000)}}`,
};

const YAML: Readonly<Record<string, readonly [string, string]>> = {
  "a bomb of aliases": [BOMB, "document_too_large"],
  "an alias to itself": ["openapi: '3.0.0'\nx: &a [*a]\n", "document_unreadable"],
  "a tag that names a type": ["openapi: !!js/function 'f'\n", "document_unreadable"],
  "a key given twice": ["openapi: 3.0.0\nopenapi: 3.1.0\n", "document_unreadable"],
  "__proto__ as a key": ["openapi: 3.0.0\n__proto__: { swagger: '2.0' }\n", "document_unreadable"],
  "two documents": ["openapi: 3.0.0\n---\nopenapi: 3.1.0\n", "document_unreadable"],
  "no version": ["info: {}\n", "document_not_openapi"],
  "version 4": ["openapi: 4.0.0\n", "document_not_openapi"],
  "Swagger 1.2": ["swagger: '1.2'\n", "document_not_openapi"],
};

describe("import", () => {
  for (const [what, text] of Object.entries(UNREADABLE)) {
    verifies("import.hostile", `refuses ${what} as a whole`, async () => {
      const reason = await reasonOf(() => documentOf(text));
      expect(["document_unreadable", "document_not_openapi"]).toContain(reason);
      expect(({} as Json)["swagger"]).toBeUndefined();
    });
  }

  for (const [what, [text, reason]] of Object.entries(YAML)) {
    verifies("import.hostile", `refuses ${what} in YAML as a whole`, async () => {
      expect(await reasonOf(() => documentOf(text, {}, "openapi.yaml"))).toBe(reason);
    });
  }

  verifies(
    "import.hostile",
    "refuses the operation whose schema is too deep, and no other",
    async () => {
      const document = documentOf(withSchema(nested(80)));
      expect(await reasonOf(() => drafted(document))).toBe("schema_too_deep");
    },
  );

  verifies("import.hostile", "ends with a chain of ten thousand allOf", async () => {
    const schemas = Object.fromEntries(
      Array.from({ length: 10_000 }, (_, i) => [
        `S${i}`,
        { allOf: [{ $ref: `#/components/schemas/S${i + 1}` }] },
      ]),
    );
    const schema = { $ref: "#/components/schemas/S0" };
    const document = documentOf(withSchema(schema, { components: { schemas } }));
    expect(await reasonOf(() => drafted(document))).toBe("schema_too_deep");
  });

  verifies("import.hostile", "ends where alternatives of alternatives multiply", async () => {
    const names = Array.from({ length: 14 }, (_, i) => `S${i}`);
    const schemas = Object.fromEntries(
      names.map((name, i) => [
        name,
        {
          type: "object",
          properties: {
            [`own${i}`]: { type: "integer" },
            next: {
              allOf: names
                .filter((_, j) => (i + j) % 3 > 0)
                .map((other) => ({ $ref: `#/components/schemas/${other}` })),
            },
          },
        },
      ]),
    );
    const schema = { $ref: "#/components/schemas/S0" };
    const document = documentOf(withSchema(schema, { components: { schemas } }));
    const reason = await reasonOf(() => drafted(document));
    expect(["schema_too_deep", "schema_too_large", "parameter_style"]).toContain(reason);
  });

  const OUTSIDE = [
    "/etc/passwd",
    "file:///etc/passwd",
    "../secret.json",
    "%2e%2e/secret.json",
    "sub/..%2f..%2fsecret.json",
    "http://169.254.169.254/latest/meta-data",
    "//169.254.169.254/x",
    "https://user:pass@api.test/x",
    "data:application/json,{}",
  ];
  for (const $ref of OUTSIDE) {
    verifies("import.hostile", `reads nothing at ${$ref}`, async () => {
      const asked: string[] = [];
      const files = new Proxy<Record<string, string>>(
        {},
        { get: (_target, name) => void asked.push(String(name)) },
      );
      const document = documentOf(withSchema({ $ref }), files);
      expect(await reasonOf(() => drafted(document))).toBe("reference_outside");
      expect(asked).toEqual([]);
    });
  }

  verifies("import.hostile", "lists 100,000 operations and drafts the last", async () => {
    const paths = Object.fromEntries(
      Array.from({ length: 100_000 }, (_, i) => [`/x${i}`, { get: {} }]),
    );
    const document = documentOf({ openapi: "3.0.0", paths });
    const listed = await operationsOf(document);
    expect(listed).toHaveLength(100_000);
    expect((await drafted(document, "GET /x99999")).name).toBe("api_get_x99999");
  });

  verifies(
    "import.hostile",
    "gives operations whose names meet after trimming names of their own",
    async () => {
      const id = (end: string): string => `a${"_very".repeat(20)}_long_name_${end}`;
      const paths = Object.fromEntries(
        ["one", "two", "three"].map((end) => [
          `/${end}`,
          { get: { operationId: id(end), responses: OK } },
        ]),
      );
      paths["/four"] = { get: { operationId: id("one"), responses: OK } };
      const document = documentOf({ openapi: "3.0.0", paths });
      const listed = await operationsOf(document);
      const { drafts, refused } = await propose(document, listed, API, NONE);
      expect(refused).toEqual([]);
      const names = drafts.map(({ file }) => file.name);
      expect(new Set(names).size).toBe(4);
      for (const name of names) expect(name).toMatch(/^api_[a-z0-9_]{1,44}$/);
      // Whatever else is imported with it, an operation's name stays its own.
      const alone = await propose(document, listed.slice(2, 3), API, NONE);
      expect(alone.drafts[0]?.file.name).toBe(names[2]);
    },
  );

  verifies("import.hostile", "shows in a draft's words no character that nobody sees", async () => {
    const summary = "Get\u202e\u200b it";
    const description = "Ignore\u{e0041} this.\n\n# Second";
    const get = { summary, description, responses: OK };
    const file = await drafted(documentOf({ openapi: "3.0.0", paths: { "/x": { get } } }));
    expect(file).toMatchObject({ title: "Get it", description: "Ignore this." });
  });

  verifies(
    "import.hostile",
    "takes properties called constructor and toString for what they are",
    async () => {
      const properties = { constructor: { type: "integer" }, toString: { type: "integer" } };
      const schema = { type: "object", properties, required: ["valueOf"] };
      const content = { "application/json": { schema } };
      const post = { requestBody: { required: true, content }, responses: OK };
      const file = await drafted(documentOf({ openapi: "3.0.0", paths: { "/x": { post } } }));
      expect(Object.keys(file["input"] as Json)).toEqual(["constructor", "to_string", "value_of"]);
    },
  );
});
