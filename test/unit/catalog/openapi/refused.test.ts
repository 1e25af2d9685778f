// What no tool can say or send: each with its reason.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { REASONS } from "../../../../src/catalog/openapi/reason.ts";
import {
  OK,
  openapi,
  body,
  query,
  schemas,
  of,
  DOUBLE,
  tryEach,
  json,
  swagger,
} from "../../../setup/openapi-cases.ts";
import type { Case } from "../../../setup/openapi-cases.ts";
import { verifies } from "../../../verifies.ts";

const NEEDED = { type: "object", required: ["a"], properties: { a: { type: "integer" } } };

const REFUSED: readonly Case[] = [
  of(
    "a body by reference where none is sent",
    openapi(
      "3.0.0",
      json({ $ref: "#/components/schemas/Needed" }),
      schemas({ Needed: NEEDED }),
      "delete",
    ),
    "body_not_allowed",
  ),
  of(
    "a page as an answer, in Swagger",
    swagger({
      produces: ["text/csv"],
      responses: { 200: { description: "ok", schema: { type: "string" } } },
    }),
    "answer_not_json",
  ),
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
    "a server's path with a variable that says nothing",
    { ...openapi("3.0.0", {}), servers: [{ url: "https://a.test/{version}" }] },
    "path_malformed",
  ),
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
  tryEach([...REFUSED, ...PATHS]);
});

verifies("import.corpus", "docs/import.md lists each reason, and no other", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../../docs/import.md"), "utf8");
  const listed = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code);
  expect(listed).toEqual(Object.keys(REASONS));
});
