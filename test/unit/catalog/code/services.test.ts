// Services in the styles of Express, Fastify and Hono: each route is found, or said why not.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { UNREAD } from "../../../../src/catalog/code/reason.ts";
import { ROOT } from "../../../setup/core-config.ts";
import { verifies } from "../../../verifies.ts";
import { operationIn, readFolder, routesOf, unreadOf } from "./reading.ts";

const FIXTURES = join(import.meta.dirname, "../../../fixtures/code");

verifies("import.code-routes", "an Express service's routes are found, or a reason is", () => {
  const read = readFolder(join(FIXTURES, "express"));
  expect(routesOf(read)).toEqual([
    "DELETE /legacy/items/{id} src/routes/legacy.js:6",
    "GET /admin/dump src/app.ts:31",
    "GET /admin/locks/{name} src/app.ts:26",
    "GET /api/v2/customers src/routes/customers.cjs:5",
    "GET /api/v2/orders src/routes/orders.ts:20",
    "GET /customers src/routes/customers.cjs:5",
    "GET /gadgets src/app.ts:35",
    "GET /health src/app.ts:13",
    "GET /reports/daily/{day} src/routes/index.ts:7",
    "GET /reports/{kind} src/routes/index.ts:8",
    "GET /reports/{kind}/{id} src/routes/index.ts:8",
    "GET /widgets src/app.ts:35",
    "PATCH /api/v2/orders/{id} src/routes/orders.ts:25",
    "POST /api/v2/customers src/routes/customers.cjs:5",
    "POST /api/v2/orders src/routes/orders.ts:21",
    "POST /api/v2/orders/{id}/ship src/routes/orders.ts:28",
    "POST /customers src/routes/customers.cjs:5",
    "PUT /admin/locks/{name} src/app.ts:27",
  ]);
  expect(unreadOf(read)).toEqual([
    "src/app.ts:20 mount_elsewhere",
    "src/app.ts:42 method_any",
    "src/app.ts:43 path_regex",
    "src/app.ts:44 path_wildcard",
    "src/app.ts:45 path_computed",
    "src/app.ts:46 method_computed",
    "src/routes/customers.cjs:5 body_unsaid",
    "src/routes/customers.cjs:5 body_unsaid",
  ]);
});

verifies("import.code-routes", "a Fastify service's routes are found, or a reason is", () => {
  const read = readFolder(join(FIXTURES, "fastify"));
  expect(routesOf(read)).toEqual([
    "DELETE /internal/cache src/app.mts:18",
    "GET /by-folder src/routes/auto/root.ts:6",
    "GET /internal/tickets src/routes/tickets.ts:15",
    "GET /near/{lat}-{lng}/r:me src/app.mts:32",
    "GET /ping src/plugins/shared.ts:6",
    "GET /status src/app.mts:25",
    "GET /v1/people/{name} src/routes/people.mts:4",
    "GET /v1/tickets src/routes/tickets.ts:15",
    "GET /{team}/rooms/{room} src/routes/auto/_team/rooms/index.ts:4",
    "HEAD /status src/app.mts:25",
    "HEAD /v1/people/{name} src/routes/people.mts:8",
    "POST /internal/tickets/{id}/replies src/routes/tickets.ts:30",
    "POST /v1/tickets/{id}/replies src/routes/tickets.ts:30",
    "PUT /internal/tickets/{id} src/routes/tickets.ts:38",
    "PUT /v1/tickets/{id} src/routes/tickets.ts:38",
  ]);
  expect(unreadOf(read)).toEqual([
    "src/app.mts:22 prefix_computed",
    "src/app.mts:22 prefix_computed",
    "src/app.mts:24 plugins_from_folder",
    "src/app.mts:31 path_wildcard",
    "src/routes/tickets.ts:38 schema_unread",
    "src/routes/tickets.ts:38 body_unsaid",
    "src/routes/tickets.ts:38 body_unsaid",
  ]);
});

verifies("import.code-routes", "a Hono service's routes are found, or a reason is", () => {
  const read = readFolder(join(FIXTURES, "hono"));
  expect(routesOf(read)).toEqual([
    "DELETE /api/books/{isbn} src/books.ts:5",
    "GET /api/maybe src/index.ts:41",
    "GET /api/maybe/{id} src/index.ts:41",
    "GET /api/notes src/index.ts:14",
    "GET /api/notes/{id} src/index.ts:23",
    "GET /api/shelf/{id} src/index.ts:36",
    "PATCH /api/notes/{id}/pin src/index.ts:24",
    "PATCH /api/notes/{id}/star src/index.ts:24",
    "POST /api/notes src/index.ts:15",
    "PUT /api/notes/{id}/pin src/index.ts:24",
    "PUT /api/notes/{id}/star src/index.ts:24",
  ]);
  expect(unreadOf(read)).toEqual([
    "src/index.ts:24 body_unsaid",
    "src/index.ts:24 body_unsaid",
    "src/index.ts:24 body_unsaid",
    "src/index.ts:24 body_unsaid",
    "src/index.ts:25 method_other",
    "src/index.ts:37 mount_elsewhere",
    "src/index.ts:42 mount_elsewhere",
    "src/index.ts:43 call_unknown",
    "src/index.ts:44 path_wildcard",
  ]);
});

verifies("import.code-shapes", "zod's shapes are read where a request is held against them", () => {
  const express = readFolder(join(FIXTURES, "express"));
  const line = {
    type: "object",
    properties: {
      sku: { type: "string", minLength: 1, maxLength: 40 },
      count: { type: "integer", exclusiveMinimum: 0 },
    },
    required: ["sku", "count"],
  };
  const order = {
    type: "object",
    properties: {
      customer: { type: "string", format: "uuid" },
      lines: { type: "array", items: line, minItems: 1 },
      note: { type: "string", maxLength: 500 },
    },
    required: ["customer", "lines"],
    additionalProperties: false,
  };
  const body = { required: true, content: { "application/json": { schema: order } } };
  expect(operationIn(express, "POST /api/v2/orders")["requestBody"]).toEqual(body);
  expect(operationIn(express, "PATCH /api/v2/orders/{id}")).toMatchObject({
    parameters: [{ name: "id", in: "path", schema: { type: "integer", minimum: 1 } }],
    requestBody: { content: { "application/json": { schema: { ...order, required: [] } } } },
  });
  expect(operationIn(express, "GET /api/v2/orders")["parameters"]).toEqual([
    {
      name: "state",
      in: "query",
      required: false,
      schema: { type: "string", enum: ["open", "shipped"] },
    },
    { name: "page", in: "query", required: false, schema: { type: "integer", default: 1 } },
  ]);
  expect(operationIn(express, "GET /reports/daily/{day}")["parameters"]).toMatchObject([
    { name: "day", schema: { pattern: String.raw`^(?:\d{4}-\d{2}-\d{2})$` } },
  ]);
});

verifies("import.code-shapes", "JSON Schema and TypeBox are read where a route has them", () => {
  const fastify = readFolder(join(FIXTURES, "fastify"));
  expect(operationIn(fastify, "POST /v1/tickets/{id}/replies")).toMatchObject({
    operationId: "reply",
    parameters: [{ name: "id", in: "path", schema: { type: "integer", minimum: 1 } }],
  });
  expect(operationIn(fastify, "GET /v1/tickets")).toMatchObject({
    summary: "Tickets, newest first.",
    parameters: [
      { name: "status", required: false },
      { name: "limit", required: false },
    ],
    responses: {
      "2XX": {
        content: {
          "application/json": { schema: { items: { $ref: "#/components/schemas/ticket" } } },
        },
      },
    },
  });
  expect(fastify.document).toMatchObject({
    components: { schemas: { ticket: { required: ["id", "status"] } } },
  });
});

verifies("import.code-shapes", "a route that is described for OpenAPI is read as described", () => {
  const hono = readFolder(join(FIXTURES, "hono"));
  expect(operationIn(hono, "GET /api/shelf/{id}")).toMatchObject({
    parameters: [{ name: "id", schema: { type: "string", format: "uuid" } }],
    responses: {
      200: {
        content: {
          "application/json": { schema: { properties: { id: { type: "integer" } } } },
        },
      },
    },
  });
});

verifies("import.code-routes", "docs/import-code.md lists each reason, and no other", () => {
  const page = readFileSync(join(ROOT, "docs/import-code.md"), "utf8");
  const listed = [...page.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, code]) => code);
  expect(listed).toEqual(Object.keys(UNREAD));
});
