// Why a document, or one operation of it, becomes no draft: a code that scripts may rely on, and
// words. docs/import.md lists them.

export const REASONS = {
  // A document, or a file that it refers to.
  document_unreadable: "it cannot be read as JSON or YAML",
  document_too_large: "it is larger than what is read",
  document_not_openapi: "it is no Swagger 2.0 or OpenAPI 3.0, 3.1 or 3.2 document",
  document_unreachable: "it cannot be fetched",
  // One operation.
  method_unsupported: "doorless sends GET, POST, PUT, PATCH and DELETE",
  path_malformed: "its path is none that a tool can have",
  path_parameter_mismatch: "its path and its path parameters do not belong together",
  server_elsewhere: "it is served from another origin than the document's",
  cookie_parameter: "it needs a cookie",
  header_reserved: "it needs a header that belongs to the broker",
  parameter_style: "it needs a parameter in a style that is not sent",
  body_not_text: "its body is multipart or binary, or in a type that is not sent",
  body_not_allowed: "it needs a body where none is sent",
  // One tool of an MCP server.
  task_required: "it can only be run as a task, and doorless runs none",
  header_parameters: "it wants arguments in headers that are not sent",
  // Both.
  answer_not_json: "its answer is not JSON",
  reference_dangling: "it refers to something that is not there",
  reference_outside: "it refers to a file outside the document's own folder or origin",
  schema_empty: "a schema in it allows no value",
  schema_malformed: "a schema in it is none",
  schema_too_deep: "a schema in it is nested too deep",
  schema_too_large: "the tool would be too large for an agent to read",
  hidden_characters: "a name in it holds characters that nobody sees",
  name_too_long: "a name in it is longer than a tool file may have",
} as const;

export type Reason = keyof typeof REASONS;

export class NotImportable extends Error {
  override readonly name = "NotImportable";
  readonly reason: Reason;
  /** `detail` says where, in the document's own words. */
  constructor(reason: Reason, detail: string) {
    super(`${REASONS[reason]}: ${detail}`);
    this.reason = reason;
  }
}
