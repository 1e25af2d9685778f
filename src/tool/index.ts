// `doorless/tool`: what a file under tools/ may import, and all that it may import. A tool written
// in code says what it is (its manifest) and what it does (`run`); it runs in a worker that has no
// network, no files and no tokens, and reaches its connector through `api` alone.
import { z } from "zod";

export { z };

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
/** An operation of the connector: `GET /crm/deals/{id}`. */
export type Operation = `${Method} /${string}`;

/** How the audit log keeps a field: readable, sealed under the person's key, or not at all. */
export type LedgerMark = "plain" | "sealed" | "drop";

type Scalar = string | number | boolean;

export interface RequestParts {
  /** The values of the path's `{names}`. */
  readonly path?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, Scalar | readonly Scalar[] | undefined>>;
  readonly body?: unknown;
}

/** The connector, as this user, for this call. It has no operations but those of `uses`. */
export interface Api<Uses extends Operation> {
  /**
   * Sends one request and resolves with the JSON of the answer. Rejects with an `ApiError` where
   * the API or doorless says no; a rejection that `run` does not catch ends the call with it.
   */
  request(operation: Uses, parts?: RequestParts): Promise<unknown>;
}

/** What `api.request` rejects with: a row of docs/errors.md. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: string;
  /** The API's status, where it answered. */
  readonly status: number | undefined;

  constructor(code: string, message: string, status: number | undefined) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export interface RunContext<Input, Uses extends Operation> {
  /** The arguments, checked and parsed by `input`. */
  readonly input: Input;
  readonly api: Api<Uses>;
  /** Aborted when nobody waits for the result any more. */
  readonly signal: AbortSignal;
  /** For the operator: written to the audit log's side, sealed; never to the agent. */
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
}

export interface Limits {
  /** The whole call, its requests included. */
  readonly timeout_ms?: number;
  /** The largest answer of the API to one request. */
  readonly response_bytes_max?: number;
  /** How many requests one call may make. */
  readonly requests_max?: number;
}

export interface ToolText<In extends z.ZodObject, Out extends z.ZodObject, Uses extends Operation> {
  /** The file's name without `.tool.ts`. */
  readonly name: string;
  /** A draft is loaded for its author only (`start --watch`). */
  readonly status?: "draft" | "approved";
  readonly title: string;
  readonly description: string;
  /** Mark a field for the audit log with `.meta({ ledger: "plain" })`. */
  readonly input: In;
  readonly output: Out;
  readonly effects: {
    readonly readOnly: boolean;
    readonly destructive: boolean;
    readonly idempotent: boolean;
    readonly openWorld: boolean;
  };
  /** `kind:{argument}`, the record that a call touches, or `none`. */
  readonly target: string;
  /** The operations that `api` has, and no others. */
  readonly uses: readonly Uses[];
  /** OAuth scopes of the user's token for the connector: these and no more are asked for. */
  readonly scopes: readonly string[];
  readonly limits?: Limits;
  readonly run: (context: RunContext<z.output<In>, Uses>) => z.input<Out> | Promise<z.input<Out>>;
}

/** A tool, as `export default defineTool({ ... })` gives it. */
export interface Tool {
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly call: (context: RunContext<unknown, Operation>) => Promise<unknown>;
}

const DEFINED = new WeakSet<object>();

/** Defines a tool. What it says of itself is read in a worker, and checked by doorless. */
export function defineTool<
  In extends z.ZodObject,
  Out extends z.ZodObject,
  const Uses extends Operation = never,
>(text: ToolText<In, Out, Uses>): Tool {
  const { input, output, run, ...rest } = text;
  const tool: Tool = Object.freeze({
    manifest: Object.freeze({
      ...rest,
      input: schemaOf(input, "input"),
      output: schemaOf(output, "output"),
    }),
    call: async (context: RunContext<unknown, Operation>) => {
      const parsed = input.parse(context.input);
      return output.parse(await run({ ...context, input: parsed }));
    },
  });
  DEFINED.add(tool);
  return tool;
}

export function isTool(value: unknown): value is Tool {
  return typeof value === "object" && value !== null && DEFINED.has(value);
}

/** Formats that doorless checks itself: zod's pattern for them says the same again. */
const FORMATS = ["date", "date-time", "email", "uri", "uuid"];

// The JSON Schema of what doorless's interpreter enforces. What zod can say beyond that stays in
// it, and doorless refuses the manifest for it: a rule that is ignored is one somebody believes in.
function schemaOf(schema: z.ZodObject, io: "input" | "output"): unknown {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io,
    override({ jsonSchema: one }) {
      if (one.type === "object" && one.properties !== undefined) one.additionalProperties = false;
      if (one.format !== undefined && FORMATS.includes(one.format)) delete one.pattern;
      // "An integer" means a safe one here anyway.
      if (one.minimum === Number.MIN_SAFE_INTEGER) delete one.minimum;
      if (one.maximum === Number.MAX_SAFE_INTEGER) delete one.maximum;
      nullable(one);
    },
  });
  return json;
}

// `anyOf: [X, null]`, which is how zod writes nullable, as one schema with two types.
function nullable(one: z.core.JSONSchema.BaseSchema): void {
  const [first, second, ...more] = one.anyOf ?? [];
  if (first === undefined || second?.type !== "null" || more.length > 0) return;
  if (typeof first.type !== "string" || first.enum !== undefined || "const" in first) return;
  delete one.anyOf;
  Object.assign(one, first, { type: [first.type, "null"] });
}
