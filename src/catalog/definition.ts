// ToolDefinition: everything about a tool that is fixed when the catalogue is read (DESIGN 2).
import type { LedgerMark, Projection } from "../contract/projection.ts";
import type { Schema } from "../contract/schema.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** One argument: the schema the model sees, and where the broker puts it. */
export interface Input {
  readonly in: "path" | "query" | "header" | "body";
  /** Name on the wire. */
  readonly as: string;
  readonly optional: boolean;
  readonly schema: Schema;
  readonly ledger: LedgerMark;
}

/** MCP's ToolAnnotations; mandatory here, never guessed. */
interface Effects {
  readonly readOnly: boolean;
  readonly destructive: boolean;
  readonly idempotent: boolean;
  readonly openWorld: boolean;
}

export interface Connector {
  readonly name: string;
  readonly title: string;
  /** The header in which the API takes our call id, and shows it in its own log. */
  readonly request_id_header: string;
  readonly idempotency_header: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

/** `deal:{id}` taken apart: the kind of record, and the argument that names it. */
export interface Target {
  readonly kind: string;
  readonly argument: string;
}

export interface ToolDefinition {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly connector: Connector;
  readonly method: Method;
  /** `/crm/deals/{id}`: braces name path arguments by their wire name. */
  readonly path: string;
  readonly inputs: ReadonlyMap<string, Input>;
  readonly input_schema: Schema;
  readonly output: Projection;
  readonly output_schema: Schema;
  readonly effects: Effects;
  readonly target: Target | undefined;
  /** OAuth scopes of the downstream token: these and no more are asked for. */
  readonly scopes: readonly string[];
  readonly timeout_ms: number;
  readonly response_bytes_max: number;
  /** Fingerprint of the file's meaning; in every record. */
  readonly hash: string;
}

/** What the deployment ships. A draft is not in it; only its name is remembered, for operators. */
export interface Catalog {
  readonly tools: ReadonlyMap<string, ToolDefinition>;
  readonly drafts: readonly string[];
}
