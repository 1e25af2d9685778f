// What Swagger 2.0 says in other words than OpenAPI 3.
import { describe } from "vitest";
import {
  T,
  swagger,
  of,
  optional,
  inBody,
  inQuery,
  tryEach,
} from "../../../setup/openapi-cases.ts";
import type { Case } from "../../../setup/openapi-cases.ts";

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
        { type: "array", items: { type: "integer" }, maxItems: 100, minItems: 1 },
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
      q: inQuery(
        { type: "array", items: { type: "integer" }, maxItems: 100, minItems: 1 },
        { explode: false },
      ),
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
    { q: inQuery({ type: "array", items: { type: "integer" }, maxItems: 100, minItems: 1 }) },
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
        { type: "array", items: { type: "integer" }, maxItems: 100, minItems: 1 },
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

describe("import", () => {
  tryEach(SWAGGER);
});
