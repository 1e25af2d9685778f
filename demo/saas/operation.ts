/** One operation of the SaaS: what the server runs and what its OpenAPI document says. */

import type { DatabaseSync } from "node:sqlite";
import type { ApiScope } from "../apis.ts";
import type { User } from "./permissions.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** Lever `contract:N`: the API's owner changes it, as owners do. */
export type ContractVersion = 1 | 2;

export interface Parameter {
  readonly in: "path" | "query";
  readonly description: string;
  readonly schema: JsonSchema;
}

export interface Call {
  readonly db: DatabaseSync;
  readonly user: User;
  /** ISO 8601, one per request. */
  readonly time: string;
}

/** Path, query and body properties, validated and in one object; their names never collide. */
export type Input = Readonly<Record<string, string | number | undefined>>;

export interface Operation {
  readonly id: string;
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly summary: string;
  readonly scope: ApiScope;
  readonly parameters?: Readonly<Record<string, Parameter>>;
  readonly body?: JsonSchema;
  readonly status: 200 | 201 | 204;
  /** Name of the component schema of the answer; absent with 204. */
  readonly answer?: string;
  readonly run: (call: Call, input: Input) => unknown;
}

export const ID_PARAMETER: Parameter = {
  in: "path",
  description: "The record's number.",
  schema: { type: "integer", minimum: 1 },
};

export function query(description: string, schema: JsonSchema): Parameter {
  return { in: "query", description, schema };
}

/** A closed JSON object: what it does not name is refused. */
export function object(
  properties: Readonly<Record<string, JsonSchema>>,
  optional: readonly string[] = [],
): JsonSchema {
  return {
    type: "object",
    properties,
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
    additionalProperties: false,
  };
}
