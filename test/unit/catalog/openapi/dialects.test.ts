// What the dialects of OpenAPI 3 say in different words: small documents, each with the arguments
// that it must come to.
import { describe, expect } from "vitest";
import {
  T,
  openapi,
  json,
  body,
  query,
  schemas,
  of,
  optional,
  inBody,
  inQuery,
  DOUBLE,
  tryEach,
} from "../../../setup/openapi-cases.ts";
import type { Case } from "../../../setup/openapi-cases.ts";
import { drafted, documentOf } from "../../../setup/openapi.ts";
import { verifies } from "../../../verifies.ts";

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
        { type: "array", items: { type: "integer" }, maxItems: 100, minItems: 1 },
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
      parameters: ["Accept", "Authorization", "x-request-id", "idempotency-key"].map((name) => ({
        name,
        in: "header",
        required: true,
        schema: { type: "string" },
      })),
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

describe("import", () => {
  tryEach(THREE);

  verifies("import.dialects", "reads a server's variable as YAML has it, a number", async () => {
    const file = await drafted(
      documentOf({
        ...openapi("3.0.0", {}),
        servers: [{ url: "https://a.test/{v}", variables: { v: { default: 2 } } }],
      }),
    );
    expect(file["operation"]).toBe("POST /2/x");
  });

  verifies("import.dialects", "reads the answer that will be asked for", async () => {
    const typed = (name: string) => ({
      schema: { type: "object", properties: { [name]: { type: "integer" } } },
    });
    const content = { "application/hal+json": typed("hal"), "application/json": typed("plain") };
    const file = await drafted(
      documentOf(openapi("3.0.0", { responses: { 200: { description: "ok", content } } })),
    );
    expect(Object.keys(file["output"] as object)).toEqual(["plain"]);
  });

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
