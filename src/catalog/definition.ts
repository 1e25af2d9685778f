// ToolDefinition: everything about a tool that is fixed when the catalogue is read (DESIGN 2).
import type { LedgerMark, Projection } from "../contract/projection.ts";
import type { Pagination } from "./pagination-file.ts";
import type { Pin } from "./pin.ts";
import type { Schema } from "../contract/schema.ts";
import type { UpstreamPin } from "./upstream/pin.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** One argument: the schema the model sees, and how the ledger keeps it. */
export interface Input {
  readonly optional: boolean;
  readonly schema: Schema;
  readonly ledger: LedgerMark;
}

/** How a list or an object is written where there is only text: OpenAPI's words. */
export type Style =
  | "form"
  | "spaceDelimited"
  | "pipeDelimited"
  | "deepObject"
  | "simple"
  | "label"
  | "matrix";

/** An argument that has another name on the wire. */
export interface NamedInput extends Input {
  readonly as: string;
}

/** An argument of a declarative tool, and where the broker puts it. */
export interface PlacedInput extends NamedInput {
  readonly in: "path" | "query" | "header" | "body";
  /** Not said of a form's field: as `form`, and where that cannot say it, as `deepObject`. */
  readonly style: Style | undefined;
  /** Each item or property by itself. */
  readonly explode: boolean;
  /** It is the body, and not a part of it. */
  readonly whole: boolean;
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

/** What every tool has, whatever it is made of. */
interface ToolBase {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputs: ReadonlyMap<string, Input>;
  readonly input_schema: Schema;
  readonly output: Projection;
  readonly output_schema: Schema;
  readonly effects: Effects;
  readonly target: Target | undefined;
  readonly timeout_ms: number;
  /** All that the files say of it, as JSON: what a human approves. Of code, its digest. */
  readonly meaning: Readonly<Record<string, unknown>>;
  /** Fingerprint of the meaning; in every record. */
  readonly hash: string;
}

/** What a tool needs that reaches a downstream API itself. */
interface Reaching {
  readonly connector: Connector;
  /** OAuth scopes of the downstream token: these and no more are asked for. */
  readonly scopes: readonly string[];
  /** Of one answer. */
  readonly response_bytes_max: number;
}

/** Data: one operation of the connector, interpreted by the broker. */
export interface DeclarativeTool extends ToolBase, Reaching {
  readonly kind: "declarative";
  readonly method: Method;
  /** `/crm/deals/{id}`: braces name path arguments by their wire name. */
  readonly path: string;
  readonly inputs: ReadonlyMap<string, PlacedInput>;
  readonly body: "json" | "form";
  /** What is sent with each call, whatever its arguments. */
  readonly fixed: {
    readonly query: Readonly<Record<string, string>>;
    readonly header: Readonly<Record<string, string>>;
  };
  /** How the rest of its list is asked for; not said, an answer that has a rest is an error. */
  readonly pagination?: Pagination;
  /** The contract that it was made for, where one is pinned. */
  readonly pin?: Pin;
}

/** Written in TypeScript: runs in a worker, reaches the operations that it names in `uses`. */
export interface CodeTool extends ToolBase, Reaching {
  readonly kind: "code";
  /** `GET /crm/deals/{id}`: all that its worker may ask for. */
  readonly uses: ReadonlySet<string>;
  readonly requests_max: number;
  /** What a worker loads: the file without its types. */
  readonly source: string;
}

/** A tool of an MCP server behind us: what it does there is the server's affair, and pinned. */
export interface UpstreamTool extends ToolBase, Reaching {
  readonly kind: "upstream";
  /** What the server calls it. */
  readonly upstream: string;
  readonly inputs: ReadonlyMap<string, NamedInput>;
  /** As the server described it when it was approved. */
  readonly pin: UpstreamPin;
}

/** `run_code`: code that a model wrote, which reaches tools of its session and nothing else. */
export interface GeneratedTool extends ToolBase {
  readonly kind: "generated";
}

export type ToolDefinition = DeclarativeTool | CodeTool | UpstreamTool | GeneratedTool;

/** The API that it reaches itself; generated code reaches only tools. */
export function connectorOf(tool: ToolDefinition): Connector | undefined {
  return tool.kind === "generated" ? undefined : tool.connector;
}

/** What the deployment ships. A draft is not in it; only its name is remembered, for operators. */
export interface Catalog {
  readonly tools: ReadonlyMap<string, ToolDefinition>;
  /** Its folders, also those of which no tool is there. */
  readonly toolsets: ReadonlySet<string>;
  readonly drafts: readonly string[];
  /** Tools that this deployment does not have, although their files are there, and why. */
  readonly absent: ReadonlyMap<string, string>;
  /** Whose files are not as a human has approved them, and why: absent, but for their author. */
  readonly unapproved: ReadonlyMap<string, string>;
}
