// What the dialects of OpenAPI say in different words, and what no tool can say at all: a corpus of
// small documents, each with the arguments that it must come to, or the reason against it.
import { describe, expect } from "vitest";
import { drafted, documentOf, reasonOf } from "../../../setup/openapi.ts";
import type { Json } from "../../../setup/minimal.ts";
import { verifies } from "../../../verifies.ts";

const OK = { 200: { description: "ok" } };
const T = (maxLength: number): Json => ({ type: "string", maxLength });

const swagger = (operation: Json, more: Json = {}): Json => ({
  swagger: "2.0",
  info: { title: "t", version: "1" },
  paths: { "/x": { post: { responses: OK, ...operation } } },
  ...more,
});

const openapi = (version: string, operation: Json, more: Json = {}, method = "post"): Json => ({
  openapi: version,
  info: { title: "t", version: "1" },
  paths: { "/x": { [method]: { responses: OK, ...operation } } },
  ...more,
});
const json = (schema: unknown, required = true): Json => ({
  requestBody: { required, content: { "application/json": { schema } } },
});
const body = (properties: Json, required: string[] = []): Json =>
  json({ type: "object", properties, required });
const query = (schema: unknown, more: Json = {}): Json => ({
  parameters: [{ name: "q", in: "query", schema, ...more }],
});
const schemas = (all: Json): Json => ({ components: { schemas: all } });

interface Case {
  readonly what: string;
  readonly document: Json;
  /** Of `input`; or the reason. */
  readonly is: Json | string;
}
const of = (what: string, document: Json, is: Json | string): Case => ({ what, document, is });
const optional = { optional: true };
const inBody = (schema: Json, more: Json = {}): Json => ({ in: "body", ...more, schema });
const inQuery = (schema: Json, more: Json = {}): Json => ({
  in: "query",
  ...optional,
  ...more,
  schema,
});

const SWAGGER: readonly Case[] = [
  of(
    "a body",
    swagger(
      {
        parameters: [
          { name: "deal", in: "body", required: true, schema: { $ref: "#/definitions/D" } },
        ],
      },
      {
        definitions: {
          D: { type: "object", required: ["a"], properties: { a: { type: "integer" } } },
        },
      },
    ),
    { a: inBody({ type: "integer" }) },
  ),
  of(
    "a form",
    swagger({
      consumes: ["application/x-www-form-urlencoded"],
      parameters: [
        { name: "a", in: "formData", type: "string", maxLength: 5, required: true },
        {
          name: "b",
          in: "formData",
          type: "array",
          items: { type: "integer" },
          collectionFormat: "csv",
        },
      ],
    }),
    {
      a: inBody(T(5)),
      b: inBody(
        { type: "array", items: { type: "integer" }, maxItems: 100 },
        { ...optional, explode: false },
      ),
    },
  ),
  of(
    "a list by commas",
    swagger({
      parameters: [{ name: "q", in: "query", type: "array", items: { type: "integer" } }],
    }),
    {
      q: inQuery({ type: "array", items: { type: "integer" }, maxItems: 100 }, { explode: false }),
    },
  ),
  of(
    "a list as several",
    swagger({
      parameters: [
        {
          name: "q",
          in: "query",
          type: "array",
          items: { type: "integer" },
          collectionFormat: "multi",
        },
      ],
    }),
    { q: inQuery({ type: "array", items: { type: "integer" }, maxItems: 100 }) },
  ),
  of(
    "a list by pipes",
    swagger({
      parameters: [
        {
          name: "q",
          in: "query",
          type: "array",
          items: { type: "integer" },
          collectionFormat: "pipes",
        },
      ],
    }),
    {
      q: inQuery(
        { type: "array", items: { type: "integer" }, maxItems: 100 },
        { style: "pipeDelimited" },
      ),
    },
  ),
  of(
    "a list by tabs",
    swagger({
      parameters: [{ name: "q", in: "query", type: "array", items: {}, collectionFormat: "tsv" }],
    }),
    "parameter_style",
  ),
  of(
    "a file",
    swagger({ parameters: [{ name: "f", in: "formData", type: "file", required: true }] }),
    "body_not_text",
  ),
  of(
    "XML alone",
    swagger({
      consumes: ["application/xml"],
      parameters: [{ name: "b", in: "body", required: true, schema: {} }],
    }),
    "body_not_text",
  ),
  of(
    "x-nullable and a bound that is out",
    swagger({
      parameters: [
        {
          name: "q",
          in: "query",
          type: "integer",
          minimum: 0,
          exclusiveMinimum: true,
          "x-nullable": true,
        },
      ],
    }),
    { q: inQuery({ type: ["integer", "null"], exclusiveMinimum: 0 }) },
  ),
];

const THREE: readonly Case[] = [
  of("nullable", openapi("3.0.3", body({ a: { type: "integer", nullable: true } })), {
    a: inBody({ type: ["integer", "null"] }, optional),
  }),
  of("null as a type", openapi("3.1.0", body({ a: { type: ["integer", "null"] } })), {
    a: inBody({ type: ["integer", "null"] }, optional),
  }),
  of(
    "null as an alternative",
    openapi("3.1.0", body({ a: { oneOf: [{ type: "integer" }, { type: "null" }] } })),
    {
      a: inBody({ type: ["integer", "null"] }, optional),
    },
  ),
  of(
    "a nullable reference",
    openapi(
      "3.0.0",
      body({ a: { nullable: true, allOf: [{ $ref: "#/components/schemas/E" }] } }),
      schemas({ E: { type: "string", enum: ["x"] } }),
    ),
    { a: inBody({ type: ["string", "null"], enum: ["x", null] }, optional) },
  ),
  of(
    "exclusiveMaximum as a boolean",
    openapi("3.0.0", body({ a: { type: "number", maximum: 5, exclusiveMaximum: true } })),
    {
      a: inBody({ type: "number", exclusiveMaximum: 5 }, optional),
    },
  ),
  of(
    "exclusiveMaximum as a number",
    openapi("3.1.0", body({ a: { type: "number", exclusiveMaximum: 5 } })),
    {
      a: inBody({ type: "number", exclusiveMaximum: 5 }, optional),
    },
  ),
  of("const", openapi("3.1.0", body({ a: { const: "x" } }, ["a"])), {
    a: inBody({ type: "string", enum: ["x"] }),
  }),
  of("3.2 as far as it is 3.1", openapi("3.2.0", body({ a: { type: "boolean" } })), {
    a: inBody({ type: "boolean" }, optional),
  }),
  of(
    "what the API sets",
    openapi(
      "3.0.0",
      body({ id: { type: "integer", readOnly: true }, a: { type: "boolean" } }, ["id"]),
    ),
    {
      a: inBody({ type: "boolean" }, optional),
    },
  ),
  of(
    "what goes out of use",
    openapi("3.0.0", body({ b: { type: "integer", deprecated: true }, a: { type: "boolean" } })),
    {
      a: inBody({ type: "boolean" }, optional),
    },
  ),
  of(
    "allOf of records",
    openapi(
      "3.0.0",
      json({
        allOf: [
          { $ref: "#/components/schemas/A" },
          { type: "object", properties: { b: { type: "integer" } }, required: ["b"] },
        ],
      }),
      schemas({
        A: {
          type: "object",
          properties: { a: { type: "integer" }, b: { minimum: 3 } },
          required: ["a"],
        },
      }),
    ),
    { a: inBody({ type: "integer" }), b: inBody({ type: "integer", minimum: 3 }) },
  ),
  of(
    "alternatives of words",
    openapi(
      "3.0.0",
      body({
        a: {
          oneOf: [
            { type: "string", enum: ["x"] },
            { type: "string", enum: ["y"] },
          ],
        },
      }),
    ),
    { a: inBody({ type: "string", enum: ["x", "y"] }, optional) },
  ),
  of(
    "a word or a record",
    openapi(
      "3.0.0",
      body({
        a: {
          anyOf: [{ type: "integer" }, { type: "object", properties: { id: { type: "integer" } } }],
        },
      }),
    ),
    { a: inBody({ type: "integer" }, optional) },
  ),
  of(
    "alternatives of records",
    openapi(
      "3.1.0",
      body({
        a: {
          oneOf: [
            { type: "object", properties: { x: { type: "integer" } } },
            { type: "object", properties: { y: { type: "integer" } } },
          ],
        },
      }),
    ),
    {
      a: inBody(
        {
          anyOf: ["x", "y"].map((name) => ({
            type: "object",
            properties: { [name]: { type: "integer" } },
            additionalProperties: false,
          })),
        },
        optional,
      ),
    },
  ),
  of("a list as the body", openapi("3.0.0", json({ type: "array", items: { type: "integer" } })), {
    body: {
      in: "body",
      whole: true,
      schema: { type: "array", items: { type: "integer" }, maxItems: 100 },
    },
  }),
  of(
    "a map as the body",
    openapi("3.0.0", json({ type: "object", additionalProperties: { type: "integer" } }, false)),
    {
      body: {
        in: "body",
        whole: true,
        optional: true,
        schema: { type: "object", additionalProperties: { type: "integer" } },
      },
    },
  ),
  of(
    "a form with its own styles",
    openapi("3.0.0", {
      requestBody: {
        content: {
          "application/x-www-form-urlencoded": {
            encoding: { a: { style: "deepObject", explode: true }, b: { explode: false } },
            schema: {
              type: "object",
              properties: {
                a: { type: "object", properties: { x: { type: "integer" } } },
                b: { type: "array", items: { type: "integer" } },
              },
            },
          },
        },
      },
    }),
    {
      a: inBody(
        { type: "object", properties: { x: { type: "integer" } }, additionalProperties: false },
        { ...optional, style: "deepObject", explode: true },
      ),
      b: inBody(
        { type: "array", items: { type: "integer" }, maxItems: 100 },
        { ...optional, explode: false },
      ),
    },
  ),
  of(
    "JSON before a form",
    openapi("3.0.0", {
      requestBody: {
        content: {
          "multipart/form-data": { schema: {} },
          "application/x-www-form-urlencoded": { schema: {} },
          "application/vnd.api+json": {
            schema: { type: "object", properties: { a: { type: "boolean" } } },
          },
        },
      },
    }),
    { a: inBody({ type: "boolean" }, optional) },
  ),
  of(
    "a record in the query",
    openapi(
      "3.0.0",
      query(
        { type: "object", properties: { a: { type: "integer" } } },
        { style: "deepObject", explode: true },
      ),
    ),
    {
      q: inQuery(
        { type: "object", properties: { a: { type: "integer" } }, additionalProperties: false },
        { style: "deepObject", explode: true },
      ),
    },
  ),
  of("text without a bound", openapi("3.0.0", query({ type: "string" })), { q: inQuery(T(500)) }),
  of(
    "a pattern in linear time",
    openapi("3.0.0", query({ type: "string", pattern: "^[a-z]+$", maxLength: 9 })),
    {
      q: inQuery({ type: "string", maxLength: 9, pattern: "^[a-z]+$" }),
    },
  ),
  of(
    "a pattern that looks back",
    openapi("3.0.0", query({ type: "string", pattern: "(a)\\1", maxLength: 9 })),
    {
      q: inQuery({ type: "string", maxLength: 9 }),
    },
  ),
  of("anything at all", openapi("3.1.0", query({})), {
    q: inQuery({
      type: ["string", "number", "boolean", "object", "array", "null"],
      maxLength: 500,
      maxItems: 100,
      additionalProperties: true,
    }),
  }),
  of(
    "a cookie that it can do without",
    openapi("3.0.0", { parameters: [{ name: "c", in: "cookie", schema: { type: "string" } }] }),
    {},
  ),
  of(
    "headers that are the broker's",
    openapi("3.0.0", {
      parameters: [
        ...["Accept", "Authorization", "x-request-id", "idempotency-key"].map((name) => ({
          name,
          in: "header",
          required: true,
          schema: { type: "string" },
        })),
      ],
    }),
    {},
  ),
  of(
    "names that meet",
    openapi("3.0.0", {
      parameters: [{ name: "id", in: "query", schema: { type: "integer" } }],
      ...body({ id: { type: "integer" }, ID: { type: "integer" } }),
    }),
    {
      id: inQuery({ type: "integer" }),
      id_body: inBody({ type: "integer" }, { as: "id", ...optional }),
      id_body_2: inBody({ type: "integer" }, { as: "ID", ...optional }),
    },
  ),
  of(
    "names that are none",
    openapi("3.0.0", {
      parameters: ["$top", "filter[dealId]", "2fa", "日本"].map((name) => ({
        name,
        in: "query",
        schema: { type: "integer" },
      })),
    }),
    {
      top: inQuery({ type: "integer" }, { as: "$top" }),
      filter_deal_id: inQuery({ type: "integer" }, { as: "filter[dealId]" }),
      query_2fa: inQuery({ type: "integer" }, { as: "2fa" }),
      query: inQuery({ type: "integer" }, { as: "日本" }),
    },
  ),
];

const DOUBLE: Json = { type: "object", properties: { $ref: { type: "integer" } } };
const REFUSED: readonly Case[] = [
  of(
    "a cookie",
    openapi("3.0.0", { parameters: [{ name: "c", in: "cookie", required: true, schema: {} }] }),
    "cookie_parameter",
  ),
  of(
    "a header of the broker's",
    openapi("3.0.0", { parameters: [{ name: "Host", in: "header", required: true, schema: {} }] }),
    "header_reserved",
  ),
  of(
    "a parameter in XML",
    openapi("3.0.0", {
      parameters: [{ name: "q", in: "query", required: true, content: { "application/xml": {} } }],
    }),
    "parameter_style",
  ),
  of(
    "a list of records in a query's form",
    openapi("3.0.0", query({ type: "array", items: DOUBLE })),
    "parameter_style",
  ),
  of(
    "multipart",
    openapi("3.0.0", {
      requestBody: { required: true, content: { "multipart/form-data": { schema: {} } } },
    }),
    "body_not_text",
  ),
  of(
    "octets",
    openapi("3.0.0", {
      requestBody: { required: true, content: { "application/octet-stream": {} } },
    }),
    "body_not_text",
  ),
  of(
    "a body with DELETE",
    openapi("3.0.0", body({ a: {} }, ["a"]), {}, "delete"),
    "body_not_allowed",
  ),
  of("HEAD", openapi("3.0.0", {}, {}, "head"), "method_unsupported"),
  of("QUERY", openapi("3.2.0", {}, {}, "query"), "method_unsupported"),
  of(
    "an image as the answer",
    openapi("3.0.0", { responses: { 200: { content: { "image/png": {} } } } }),
    "answer_not_json",
  ),
  of(
    "a reference to nothing",
    openapi("3.0.0", body({ a: { $ref: "#/components/schemas/Gone" } })),
    "reference_dangling",
  ),
  of(
    "a reference to itself",
    openapi(
      "3.0.0",
      body({ a: { $ref: "#/components/schemas/A" } }),
      schemas({ A: { $ref: "#/components/schemas/A" } }),
    ),
    "reference_dangling",
  ),
  of("enum of nothing", openapi("3.0.0", query({ type: "string", enum: [] })), "schema_empty"),
  of("oneOf of nothing", openapi("3.0.0", query({ oneOf: [] })), "schema_empty"),
  of(
    "allOf of a number and a word",
    openapi("3.0.0", query({ allOf: [{ type: "string" }, { type: "integer" }] })),
    "schema_empty",
  ),
  of("a type of its own", openapi("3.0.0", query({ type: "money" })), "schema_malformed"),
  of(
    "another server",
    {
      ...openapi("3.0.0", { servers: [{ url: "https://b.test" }] }),
      servers: [{ url: "https://a.test" }],
    },
    "server_elsewhere",
  ),
  of(
    "a name of 101 characters",
    openapi("3.0.0", { parameters: [{ name: "x".repeat(101), in: "query", schema: {} }] }),
    "name_too_long",
  ),
  of(
    "an enum of two thousand words",
    openapi(
      "3.0.0",
      query({
        type: "string",
        enum: Array.from({ length: 2000 }, (_, i) => `a word of its own ${i}`),
      }),
    ),
    "schema_too_large",
  ),
  of(
    "a hidden letter in a name",
    openapi("3.0.0", body({ "a\u200bb": { type: "integer" } })),
    "hidden_characters",
  ),
  of(
    "a hidden letter in a value",
    openapi("3.0.0", query({ type: "string", enum: ["a\u202eb"] })),
    "hidden_characters",
  ),
];

const PATHS: readonly Case[] = [
  of(
    "a path parameter that nobody declares",
    { openapi: "3.0.0", paths: { "/x/{id}": { get: { responses: OK } } } },
    "path_parameter_mismatch",
  ),
  of(
    "a query in the path",
    { openapi: "3.0.0", paths: { "/x?y=1": { get: { responses: OK } } } },
    "path_malformed",
  ),
  of(
    "a path that walks",
    { openapi: "3.0.0", paths: { "/x/../y": { get: { responses: OK } } } },
    "path_malformed",
  ),
  of(
    "a path parameter with a dash",
    {
      openapi: "3.0.0",
      paths: {
        "/x/{deal-id}": {
          parameters: [
            { name: "deal-id", in: "path", required: true, schema: { type: "integer" } },
          ],
          get: { responses: OK },
        },
      },
    },
    { deal_id: { in: "path", schema: { type: "integer" } } },
  ),
];

describe("import", () => {
  for (const { what, document, is } of [...SWAGGER, ...THREE, ...REFUSED, ...PATHS]) {
    verifies(
      "import.dialects",
      `${typeof is === "string" ? "refuses" : "reads"} ${what}`,
      async () => {
        const read = documentOf(document);
        if (typeof is === "string") expect(await reasonOf(() => drafted(read))).toBe(is);
        else expect((await drafted(read))["input"]).toEqual(is);
      },
    );
  }

  verifies("import.dialects", "keeps a cycle of references, by name", async () => {
    const T1 = {
      type: "object",
      properties: {
        name: { type: "integer" },
        children: { type: "array", items: { $ref: "#/components/schemas/T1" } },
      },
    };
    const file = await drafted(
      documentOf(
        openapi("3.0.0", body({ root: { $ref: "#/components/schemas/T1" } }), schemas({ T1 })),
      ),
    );
    const $ref = "#/$defs/T1";
    expect(file["input"]).toEqual({ root: inBody({ $ref }, optional) });
    expect(file["$defs"]).toEqual({
      T1: {
        type: "object",
        properties: {
          name: { type: "integer" },
          children: { type: "array", items: { $ref }, maxItems: 100 },
        },
        additionalProperties: false,
      },
    });
  });

  verifies("import.dialects", "reads a schema whose property is called $ref", async () => {
    const file = await drafted(
      documentOf(
        openapi("3.0.0", body({ a: { $ref: "#/components/schemas/D" } }), schemas({ D: DOUBLE })),
      ),
    );
    expect(file["input"]).toEqual({
      a: inBody({ ...DOUBLE, additionalProperties: false }, optional),
    });
  });

  verifies(
    "import.dialects",
    "reads a kind and its kinds that each say they are the other",
    async () => {
      const Pet = {
        type: "object",
        properties: { name: { type: "integer" } },
        oneOf: [{ $ref: "#/components/schemas/Cat" }],
        discriminator: { propertyName: "name" },
      };
      const Cat = {
        allOf: [
          { $ref: "#/components/schemas/Pet" },
          { type: "object", properties: { claws: { type: "integer" } } },
        ],
      };
      const file = await drafted(
        documentOf(
          openapi("3.0.0", json({ $ref: "#/components/schemas/Pet" }), schemas({ Pet, Cat })),
        ),
      );
      expect(file["input"]).toEqual({
        claws: inBody({ type: "integer" }, optional),
        name: inBody({ type: "integer" }, optional),
      });
    },
  );
});
