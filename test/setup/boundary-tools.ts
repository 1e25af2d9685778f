// The catalogue of the hostile world: few tools, each with a place where an attack can go in.

interface TestConnector {
  readonly origin: (api: string) => string;
  readonly allow_private_addresses: boolean;
}

/** Reaches the API. */
export const WORKING: TestConnector = { origin: (api) => api, allow_private_addresses: true };

/** `shop` is the one that works; the others point where the broker must not dial. */
export const CONNECTORS: Readonly<Record<string, TestConnector>> = {
  shop: WORKING,
  literal: { origin: (api) => api, allow_private_addresses: false },
  named: {
    origin: (api) => api.replace("127.0.0.1", "localhost"),
    allow_private_addresses: false,
  },
  metadata: { origin: () => "https://169.254.169.254", allow_private_addresses: true },
  mapped: { origin: () => "https://[::ffff:a9fe:a9fe]", allow_private_addresses: true },
};

export interface ToolFileText {
  readonly connector: string;
  readonly name: string;
  readonly [key: string]: unknown;
}

const READ = { readOnly: true, destructive: false, idempotent: true, openWorld: false };
const WRITE = { readOnly: false, destructive: false, idempotent: true, openWorld: false };
const ITEM = {
  id: { from: "/id", schema: { type: "string", maxLength: 2000 }, ledger: "plain" },
  name: { from: "/name", schema: { type: "string", maxLength: 2000 } },
};
const PATH_ID = { in: "path", schema: { type: "string", maxLength: 2000 }, ledger: "plain" };

function tool(connector: string, name: string, rest: Record<string, unknown>): ToolFileText {
  return {
    connector,
    name,
    title: name,
    description: `${name} of the hostile world`,
    effects: READ,
    target: "none",
    scopes: ["items:read"],
    limits: { timeout_ms: 1200, response_bytes_max: 4096 },
    input: {},
    output: ITEM,
    ...rest,
  };
}

export function toolFiles(): ToolFileText[] {
  const elsewhere = ["literal", "named", "metadata", "mapped"].map((connector) =>
    tool(connector, `${connector}_get`, { operation: "GET /items/1" }),
  );
  return [
    ...elsewhere,
    tool("shop", "item_get", {
      operation: "GET /items/{id}/card",
      input: { id: PATH_ID },
      target: "item:{id}",
    }),
    tool("shop", "item_patient", {
      operation: "GET /items/1",
      limits: { timeout_ms: 60_000, response_bytes_max: 4096 },
    }),
    tool("shop", "item_rename", {
      operation: "PATCH /items/{id}",
      input: { id: PATH_ID, name: { in: "body", schema: { type: "string", maxLength: 2000 } } },
      target: "item:{id}",
      effects: WRITE,
      scopes: ["items:write"],
    }),
    tool("shop", "item_pair", {
      operation: "GET /pairs/{left}{right}/card",
      input: { left: PATH_ID, right: PATH_ID },
    }),
    tool("shop", "item_find", { operation: "GET /items", input: findInput() }),
    tool("shop", "item_typed", { operation: "POST /typed", input: typedInput(), effects: WRITE }),
  ];
}

function findInput(): Record<string, unknown> {
  const text = { type: "string", maxLength: 2000 };
  return {
    q: { in: "query", optional: true, schema: text },
    tags: {
      in: "query",
      optional: true,
      schema: { type: "array", maxItems: 5, items: text },
    },
    note: { in: "header", as: "X-Note", optional: true, schema: text },
  };
}

function typedInput(): Record<string, unknown> {
  const body = (schema: unknown): unknown => ({ in: "body", optional: true, schema });
  return {
    count: { in: "body", schema: { type: "integer", minimum: 1, maximum: 10 } },
    price: body({ type: "number", exclusiveMinimum: 0 }),
    flag: body({ type: "boolean" }),
    kind: body({ type: "string", enum: ["a", "b"] }),
    day: body({ type: "string", format: "date" }),
    text: body({ type: "string", minLength: 1, maxLength: 10 }),
    list: body({ type: "array", maxItems: 2, items: { type: "integer" } }),
    deep: body({
      type: "object",
      properties: { a: { type: "integer" } },
      required: ["a"],
      additionalProperties: false,
    }),
  };
}
