/** The OpenAPI 3.1 document of the contract that is in force. */

import { API_SCOPES } from "../apis.ts";
import type { Contract, Route } from "./contract.ts";
import { type JsonSchema, object } from "./operation.ts";

const ERROR: JsonSchema = object(
  { error: { type: "string" }, message: { type: "string" }, field: { type: "string" } },
  ["field"],
);

interface Places {
  readonly api: string;
  readonly issuer: string;
  readonly mail_issuer: string;
}

export function openApiDocument(
  contract: Contract,
  { api, issuer, mail_issuer }: Places,
): JsonSchema {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of contract.routes) {
    const { path, method } = route.operation;
    paths[path] = { ...paths[path], [method.toLowerCase()]: documented(route) };
  }
  const { mail, ...others } = API_SCOPES;
  return {
    openapi: "3.1.0",
    info: {
      title: "Acme SaaS",
      version: `${contract.version}.0.0`,
      description: "Five APIs behind one origin. A token's audience is the origin and one API.",
    },
    servers: [{ url: api }],
    tags: Object.keys(API_SCOPES).map((name) => ({ name })),
    paths,
    components: {
      schemas: { ...contract.schemas, Error: ERROR },
      parameters: {
        RequestId: header("X-Request-Id", "Shown in this API's audit log, and sent back."),
        IdempotencyKey: header("Idempotency-Key", "The same key gets the first answer again."),
      },
      responses: {
        Error: {
          description: "A refusal or a failure.",
          content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
        },
      },
      securitySchemes: {
        oauth2: codeFlow(issuer, Object.values(others).flat()),
        mail_accounts: codeFlow(mail_issuer, mail),
      },
    },
  };
}

function codeFlow(issuer: string, scopes: readonly string[]): JsonSchema {
  return {
    type: "oauth2",
    flows: {
      authorizationCode: {
        authorizationUrl: `${issuer}/auth`,
        tokenUrl: `${issuer}/token`,
        scopes: Object.fromEntries(scopes.map((scope) => [scope, scope])),
      },
    },
  };
}

function documented({ operation }: Route): JsonSchema {
  const { id, summary, scope, body, status, answer } = operation;
  const parameters = Object.entries(operation.parameters ?? {}).map(([name, parameter]) => ({
    name,
    in: parameter.in,
    required: parameter.in === "path",
    description: parameter.description,
    schema: parameter.schema,
  }));
  const headers = ["RequestId", ...(operation.method === "GET" ? [] : ["IdempotencyKey"])];
  return {
    operationId: id,
    summary,
    tags: [operation.path.split("/")[1]],
    security: [{ [scope.startsWith("mail:") ? "mail_accounts" : "oauth2"]: [scope] }],
    parameters: [
      ...parameters,
      ...headers.map((name) => ({ $ref: `#/components/parameters/${name}` })),
    ],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: body } } } }),
    responses: {
      [status]: answered(answer),
      default: { $ref: "#/components/responses/Error" },
    },
  };
}

function answered(schema: string | undefined): JsonSchema {
  if (schema === undefined) return { description: "Done; there is nothing to say." };
  const $ref = `#/components/schemas/${schema}`;
  return { description: `${schema}.`, content: { "application/json": { schema: { $ref } } } };
}

function header(name: string, description: string): JsonSchema {
  return {
    name,
    in: "header",
    required: false,
    description,
    schema: { type: "string", maxLength: 128 },
  };
}
