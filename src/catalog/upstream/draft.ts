// A tool of an MCP server as a tool file: a proposal, for a human to read, mend and approve. What
// the server says of its schemas is read as what an API's document says; of its effects, as a hint.
import type { UpstreamContract, UpstreamDefinition } from "../../contract/upstream.ts";
import { toUpstreamPin } from "./pin.ts";
import { buildUpstreamTool } from "./build.ts";
import type { Connector, UpstreamTool } from "../definition.ts";
import { ApiDocument } from "../openapi/document.ts";
import { ENDS, listedBytes } from "../openapi/draft.ts";
import { draftInputs } from "../openapi/input.ts";
import type { DraftInputs } from "../openapi/input.ts";
import { toolName } from "../openapi/names.ts";
import { draftOutput } from "../openapi/output.ts";
import type { DraftFields } from "../openapi/output.ts";
import { NotImportable } from "../openapi/reason.ts";
import { Shapes } from "../openapi/shapes.ts";
import { isVisible, trimmed } from "../openapi/text.ts";
import { upstreamFileSchema } from "../tool-file.ts";

const TITLE_MAX = 60;
const DESCRIPTION_MAX = 300;

export interface McpDraft {
  readonly upstream: string;
  readonly file: Readonly<Record<string, unknown>> & { readonly name: string };
  /** As it would be if it were approved as it is. */
  readonly tool: UpstreamTool;
  readonly bytes: number;
  readonly left_out: readonly string[];
}

export interface McpDraftOptions {
  readonly connector: Connector;
  /** Names that other tools of the catalogue have. */
  readonly taken: (name: string) => boolean;
  /** What each user's token for the server must hold. */
  readonly scopes: readonly string[];
}

/** Throws `NotImportable` where no tool can be made of it. */
export function mcpDraftOf(contract: UpstreamContract, options: McpDraftOptions): McpDraft {
  const { definition } = contract;
  const { connector, taken, scopes } = options;
  mustBeCallable(definition);
  const inputs = inputsOf(definition);
  const name = toolName(
    connector.name,
    { id: definition.name, method: "MCP", path: definition.name },
    taken,
  );
  const file = {
    name,
    status: "draft",
    title: titleOf(definition, name),
    description: descriptionOf(definition),
    upstream: definition.name,
    input: Object.fromEntries(
      Object.entries(inputs.input).map(([key, { in: _place, ...rest }]) => [key, rest]),
    ),
    ...(Object.keys(inputs.defs).length === 0 ? {} : { $defs: inputs.defs }),
    output: outputOf(definition),
    effects: effectsOf(definition),
    target: targetOf(inputs.input),
    scopes,
  };
  const tool = mustLoad(file, contract, connector);
  const left_out = [...inputs.left_out, ...hiddenIn(definition)];
  return { upstream: definition.name, file, tool, bytes: listedBytes(tool), left_out };
}

/** What the human who approves it must know of it, beside what it says. */
export function remarksOn({ annotations, outputSchema }: UpstreamDefinition): readonly string[] {
  const said = annotations?.["readOnlyHint"];
  return [
    said === true
      ? "The server says that it only reads. Nobody has proved it: see for yourself."
      : "The server does not say that it only reads.",
    ...(outputSchema === undefined
      ? ["Its answer is text that the server wrote; a model reads it as it is."]
      : []),
  ];
}

// Nothing of it is executed: a document of one schema, in which its references lead somewhere.
function documentOf(schema: Readonly<Record<string, unknown>>): ApiDocument {
  const { $schema: _dialect, swagger: _other, ...said } = schema;
  const bytes = Buffer.from(JSON.stringify({ ...said, openapi: "3.1.0" }));
  const outside = (): Promise<never> => Promise.reject(new Error("a schema of one file"));
  return new ApiDocument(bytes, new URL("https://mcp.invalid/schema.json"), outside);
}

function mustBeCallable({ name, inputSchema, execution }: UpstreamDefinition): void {
  if (!isVisible(name)) throw new NotImportable("hidden_characters", JSON.stringify(name));
  if (execution?.["taskSupport"] === "required") throw new NotImportable("task_required", name);
  if (JSON.stringify(inputSchema).includes('"x-mcp-header"')) {
    throw new NotImportable("header_parameters", name);
  }
}

function inputsOf(definition: UpstreamDefinition): DraftInputs {
  const { name, inputSchema } = definition;
  const document = documentOf(inputSchema);
  const shapes = new Shapes(document, "request");
  const shape = shapes.of(document.root);
  if (!shape.types.has("object")) throw new NotImportable("schema_malformed", "no object");
  const hasArguments = shape.properties.size > 0 || shape.required.size > 0;
  const body = { kind: "json", required: true, schema: document.root, encoding: {} } as const;
  const operation = {
    key: name,
    method: "POST",
    path: "",
    id: name,
    summary: "",
    description: "",
    parameters: [],
    body: hasArguments ? { ...body, description: undefined } : undefined,
    answer: undefined,
    scopes: [],
    links: false,
    left_out: [],
  };
  const inputs = draftInputs(operation, shapes, () => false);
  const isWhole = Object.values(inputs.input).some(({ whole }) => whole);
  if (isWhole) throw new NotImportable("schema_malformed", "its arguments have no names");
  return inputs;
}

function outputOf({ outputSchema }: UpstreamDefinition): DraftFields {
  if (outputSchema === undefined) return { text: { from: "/text", schema: { type: "string" } } };
  const document = documentOf(outputSchema);
  return draftOutput(document.root, new Shapes(document, "answer"));
}

function titleOf({ name, title, annotations }: UpstreamDefinition, own: string): string {
  const said = annotations?.["title"];
  const text = trimmed(title ?? (typeof said === "string" ? said : name), TITLE_MAX);
  return text === "" ? own.replaceAll("_", " ") : text;
}

function descriptionOf({ name, description = "" }: UpstreamDefinition): string {
  const text = trimmed(description, DESCRIPTION_MAX);
  return text === "" ? `The server says nothing of ${name}.` : text;
}

// Hints of a server that nobody has to believe (MCP, server/tools): what it does not say is the
// worse of both, and a name that ends something is none that only reads.
function effectsOf({ name, annotations = {} }: UpstreamDefinition) {
  const ends = ENDS.test(name.replaceAll(/([a-z])([A-Z])/g, "$1 $2"));
  const readOnly = annotations["readOnlyHint"] === true && !ends;
  return {
    readOnly,
    destructive: !readOnly && (ends || annotations["destructiveHint"] !== false),
    idempotent: readOnly || annotations["idempotentHint"] === true,
    openWorld: annotations["openWorldHint"] !== false,
  };
}

/** The one record that its arguments name: `deal_id` is `deal:{deal_id}`. */
function targetOf(input: DraftInputs["input"]): string {
  const ids = Object.entries(input).filter(
    ([name, { optional }]) => optional !== true && /^[a-z][a-z0-9_]*_id$/.test(name),
  );
  const [only] = ids;
  return only === undefined || ids.length > 1 ? "none" : `${only[0].slice(0, -3)}:{${only[0]}}`;
}

function hiddenIn({ title, description }: UpstreamDefinition): readonly string[] {
  const isShown = (text = ""): boolean => isVisible(text.replaceAll(/[\n\r\t]/g, " "));
  return isShown(title) && isShown(description) ? [] : ["characters of its words that nobody sees"];
}

// The catalogue's own loader is the judge: what it would refuse is no draft.
function mustLoad(file: object, contract: UpstreamContract, connector: Connector): UpstreamTool {
  const parsed = upstreamFileSchema.safeParse(file);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join("/") ?? "";
    throw new NotImportable("schema_malformed", `${where}: ${issue?.message ?? ""}`.slice(0, 300));
  }
  return buildUpstreamTool(parsed.data, toUpstreamPin(contract), connector, (pointer, message) => {
    throw new NotImportable("schema_malformed", `${pointer}: ${message}`);
  });
}
