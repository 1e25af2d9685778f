// Small documents of one list each, for tests of how it goes on.
import type { Json } from "./minimal.ts";

export const object = (
  properties: Json,
  required: readonly string[] = Object.keys(properties),
): Json => ({
  type: "object",
  properties,
  required,
});
export const INTEGER = { type: "integer" };
export const ITEMS = { type: "array", items: object({ id: INTEGER, name: { type: "string" } }) };
export const asked = (...names: readonly (string | Json)[]): readonly Json[] =>
  names.map((one) =>
    typeof one === "string" ? { name: one, in: "query", schema: { type: "string" } } : one,
  );
export const number = (name: string, schema: Json = {}): Json => ({
  name,
  in: "query",
  schema: { type: "integer", ...schema },
});

/** `GET /items` with these parameters, this answer and its headers. */
export function api(parameters: readonly Json[], answer: Json, headers: Json = {}): Json {
  const content = { "application/json": { schema: answer } };
  const get = { parameters, responses: { "200": { description: "", headers, content } } };
  return {
    openapi: "3.1.0",
    info: { title: "x", version: "1" },
    servers: [{ url: "https://shop.test" }],
    paths: { "/items": { get } },
  };
}

export const LINK = { Link: { schema: { type: "string" } } };
