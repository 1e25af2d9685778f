// The files under tools/: connector.yaml and *.tool.yaml, read strictly (README, "your own API").
import { z } from "zod";
import { defsSchema, pointerSchema, schemaSchema } from "../contract/schema-file.ts";
import { paginationSchema } from "./pagination-file.ts";

const nameSchema = z.string().regex(/^[a-z][a-z0-9_]{0,47}$/, "[a-z][a-z0-9_]*, at most 48");
// What the broker sets itself, and what decides where a message goes or ends.
const BROKER_HEADERS = new RegExp(
  "^(?:authorization|cookie|host|content-.*|transfer-encoding|connection|keep-alive|expect|te|" +
    "trailer|upgrade|proxy-.*|forwarded|x-forwarded-.*|traceparent|tracestate|baggage)$",
  "i",
);
// RFC 9110 section 5.1: a field name is a token.
const headerSchema = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, "an HTTP field name")
  .refine((name) => !BROKER_HEADERS.test(name), "this header belongs to the broker");
/** Whether a tool's argument may be sent as this header. */
export function isToolHeader(name: string): boolean {
  return headerSchema.safeParse(name).success;
}
const headerValue = z.string().regex(/^[\x20-\x7e]{0,256}$/, "printable ASCII");
const fixedText = z
  .string()
  .max(1000)
  .refine((text) => text.isWellFormed(), "well-formed text");
const scope = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/);
export const ledgerMarkSchema = z.enum(["plain", "sealed", "drop"]);

export const connectorFileSchema = z.strictObject({
  connector: z.string(),
  title: z.string().min(1).max(100),
  request_id_header: headerSchema.default("X-Request-Id"),
  idempotency_header: headerSchema.optional(),
  headers: z.record(headerSchema, headerValue).default({}),
});

/** OpenAPI's words for how a list or an object is written where there is only text. */
const styleSchema = z.enum([
  "form",
  "spaceDelimited",
  "pipeDelimited",
  "deepObject",
  "simple",
  "label",
  "matrix",
]);

const inputSchema = z.strictObject({
  in: z.enum(["path", "query", "header", "body"]),
  as: z.string().min(1).max(100).optional(),
  style: styleSchema.optional(),
  explode: z.boolean().optional(),
  whole: z.boolean().default(false),
  optional: z.boolean().default(false),
  schema: schemaSchema,
  description: z.string().max(1000).optional(),
  ledger: ledgerMarkSchema.optional(),
});

export interface FieldFile {
  readonly from: string;
  readonly optional?: boolean | undefined;
  readonly description?: string | undefined;
  readonly schema?: z.infer<typeof schemaSchema> | undefined;
  readonly ledger?: z.infer<typeof ledgerMarkSchema> | undefined;
  readonly items?: Readonly<Record<string, FieldFile>> | undefined;
  readonly fields?: Readonly<Record<string, FieldFile>> | undefined;
}

const fieldSchema: z.ZodType<FieldFile> = z.lazy(() =>
  z
    .strictObject({
      from: pointerSchema,
      optional: z.boolean().optional(),
      description: z.string().max(1000).optional(),
      schema: schemaSchema.optional(),
      ledger: ledgerMarkSchema.optional(),
      items: z.record(z.string(), fieldSchema).optional(),
      fields: z.record(z.string(), fieldSchema).optional(),
    })
    .refine(
      (f) => [f.schema, f.items, f.fields].filter((x) => x !== undefined).length === 1,
      "give exactly one of schema, items, fields",
    ),
);

/** What every tool says of itself, in YAML or in code. */
export const toolTextSchema = {
  name: nameSchema,
  status: z.enum(["draft", "approved"]).default("approved"),
  title: z.string().min(1).max(100),
  description: z.string().min(1).max(2000),
  effects: z.strictObject({
    readOnly: z.boolean(),
    destructive: z.boolean(),
    idempotent: z.boolean(),
    openWorld: z.boolean(),
  }),
  target: z
    .string()
    .regex(/^(?:none|[a-z][a-z0-9_]*:\{[a-z][a-z0-9_]*\})$/, "kind:{argument}, or none"),
  scopes: z.array(scope).min(1),
};

export const OPERATION = /^(?:GET|POST|PUT|PATCH|DELETE) \/\S*$/;

export const toolLimits = {
  timeout_ms: z.int().min(100).max(120_000).default(15_000),
  response_bytes_max: z.int().min(1024).max(8_388_608).default(262_144),
};

export const toolFileSchema = z.strictObject({
  ...toolTextSchema,
  operation: z.string().regex(OPERATION, "METHOD /path"),
  body: z.enum(["json", "form"]).default("json"),
  input: z.record(nameSchema, inputSchema),
  fixed: z
    .strictObject({
      query: z.record(z.string().min(1).max(100), fixedText).default({}),
      header: z.record(headerSchema, headerValue).default({}),
    })
    .prefault({}),
  $defs: defsSchema.default({}),
  output: z.record(z.string(), fieldSchema),
  pagination: paginationSchema.optional(),
  limits: z.strictObject(toolLimits).prefault({}),
});

export type ToolFile = z.infer<typeof toolFileSchema>;

/** A tool of the connector's MCP server; its answer is what `output` points into. */
export const upstreamFileSchema = z.strictObject({
  ...toolTextSchema,
  upstream: z.string().min(1).max(128),
  scopes: z.array(scope).default([]),
  input: z.record(
    nameSchema,
    inputSchema.pick({ as: true, optional: true, schema: true, description: true, ledger: true }),
  ),
  $defs: defsSchema.default({}),
  output: z.record(z.string(), fieldSchema),
  limits: z.strictObject(toolLimits).prefault({}),
});

export type UpstreamFile = z.infer<typeof upstreamFileSchema>;

/** For editors: what a tool file may say, as JSON Schema. */
export function toolJsonSchema(): Record<string, unknown> {
  const files = z.union([toolFileSchema, upstreamFileSchema]);
  return { title: "doorless NAME.tool.yaml", ...z.toJSONSchema(files, { io: "input" }) };
}
