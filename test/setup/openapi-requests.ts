// The requests of imported tools, held against the documents that they came from: by ajv for JSON
// bodies, by the document's own names and templates for the rest.
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect } from "vitest";
import type { DeclarativeTool, ToolDefinition } from "../../src/catalog/definition.ts";
import type { Draft } from "../../src/catalog/openapi/draft.ts";
import { operationsOf, propose } from "../../src/catalog/openapi/propose.ts";
import { parametersOf } from "../../src/catalog/openapi/operation.ts";
import { withDocument } from "../../src/catalog/openapi/source.ts";
import type { ApiDocument } from "../../src/catalog/openapi/document.ts";
import type { Listed } from "../../src/catalog/openapi/listing.ts";
import { mismatches } from "../../src/contract/schema.ts";
import type { Schema } from "../../src/contract/schema.ts";
import { buildRequest } from "../../src/sandbox/request.ts";
import type { BrokerRequest } from "../../src/sandbox/request.ts";
import { API } from "./openapi.ts";
import { FOLDER, loaded } from "./openapi-corpus.ts";

export const NONE = { names: new Map<string, undefined>(), own: new Map<string, string>() };

/** Each tool of a document sends something, and the document describes it. */
export async function judgeRequests(name: string): Promise<void> {
  const options = { allow_private: false, progress: () => undefined };
  await withDocument(join(FOLDER, name), options, async (document) => {
    const listed = await operationsOf(document);
    const { drafts } = await propose(document, listed, API, NONE);
    const tools = loaded(drafts);
    const judge = judgeOf(document, listed);
    let sent = 0;
    for (const draft of drafts) {
      const tool = declarative(tools.get(draft.file.name));
      const args = argumentsFor(tool);
      expect(mismatches(tool.input_schema, args), draft.operation).toEqual([]);
      const request = buildRequest(tool, args);
      if (!request.ok) throw new Error(`${draft.operation}: ${request.refusal.reason ?? ""}`);
      expect(judge(draft, request.value), draft.operation).toEqual([]);
      sent++;
    }
    expect(sent).toBe(drafts.length);
  });
}

export function declarative(tool: ToolDefinition | undefined): DeclarativeTool {
  if (tool?.kind !== "declarative") throw new Error("no such tool");
  return tool;
}

/** Something for each argument, as far as that fits; what does not fit alone is left out. */
export function argumentsFor(tool: DeclarativeTool): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, { schema, optional }] of tool.inputs) {
    const value = sample(schema, schema.$defs ?? {}, 0);
    const fits = mismatches(schema, value).length === 0 && !isEmpty(value);
    if (!optional || fits) found[name] = value;
  }
  return found;
}

const FORMATS: Readonly<Record<string, string>> = {
  date: "2026-01-02",
  "date-time": "2026-01-02T03:04:05Z",
  email: "ada@example.com",
  uri: "https://example.com/a",
  uuid: "6f9619ff-8b86-4011-b42d-00c04fc964ff",
};

function sample(schema: Schema, defs: Readonly<Record<string, Schema>>, depth: number): unknown {
  if (schema.$ref !== undefined) {
    return sample(defs[schema.$ref.slice("#/$defs/".length)] ?? {}, defs, depth + 1);
  }
  const [branch] = schema.anyOf ?? [];
  if (branch !== undefined) return sample(branch, defs, depth);
  if (schema.enum !== undefined) return schema.enum[0];
  const [type] = [schema.type ?? "null"].flat();
  switch (type) {
    case "string":
      return text(schema);
    case "integer":
    case "number":
      return number(schema);
    case "boolean":
      return true;
    case "array":
      return list(schema, defs, depth);
    case "object":
      return record(schema, defs, depth);
    default:
      return null;
  }
}

function number({ minimum, exclusiveMinimum, maximum = 1 }: Schema): number {
  if (minimum !== undefined) return minimum;
  return exclusiveMinimum === undefined ? Math.min(1, maximum) : exclusiveMinimum + 1;
}

function list(
  schema: Schema,
  defs: Readonly<Record<string, Schema>>,
  depth: number,
): readonly unknown[] {
  const count = Math.max(schema.minItems ?? 0, depth < 8 ? 1 : 0);
  const items = Array.from({ length: count }, () => sample(schema.items ?? {}, defs, depth + 1));
  // No item twice: where two are asked for, they are words or numbers.
  return items.map((one, n) =>
    n === 0 ? one : typeof one === "number" ? one + n : typeof one === "string" ? one + n : one,
  );
}

function record(
  schema: Schema,
  defs: Readonly<Record<string, Schema>>,
  depth: number,
): Record<string, unknown> {
  const required = new Set(schema.required);
  const entries = Object.entries(schema.properties ?? {});
  // One at least: a form has no word for a record of nothing.
  const some = entries.filter(
    ([name], i) => required.has(name) || depth < 2 || (i === 0 && depth < 12),
  );
  return Object.fromEntries(
    some
      .map(([name, one]) => [name, sample(one, defs, depth + 1)] as const)
      // A form has no word for a list of nothing.
      .filter(([name, one]) => required.has(name) || !isEmpty(one)),
  );
}

function isEmpty(value: unknown): boolean {
  return value !== null && typeof value === "object" && Object.keys(value).length === 0;
}

const WORDS = [
  "1",
  "1.1.1",
  "a",
  "A",
  "aa",
  "AA",
  "a1",
  "2026-01-02",
  "a".repeat(32),
  `sha256:${"a".repeat(64)}`,
];

function text(schema: Schema): string {
  const { format = "", minLength = 0, maxLength = 10 } = schema;
  const length = Math.min(Math.max(minLength, 1), maxLength);
  const words = [FORMATS[format] ?? "a".repeat(length), "1".repeat(length), ...WORDS];
  return words.find((one) => mismatches(schema, one).length === 0) ?? "";
}

type Judge = (draft: Draft, request: BrokerRequest) => readonly unknown[];

function judgeOf(document: ApiDocument, listed: readonly Listed[]): Judge {
  const ajv = new Ajv2020({ strict: false, validateFormats: false, validateSchema: false });
  ajv.addSchema(document.root, "document");
  const byKey = new Map(listed.map((one) => [one.key, one]));
  return ({ operation }, { path, headers, body }) => {
    const one = byKey.get(operation);
    if (one === undefined) return ["no such operation"];
    const url = new URL(`https://api.test${path}`);
    const template = one.path.replaceAll(/\{[^{}]+\}/g, "[^/]+").replaceAll(".", String.raw`\.`);
    const wrong: unknown[] = [];
    if (!new RegExp(`${template}$`).test(url.pathname)) wrong.push(`path ${url.pathname}`);
    const names = parametersOf(document, one).map(
      (parameter) => `${String(parameter["in"])} ${String(parameter["name"])}`,
    );
    for (const key of url.searchParams.keys()) {
      const bare = key.replace(/\[.*/, "");
      if (!names.includes(`query ${bare}`) && !names.includes(`query ${key}`))
        wrong.push(`query ${key}`);
    }
    const type = headers["content-type"] ?? "";
    if (body === undefined || type !== "application/json") return wrong;
    const pointer = [
      "paths",
      one.path,
      one.method.toLowerCase(),
      "requestBody",
      "content",
      type,
      "schema",
    ]
      .map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")))
      .join("/");
    const validate = ajv.compile({ $ref: `document#/${pointer}` });
    return validate(JSON.parse(body)) ? wrong : [...wrong, ...(validate.errors ?? [])];
  };
}
