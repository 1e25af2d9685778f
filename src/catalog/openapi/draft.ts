// One operation as a tool file: a proposal, for a human to read, mend and approve.
import type { Projection } from "../../contract/projection.ts";
import { buildTool } from "../build.ts";
import type { Connector, ToolDefinition } from "../definition.ts";
import { reliedOn } from "../pagination.ts";
import { toolFileSchema } from "../tool-file.ts";
import type { ToolFile } from "../tool-file.ts";
import type { ApiDocument } from "./document.ts";
import { draftInputs } from "./input.ts";
import type { DraftInputs } from "./input.ts";
import type { Listed } from "./listing.ts";
import { singular, toolName } from "./names.ts";
import { readOperation } from "./operation.ts";
import type { Operation } from "./operation.ts";
import { draftOutput } from "./output.ts";
import { draftPaging } from "./paging.ts";
import type { DraftPaging } from "./paging.ts";
import { NotImportable } from "./reason.ts";
import type { Reason } from "./reason.ts";
import { Shapes } from "./shapes.ts";
import { isVisible, trimmed } from "./text.ts";

const TITLE_MAX = 60;
const DESCRIPTION_MAX = 140;
/** An agent reads a tool's schema with each request that it makes. */
export const TOOL_BYTES_WARN = 8192;
const TOOL_BYTES_MAX = 32_768;
const READ_BYTES_MAX = 262_144;
const LIST_BYTES_MAX = 1_048_576;

export interface Draft {
  readonly operation: string;
  readonly file: Readonly<Record<string, unknown>> & { readonly name: string };
  /** What `tools/list` will say of it. */
  readonly bytes: number;
  /** Of `file`: what of an answer the tool relies on. */
  readonly projection: Projection;
  readonly left_out: readonly string[];
}

export interface DraftOptions {
  readonly connector: Connector;
  /** Names that other tools of the catalogue have. */
  readonly taken: (name: string) => boolean;
}

/** Throws `NotImportable` where no tool can be made of it. */
export function draftOf(document: ApiDocument, listed: Listed, options: DraftOptions): Draft {
  const operation = readOperation(document, listed);
  const [sent, answered] = [new Shapes(document, "request"), new Shapes(document, "answer")];
  const whole = draftOutput(operation.answer, answered);
  const paging = draftPaging(operation, whole, { sent, answered });
  const output = paging?.output ?? whole;
  const inputs = draftInputs(withoutPages(operation, paging), sent, isOwnHeader(options.connector));
  const name = toolName(options.connector.name, operation, options.taken);
  const isList = Object.values(output).some((field) => field.items !== undefined);
  const file = {
    name,
    status: "draft",
    title: titleOf(operation, name),
    description: descriptionOf(operation, name),
    operation: `${operation.method} ${inputs.path}`,
    ...(operation.body?.kind === "form" ? { body: "form" } : {}),
    input: inputs.input,
    ...fixedOf(inputs.fixed, paging?.fixed ?? {}),
    ...(Object.keys(inputs.defs).length === 0 ? {} : { $defs: inputs.defs }),
    output,
    ...(paging === undefined ? {} : { pagination: paging.pagination }),
    effects: effectsOf(operation),
    target: targetOf(inputs),
    scopes: scopesOf(operation, options.connector.name),
    limits: { timeout_ms: 15_000, response_bytes_max: isList ? LIST_BYTES_MAX : READ_BYTES_MAX },
  };
  const { bytes, projection } = mustLoad(file, options.connector);
  const { left_out } = inputs;
  const hidden = [operation.summary, operation.description].some((text) => !isShown(text));
  const also = [
    ...(hidden ? ["characters of its description that nobody sees"] : []),
    ...(paging === undefined ? [] : [`${[...paging.own].join(", ")}: pagination asks for all`]),
    ...(listed.deprecated ? ["nothing, but the document calls it deprecated"] : []),
  ];
  return { operation: operation.key, file, bytes, projection, left_out: [...left_out, ...also] };
}

function withoutPages(operation: Operation, paging: DraftPaging | undefined): Operation {
  if (paging === undefined) return operation;
  const parameters = operation.parameters.filter(
    (one) => one.in !== "query" || !paging.own.has(one.name),
  );
  return { ...operation, parameters };
}

function fixedOf(header: Readonly<Record<string, string>>, query: DraftPaging["fixed"]) {
  const fixed = Object.entries({ query, header }).filter(([, one]) => Object.keys(one).length > 0);
  return fixed.length === 0 ? {} : { fixed: Object.fromEntries(fixed) };
}

function isShown(text: string): boolean {
  return isVisible(text.replaceAll(/[\n\r\t]/g, " "));
}

// The catalogue's own loader is the judge: what it would refuse is no draft.
function mustLoad(
  file: object,
  connector: Connector,
): { readonly bytes: number; readonly projection: Projection } {
  const parsed = toolFileSchema.safeParse(file);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join("/") ?? "";
    throw new NotImportable("schema_malformed", `${where}: ${issue?.message ?? ""}`.slice(0, 300));
  }
  const tool = buildTool(parsed.data satisfies ToolFile, connector, (pointer, message) => {
    throw new NotImportable(reasonFor(pointer), `${pointer}: ${message}`);
  });
  return { bytes: listedBytes(tool), projection: reliedOn(tool) };
}

/** What `tools/list` will say of it, in bytes; throws where no agent should have to read that. */
export function listedBytes(tool: ToolDefinition): number {
  const { name, title, description, input_schema, output_schema } = tool;
  const listed = JSON.stringify({ name, title, description, input_schema, output_schema });
  const bytes = Buffer.byteLength(listed);
  if (bytes <= TOOL_BYTES_MAX) return bytes;
  throw new NotImportable("schema_too_large", `${bytes} bytes, more than ${TOOL_BYTES_MAX}`);
}

function reasonFor(pointer: string): Reason {
  if (pointer === "/operation") return "path_malformed";
  return /^\/input\/\w+\/(?:schema|style|explode)$/.test(pointer)
    ? "parameter_style"
    : "schema_malformed";
}

/** Headers that the broker sends by itself, with a value of its own. */
function isOwnHeader({ request_id_header, idempotency_header, headers }: Connector) {
  const own = [request_id_header, idempotency_header ?? "", ...Object.keys(headers)];
  const names = new Set(own.map((name) => name.toLowerCase()));
  return (header: string): boolean => names.has(header.toLowerCase());
}

function titleOf({ summary, description }: Operation, name: string): string {
  const title = trimmed(summary || description, TITLE_MAX).replace(/\.$/, "");
  return title === "" ? name.replaceAll("_", " ") : title;
}

function descriptionOf({ summary, description, key }: Operation, name: string): string {
  const text = trimmed(description, DESCRIPTION_MAX) || trimmed(summary, DESCRIPTION_MAX);
  return text === "" ? `${name}: the document says nothing of ${key}.` : text;
}

export const ENDS =
  /(?:^|[^a-z])(?:delet|remov|cancel|void|revok|refund|clos|terminat|destroy|purg|archiv|disabl)/i;

// Proposed from the method, never from what it could not harm: the human decides.
function effectsOf({ method, path, id = "", summary }: Operation) {
  const readOnly = method === "GET";
  const ends = ENDS.test(`${id.replaceAll(/([a-z])([A-Z])/g, "$1 $2")} ${summary} ${path}`);
  return {
    readOnly,
    destructive: method === "DELETE" || method === "PUT" || (!readOnly && ends),
    idempotent: method === "GET" || method === "PUT" || method === "DELETE",
    openWorld: true,
  };
}

/** The last record that the path names: `/deals/{id}/notes` is about `deal:{id}`. */
function targetOf({ path, input }: DraftInputs): string {
  const segments = path.split("/");
  const at = segments.findLastIndex((segment) => /^\{\w+\}$/.test(segment));
  const wire = segments[at]?.slice(1, -1);
  const found = Object.entries(input).find(
    ([name, one]) => one.in === "path" && (one.as ?? name) === wire,
  );
  const before = segments.slice(0, Math.max(at, 0)).findLast((one) => !one.includes("{"));
  const kind = singular(before ?? "");
  return found === undefined || !/^[a-z]/.test(kind) ? "none" : `${kind}:{${found[0]}}`;
}

// Where the document names no scope, the provider still has one: the human knows its name.
function scopesOf({ scopes, method }: Operation, connector: string): readonly string[] {
  if (scopes.length > 0) return [...new Set(scopes)];
  return [`${connector}:${method === "GET" ? "read" : "write"}`];
}
