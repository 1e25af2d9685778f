// From one *.tool.yaml to one DeclarativeTool, or to the mistakes in it.
import { canonicalJson, fingerprint } from "../kernel/ids.ts";
import { projectionSchema } from "../contract/projection.ts";
import type { Field, LedgerMark, Projection } from "../contract/projection.ts";
import type { Schema } from "../contract/schema.ts";
import { SchemaView, typesOf } from "../contract/schema-view.ts";
import type { Complain } from "./complain.ts";
import { checkBounded, checkReferences, withDefinitions } from "./references.ts";
import { checkPagination } from "./pagination.ts";
import { checkPlaces, styleOf } from "./places.ts";
import type {
  Connector,
  DeclarativeTool,
  Input,
  Method,
  PlacedInput,
  Target,
} from "./definition.ts";
import type { FieldFile, ToolFile, UpstreamFile } from "./tool-file.ts";

/** The definition; `complain` hears of everything that does not fit together. */
export function buildTool(
  file: ToolFile,
  connector: Connector,
  complain: Complain,
): DeclarativeTool {
  const [method = "GET", path = "/"] = file.operation.split(" ");
  const inputs = new Map(
    Object.entries(file.input).map(([name, input]) => [name, toInput(name, input, file)]),
  );
  const tool: Unhashed = {
    ...saidOf(file, toProjection(file.output)),
    kind: "declarative",
    connector,
    method: method as Method,
    path,
    inputs,
    input_schema: inputSchemaOf(file),
    body: file.body,
    fixed: Object.freeze(file.fixed),
    ...(file.pagination === undefined ? {} : { pagination: Object.freeze(file.pagination) }),
  };
  checkSchemas(file, complain);
  checkFit(tool, complain);
  return withMeaning(tool, { file, connector });
}

/** What a tool says of itself, in YAML or in code, whatever it is made of. */
type SaidOfItself = Pick<
  UpstreamFile,
  "name" | "title" | "description" | "effects" | "target" | "scopes"
>;

export function saidOf<Limits extends object>(
  said: SaidOfItself & { readonly limits: Limits },
  output: Projection,
) {
  return {
    name: said.name,
    title: said.title,
    description: said.description.trim(),
    output,
    output_schema: projectionSchema(output),
    effects: Object.freeze(said.effects),
    target: toTarget(said.target),
    scopes: Object.freeze([...said.scopes].toSorted()),
    ...said.limits,
  };
}

/** JSON alone: what is read from a lock again is equal to it. */
export function withMeaning<T>(tool: T, said: Readonly<Record<string, unknown>>) {
  const meaning = JSON.parse(canonicalJson(said)) as Record<string, unknown>;
  return Object.freeze({ ...tool, meaning, hash: fingerprint(meaning) });
}

function toInput(name: string, file: ToolFile["input"][string], tool: ToolFile): PlacedInput {
  const schema = withDefinitions(file.schema, tool.$defs);
  return Object.freeze({
    in: file.in,
    as: file.as ?? name,
    ...styleOf(file, tool.body),
    whole: file.whole,
    optional: file.optional,
    schema,
    ledger: file.ledger ?? markOf(schema),
  });
}

/** Ids, enums, numbers, dates and booleans are readable in the ledger; other text is sealed. */
export function markOf(schema: Schema): LedgerMark {
  const isReadable = (one: Schema): boolean =>
    one.enum !== undefined ||
    one.const !== undefined ||
    typesOf(one).every(
      (type) =>
        ["integer", "number", "boolean", "null"].includes(type) ||
        (type === "string" && ["date", "date-time", "uuid"].includes(one.format ?? "")),
    );
  return new SchemaView(schema, schema.$defs).variants.every(isReadable) ? "plain" : "sealed";
}

/** What a file says of arguments and answer, whatever the tool is made of. */
type Said = Pick<UpstreamFile, "input" | "output" | "$defs">;

export function inputSchemaOf(file: Said): Schema {
  const properties: Record<string, Schema> = {};
  for (const [name, input] of Object.entries(file.input)) {
    const described = input.description === undefined ? {} : { description: input.description };
    properties[name] = { ...input.schema, ...described };
  }
  const required = Object.keys(file.input).filter((name) => file.input[name]?.optional === false);
  const schema: Schema = { type: "object", properties, required, additionalProperties: false };
  return Object.freeze(withDefinitions(schema, file.$defs));
}

export function toProjection(fields: Readonly<Record<string, FieldFile>>): Projection {
  return new Map(Object.entries(fields).map(([name, field]) => [name, toField(field)]));
}

function toField(file: FieldFile): Field {
  const base = {
    from: file.from,
    optional: file.optional ?? false,
    ...(file.description === undefined ? {} : { description: file.description }),
  };
  if (file.items !== undefined) return { ...base, kind: "list", items: toProjection(file.items) };
  if (file.fields !== undefined) {
    return { ...base, kind: "object", fields: toProjection(file.fields) };
  }
  const schema = file.schema ?? { type: "null" };
  return { ...base, kind: "value", schema, ledger: file.ledger ?? markOf(schema) };
}

function toTarget(text: string): Target | undefined {
  const match = /^([a-z][a-z0-9_]*):\{([a-z][a-z0-9_]*)\}$/.exec(text);
  if (match === null) return undefined;
  return Object.freeze({ kind: match[1] ?? "", argument: match[2] ?? "" });
}

type Unhashed = Omit<DeclarativeTool, "hash" | "meaning">;

export function checkSchemas({ input, output, $defs }: Said, complain: Complain): void {
  for (const [name, { schema }] of Object.entries(input)) {
    checkBounded(`/input/${name}/schema`, schema, complain);
    checkReferences(`/input/${name}/schema`, schema, $defs, complain);
  }
  for (const [name, schema] of Object.entries($defs)) {
    checkBounded(`/$defs/${name}`, schema, complain);
    checkReferences(`/$defs/${name}`, schema, $defs, complain);
  }
  checkOutput("/output", output, complain);
}

// What an answer must look like stands in one place, with each field.
function checkOutput(at: string, fields: Readonly<Record<string, FieldFile>>, complain: Complain) {
  for (const [name, { schema, items, fields: inner }] of Object.entries(fields)) {
    if (schema !== undefined) checkReferences(`${at}/${name}/schema`, schema, {}, complain);
    checkOutput(`${at}/${name}/items`, items ?? {}, complain);
    checkOutput(`${at}/${name}/fields`, inner ?? {}, complain);
  }
}

function checkFit(tool: Unhashed, complain: Complain): void {
  checkPath(tool, complain);
  checkPlaces(tool, complain);
  checkTarget(tool, complain);
  checkPagination(tool, complain);
  if (tool.effects.readOnly && (tool.effects.destructive || tool.method === "DELETE")) {
    complain("/effects", "read-only and destructive at once", "set readOnly to false");
  }
}

export function checkTarget(
  tool: Pick<DeclarativeTool, "target"> & { readonly inputs: ReadonlyMap<string, Input> },
  complain: Complain,
): void {
  if (tool.target === undefined || tool.inputs.get(tool.target.argument)?.optional === false)
    return;
  complain("/target", `there is no required input ${tool.target.argument}`, "name one, or none");
}

// Each {name} of the path has exactly one required input, and each path input its {name}.
function checkPath(tool: Unhashed, complain: Complain): void {
  const named = checkTemplate(tool.path, "/operation", complain);
  for (const [name, input] of tool.inputs) {
    if (input.in !== "path") continue;
    if (!named.delete(input.as)) {
      complain(`/input/${name}`, `the path has no {${input.as}}`, "name it in the operation, once");
    }
    if (input.optional) {
      complain(`/input/${name}/optional`, "a path argument cannot be optional", "remove it");
    }
  }
  for (const name of named) {
    complain("/operation", `{${name}} has no input`, "add one with in: path");
  }
}

/** The names in a path's braces; `complain` hears where the path could name another operation. */
export function checkTemplate(path: string, pointer: string, complain: Complain): Set<string> {
  if (/[{}?#\\]/.test(path.replaceAll(/\{[A-Za-z0-9_]+\}/g, ""))) {
    complain(pointer, "the path is malformed", "only /segments and {names}, no query");
  }
  const segments = path.slice(1).split("/");
  const walks = segments.some((one) => /^(?:|\.|%2e){1,2}$/i.test(one) && one !== "");
  if (walks || segments.slice(0, -1).includes("") || !/^[\x21-\x7e]+$/.test(path)) {
    const mend = "write the path as the API has it: no dot or empty segments, ASCII only";
    complain(pointer, "the path would name another one", mend);
  }
  return new Set([...path.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1] ?? ""));
}
