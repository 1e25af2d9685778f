// Small documents of one operation, in each dialect, and the arguments that they come to.
import { expect } from "vitest";
import { verifies } from "../verifies.ts";
import type { Json } from "./minimal.ts";
import { documentOf, drafted, reasonOf } from "./openapi.ts";

export const OK = { 200: { description: "ok" } };
export const T = (maxLength: number): Json => ({ type: "string", maxLength });

export const swagger = (operation: Json, more: Json = {}): Json => ({
  swagger: "2.0",
  info: { title: "t", version: "1" },
  paths: { "/x": { post: { responses: OK, ...operation } } },
  ...more,
});

export const openapi = (
  version: string,
  operation: Json,
  more: Json = {},
  method = "post",
): Json => ({
  openapi: version,
  info: { title: "t", version: "1" },
  paths: { "/x": { [method]: { responses: OK, ...operation } } },
  ...more,
});
export const json = (schema: unknown, required = true): Json => ({
  requestBody: { required, content: { "application/json": { schema } } },
});
export const body = (properties: Json, required: string[] = []): Json =>
  json({ type: "object", properties, required });
export const query = (schema: unknown, more: Json = {}): Json => ({
  parameters: [{ name: "q", in: "query", schema, ...more }],
});
export const schemas = (all: Json): Json => ({ components: { schemas: all } });

export interface Case {
  readonly what: string;
  readonly document: Json;
  /** Of `input`; or the reason. */
  readonly is: Json | string;
}
export const of = (what: string, document: Json, is: Json | string): Case => ({
  what,
  document,
  is,
});

/** A test of each: it comes to these arguments, or is refused for this reason. */
export function tryEach(cases: readonly Case[]): void {
  for (const { what, document, is } of cases) {
    const isRefused = typeof is === "string";
    verifies("import.dialects", `${isRefused ? "refuses" : "reads"} ${what}`, async () => {
      const read = documentOf(document);
      if (isRefused) expect(await reasonOf(() => drafted(read))).toBe(is);
      else expect((await drafted(read))["input"]).toEqual(is);
    });
  }
}

export const optional = { optional: true };
export const inBody = (schema: Json, more: Json = {}): Json => ({ in: "body", ...more, schema });
export const inQuery = (schema: Json, more: Json = {}): Json => ({
  in: "query",
  ...optional,
  ...more,
  schema,
});

/** Of a property that is called as a reference is. */
export const DOUBLE: Json = { type: "object", properties: { $ref: { type: "integer" } } };
