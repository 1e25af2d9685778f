// Cutting the slice of one tool: what is in it, what is refused and by which name, what the tool's
// own use makes of a change, and what a fingerprint covers.
import { describe, expect } from "vitest";
import { judge } from "../../../src/contract/compare.ts";
import type { Use } from "../../../src/contract/findings.ts";
import type { Projection } from "../../../src/contract/projection.ts";
import { neededFields } from "../../../src/contract/restrict.ts";
import { hashesOf, sliceOf } from "../../../src/contract/slice.ts";
import { SliceError } from "../../../src/contract/slice-error.ts";
import { verifies } from "../../verifies.ts";
import { cut, drift, library, lines, OPERATION } from "./drift-api.ts";
import type { Handles, Loose } from "./drift-api.ts";

const OPTIONS = { source: { from: "x", sha256: "y", retrieved: "z" } };
const text = { type: "string" } as const;

function codeOf(document: Loose, operation = OPERATION): string {
  try {
    sliceOf(document, operation, OPTIONS);
  } catch (error) {
    if (error instanceof SliceError) return error.code;
    throw error;
  }
  return "cut";
}

/** Shelves in shelves, deeper than anybody reads. */
function deep(levels: number): Loose {
  let schema: Loose = { type: "string" };
  for (let i = 0; i < levels; i++) schema = { type: "object", properties: { a: schema } };
  return schema;
}

const REFUSED: readonly (readonly [string, string, (api: Handles) => void, string?])[] = [
  ["no OpenAPI", "not_openapi", ({ document }) => delete document.openapi],
  ["a version of tomorrow", "not_openapi", ({ document }) => (document.openapi = "4.0.0")],
  ["no such path", "path_not_found", () => undefined, "GET /nowhere"],
  ["no such method", "operation_not_found", () => undefined, "PUT /shelves/{shelf}/books"],
  ["an inherited name", "path_not_found", () => undefined, "GET constructor"],
  ["a reference to nothing", "reference_not_found", ({ schemas }) => delete schemas.Publisher],
  [
    "a reference elsewhere",
    "reference_external",
    ({ input }) => (input.properties.publisher.$ref = "https://x.test/p.json"),
  ],
  [
    "references in a circle",
    "malformed",
    ({ document, operation }) => {
      document.components.parameters = { a: { $ref: "#/components/parameters/a" } };
      operation.parameters.push({ $ref: "#/components/parameters/a" });
    },
  ],
  ["a bottomless schema", "too_large", ({ input }) => (input.properties.deep = deep(300))],
  [
    "a schema of a thousand",
    "too_large",
    ({ input }) => (input.allOf = Array.from({ length: 1000 }, (_, i) => ({ minProperties: i }))),
  ],
];

const PROJECTION: Projection = new Map([
  [
    "id",
    { from: "/id", optional: false, kind: "value", schema: { type: "integer" }, ledger: "plain" },
  ],
  ["note", { from: "/note", optional: true, kind: "value", schema: text, ledger: "plain" }],
  [
    "others",
    {
      from: "/shelf/books",
      optional: false,
      kind: "list",
      items: new Map([
        [
          "title",
          { from: "/title", optional: false, kind: "value", schema: text, ledger: "plain" },
        ],
      ]),
    },
  ],
] as const);

describe("a slice", () => {
  for (const [what, code, change, operation] of REFUSED) {
    verifies("contract.slice", `of ${what} is refused as ${code}`, () => {
      const api = library();
      change(api);
      expect(codeOf(api.document, operation)).toBe(code);
    });
  }

  verifies("contract.slice", "keeps cycles as references and holds nothing unreached", () => {
    const api = library();
    api.schemas.Unreached = { type: "string", const: "secret-elsewhere" };
    const slice = cut(api.document);
    expect(Object.keys(slice.response.$defs)).toEqual(["Book", "Money", "Shelf"]);
    expect(JSON.stringify(slice)).not.toContain("secret-elsewhere");
    expect(JSON.stringify(slice)).not.toContain("Adds a book");
  });

  verifies("contract.slice", "of Swagger 2 is the one of the same API in OpenAPI 3", () => {
    const swagger = {
      swagger: "2.0",
      host: "api.test",
      basePath: "/v1",
      schemes: ["https"],
      securityDefinitions: { key: { type: "apiKey", in: "header", name: "X-Key" } },
      security: [{ key: [] }],
      paths: {
        "/x": {
          post: {
            parameters: [
              { in: "query", name: "n", type: "integer", maximum: 5, exclusiveMaximum: true },
              { in: "body", name: "b", required: true, schema: { $ref: "#/definitions/B" } },
            ],
            responses: { 200: { schema: { type: "array", items: { $ref: "#/definitions/B" } } } },
          },
        },
      },
      definitions: { B: { type: "object", properties: { a: text } } },
    };
    const json = (schema: unknown) => ({ content: { "application/json": { schema } } });
    const open = {
      openapi: "3.1.0",
      servers: [{ url: "https://api.test/v1" }],
      security: [{ k: [] }],
      paths: {
        "/x": {
          post: {
            parameters: [
              { in: "query", name: "n", schema: { type: "integer", exclusiveMaximum: 5 } },
            ],
            requestBody: { required: true, ...json({ $ref: "#/components/schemas/C" }) },
            responses: { 200: json({ type: "array", items: { $ref: "#/components/schemas/C" } }) },
          },
        },
      },
      components: {
        schemas: { C: { type: "object", properties: { a: text } } },
        securitySchemes: { k: { type: "apiKey", in: "header", name: "x-key" } },
      },
    };
    const [old, now] = [cut(swagger, "POST /x"), cut(open, "POST /x")];
    expect(judge(old, open, OPTIONS).findings).toEqual([]);
    expect(hashesOf(now)).toEqual(hashesOf(old));
  });

  verifies("contract.slice", "names the value that each hash is of, and no other", () => {
    const changed = (change: (api: Handles) => void) => {
      const api = library();
      const before = hashesOf(cut(api.document));
      change(api);
      const after = hashesOf(cut(api.document));
      return (["request", "response", "server", "security"] as const).filter(
        (side) => before[side] !== after[side],
      );
    };
    expect(changed(({ input }) => (input.properties.pages.maximum = 9))).toEqual(["request"]);
    expect(changed(({ output }) => output.required.pop())).toEqual(["response"]);
    expect(changed(({ document }) => (document.servers[0].url = "https://b.test"))).toEqual([
      "server",
    ]);
    expect(changed(({ document }) => (document.security = []))).toEqual(["security"]);
    expect(changed(({ operation }) => (operation.deprecated = true))).toEqual(["request"]);
  });
});

describe("what a tool uses", () => {
  const slice = (document: Loose) =>
    sliceOf(document, OPERATION, { ...OPTIONS, projection: PROJECTION });

  verifies(
    "contract.use",
    "the answer's side is cut down to the fields that the tool returns",
    () => {
      const { statuses, $defs } = slice(library().document).response;
      expect($defs).toEqual({});
      expect(statuses["200"]?.content["application/json"]).toEqual({
        type: "object",
        properties: {
          id: { type: "integer" },
          note: { type: "string" },
          shelf: {
            type: "object",
            properties: {
              books: {
                type: "array",
                items: {
                  type: "object",
                  properties: { title: { type: "string" } },
                  required: ["title"],
                },
              },
            },
          },
        },
        required: ["id"],
      });
    },
  );

  verifies("contract.use", "an answer that is a list is cut down item by item", () => {
    const api = library();
    const book = { $ref: "#/components/schemas/Book" };
    const { content } = api.operation.responses["200"];
    content["application/json"].schema = { type: "array", items: book };
    const id = {
      from: "/id",
      optional: false,
      kind: "value",
      schema: text,
      ledger: "plain",
    } as const;
    const list = { from: "", optional: false, kind: "list", items: new Map([["id", id]]) } as const;
    const projection = new Map([["books", list]]);
    const { statuses } = sliceOf(api.document, OPERATION, { ...OPTIONS, projection }).response;
    expect(statuses["200"]?.content["application/json"]).toEqual({
      type: "array",
      items: { type: "object", properties: { id: { type: "integer" } }, required: ["id"] },
    });
    expect([...neededFields(projection)]).toEqual(["/*/id"]);
  });

  verifies("contract.use", "a field that the tool does not return may do what it likes", () => {
    const api = library();
    const before = slice(api.document);
    api.output.properties.state = { type: "object" };
    delete api.output.properties.price;
    const judged = judge(before, api.document, { ...OPTIONS, projection: PROJECTION });
    expect(judged.findings).toEqual([]);
  });

  verifies("contract.use", "a field weighs as much as the tool depends on it", () => {
    const needs = neededFields(PROJECTION);
    expect([...needs]).toEqual(["/id", "/shelf", "/shelf/books", "/shelf/books/*/title"]);
    expect(lines(drift(({ output }) => delete output.properties.note, { needs }))).toEqual([
      "warn response-optional-property-removed /200/body/note",
    ]);
    expect(lines(drift(({ output }) => delete output.properties.shelf, { needs }))).toEqual([
      "break response-optional-property-removed /200/body/shelf",
    ]);
  });

  const sends: Use["sends"] = new Map([
    ["/path/shelf", { always: true }],
    ["/query/limit", { always: true, schema: { type: "integer", maximum: 40 } }],
    ["/body/title", { always: true, schema: { type: "string", maxLength: 80 } }],
    ["/body/binding", { always: false, schema: { type: "string", enum: ["paper"] } }],
    ["/body/isbn", { always: false }],
  ]);
  const found = (change: (api: Handles) => void) => lines(drift(change, { sends }));

  const CASES: readonly (readonly [string, (api: Handles) => void, string])[] = [
    [
      "what it sends is gone",
      ({ input }) => delete input.properties.isbn,
      "break request-property-removed /body/isbn",
    ],
    [
      "what it never sends is gone",
      ({ input }) => delete input.properties.tags,
      "info request-property-removed /body/tags",
    ],
    [
      "what it never sends is narrower",
      ({ input }) => (input.properties.pages.maximum = 1),
      "info request-property-max-decreased /body/pages",
    ],
    [
      "its own bound is tighter than the new one",
      ({ input }) => (input.properties.title.maxLength = 80),
      "info request-property-max-length-decreased /body/title",
    ],
    [
      "its own bound is not",
      ({ input }) => (input.properties.title.maxLength = 79),
      "break request-property-max-length-decreased /body/title",
    ],
    [
      "a value goes that it lets nobody send",
      ({ input }) => input.properties.binding.enum.pop(),
      "warn request-property-enum-value-removed /body/binding",
    ],
    [
      "a value goes that it lets through",
      ({ input }) => input.properties.binding.enum.shift(),
      "break request-property-enum-value-removed /body/binding",
    ],
    [
      "what it always sends is required",
      ({ parameter }) => (parameter("limit").required = true),
      "info request-parameter-became-required /query/limit",
    ],
    [
      "what it never sends is required",
      ({ parameter }) => (parameter("sort").required = true),
      "break request-parameter-became-required /query/sort",
    ],
    [
      "a default changes of what it always sends",
      ({ parameter }) => (parameter("limit").schema.default = 1),
      "info request-parameter-default-value-changed /query/limit",
    ],
    [
      "undeclared properties are refused, and it sends none",
      ({ input }) => (input.additionalProperties = false),
      "info request-additional-properties-forbidden /body",
    ],
    [
      "something is required in what it never sends",
      ({ schemas }) => (schemas.Publisher.required = ["name"]),
      "info request-property-became-required /body/publisher/name",
    ],
  ];
  for (const [what, change, expected] of CASES) {
    verifies("contract.use", `where ${what}, that is how it weighs`, () => {
      expect(found(change)).toEqual([expected]);
    });
  }
});

describe("a fingerprint", () => {
  const one = (change: (api: Handles) => void) => drift(change).findings[0]?.fingerprint ?? "";

  verifies("contract.accept", "stays while the change is the same, whatever else is said", () => {
    const shorter = ({ input }: Handles) => (input.properties.title.maxLength = 100);
    const again = one((api) => {
      shorter(api);
      api.operation.description = "other words";
    });
    expect(again).toBe(one(shorter));
    expect(again).toMatch(/^[0-9a-f]{12}$/);
  });

  verifies("contract.accept", "is another for a later change at the same place", () => {
    expect(one(({ input }) => (input.properties.title.maxLength = 100))).not.toBe(
      one(({ input }) => (input.properties.title.maxLength = 50)),
    );
    expect(one(({ document }) => (document.servers[0].url = "https://a.test"))).not.toBe(
      one(({ document }) => (document.servers[0].url = "https://b.test")),
    );
  });
});

describe("an announced end", () => {
  const ends = (date: string) => (api: Handles) => (api.operation["x-sunset"] = date);
  const between = (before: string, after: string | undefined, today?: string) => {
    const [old, now] = [library(), library()];
    ends(before)(old);
    if (after !== undefined) ends(after)(now);
    const use = today === undefined ? {} : { today };
    return lines(judge(cut(old.document), now.document, OPTIONS, use));
  };

  verifies("contract.rules", "that comes nearer, goes or has passed is a finding", () => {
    expect(between("2027-01-01", "2026-12-01")).toEqual([
      "warn api-sunset-date-changed-too-small ",
    ]);
    expect(between("2027-01-01", "2027-06-01")).toEqual(["info api-sunset-date-changed "]);
    expect(between("2027-01-01", undefined)).toEqual(["warn sunset-deleted "]);
    expect(between("2027-01-01", "2027-01-01", "2027-01-02")).toEqual(["break api-sunset-passed "]);
  });
});
