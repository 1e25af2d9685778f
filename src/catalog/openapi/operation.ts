// One operation in the form that all dialects share. What only
// Swagger 2.0 or OpenAPI 3.0 say in another way ends here; schemas keep their dialect (shape.ts).
import { NotImportable } from "./reason.ts";
import type { ApiDocument } from "./document.ts";
import { isJson, listAt, objectAt, textAt } from "./read.ts";
import type { Json } from "./read.ts";
import { bodyOf } from "./body.ts";
import type { Body } from "./body.ts";
import { isJsonType, isPlainJson } from "./media.ts";
import type { Listed } from "./listing.ts";
import { serverOf } from "./server.ts";

const SENDABLE = new Set(["GET", "PUT", "POST", "PATCH", "DELETE"]);

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly description: string | undefined;
  readonly schema: Json;
  readonly style: string;
  readonly explode: boolean;
}

export interface Operation {
  readonly key: string;
  readonly method: string;
  /** On the connector's origin: with the server's own path before it. */
  readonly path: string;
  readonly id: string | undefined;
  readonly summary: string;
  readonly description: string;
  readonly parameters: readonly Parameter[];
  readonly body: Body | undefined;
  /** The schema of the answer, where there is one to speak of. */
  readonly answer: Json | undefined;
  /** Whether its answers have a header `Link`. */
  readonly links: boolean;
  /** What the user's token must hold; nothing where the document names nothing. */
  readonly scopes: readonly string[];
  /** What an agent could leave out, and what is left out of the draft therefore. */
  readonly left_out: readonly string[];
}

/** The whole of it in one form; throws `NotImportable` where no tool can be made of it. */
export function readOperation(document: ApiDocument, listed: Listed): Operation {
  const { key, method, node, item } = listed;
  if (!SENDABLE.has(method)) throw new NotImportable("method_unsupported", method);
  const left_out: string[] = [];
  const nodes = parameterNodes(document, listed);
  const parameters = nodes.flatMap((one) => parameterOf(document, one, left_out) ?? []);
  return {
    key,
    method,
    path: serverOf(document, node, item).path + listed.path,
    id: textAt(node, "operationId"),
    summary: textAt(node, "summary") ?? "",
    description: textAt(node, "description") ?? textAt(item, "description") ?? "",
    parameters,
    body: bodyOf(document, listed, nodes, left_out),
    answer: answerOf(document, node),
    links: hasLinks(document, node),
    scopes: scopesOf(document, node),
    left_out,
  };
}

/** The parameters of an operation, as far as they are there. */
export function parametersOf(document: ApiDocument, listed: Listed): readonly Json[] {
  try {
    return parameterNodes(document, listed);
  } catch (error) {
    if (error instanceof NotImportable) return [];
    throw error;
  }
}

// An operation's parameter takes the place of the path's of the same name and kind.
function parameterNodes(document: ApiDocument, { node, item }: Listed): Json[] {
  const nodes = new Map<string, Json>();
  for (const one of [...listAt(item, "parameters"), ...listAt(node, "parameters")]) {
    if (!isJson(one)) continue;
    const parameter = document.resolve(one).value;
    nodes.set(`${textAt(parameter, "in") ?? ""} ${textAt(parameter, "name") ?? ""}`, parameter);
  }
  return [...nodes.values()];
}

const STYLES: Readonly<Record<string, string>> = {
  csv: "form",
  ssv: "spaceDelimited",
  pipes: "pipeDelimited",
  multi: "form",
};

function parameterOf(document: ApiDocument, node: Json, left_out: string[]): Parameter | undefined {
  const [place, name] = [textAt(node, "in") ?? "", textAt(node, "name") ?? ""];
  if (place === "body" || place === "formData") return undefined;
  const required = node["required"] === true || place === "path";
  if (place !== "path" && place !== "query" && place !== "header") {
    const reason = place === "cookie" ? "cookie_parameter" : "parameter_style";
    if (required) throw new NotImportable(reason, `${name} (in ${place})`);
    left_out.push(`${name}: in ${place}`);
    return undefined;
  }
  const description = textAt(node, "description");
  const written = writtenAs(document, node, place);
  if (written !== undefined) return { name, in: place, required, description, ...written };
  if (required) throw new NotImportable("parameter_style", `${name} has a content type`);
  left_out.push(`${name}: has a content type of its own`);
  return undefined;
}

function writtenAs(
  document: ApiDocument,
  node: Json,
  place: Parameter["in"],
): Pick<Parameter, "schema" | "style" | "explode"> | undefined {
  if (document.dialect === "2.0") return { schema: node, ...swaggerStyle(node, place) };
  const schema = objectAt(node, "schema");
  if (schema === undefined) return undefined;
  const style = textAt(node, "style") ?? (place === "query" ? "form" : "simple");
  const explode = typeof node["explode"] === "boolean" ? node["explode"] : style === "form";
  return { schema, style, explode };
}

function swaggerStyle(node: Json, place: string): Pick<Parameter, "style" | "explode"> {
  if (place !== "query") return { style: "simple", explode: false };
  const format = textAt(node, "collectionFormat") ?? "csv";
  // tsv has no name in OpenAPI 3, and none here: what nobody knows is refused by its own word.
  return { style: STYLES[format] ?? format, explode: format === "multi" };
}

const SUCCESS = ["200", "201", "202", "203", "206", "2XX", "2xx", "default"];

function answerOf(document: ApiDocument, node: Json): Json | undefined {
  const responses = objectAt(node, "responses") ?? {};
  const codes = Object.keys(responses);
  const done = codes.some((code) => code.startsWith("2"));
  const code = SUCCESS.find((one) => codes.includes(one) && (one !== "default" || !done));
  const pointed = code === undefined ? undefined : objectAt(responses, code);
  if (pointed === undefined) return undefined;
  const response = document.resolve(pointed).value;
  const content = objectAt(response, "content") ?? {};
  const isSwagger = document.dialect === "2.0";
  const types = isSwagger ? producedBy(document, node, response) : Object.keys(content);
  // What the broker asks for, where the API has it.
  const type = types.find(isPlainJson) ?? types.find(isJsonType);
  if (types.length > 0 && type === undefined && code !== "default") {
    throw new NotImportable("answer_not_json", types.join(", ").slice(0, 100));
  }
  if (isSwagger) return objectAt(response, "schema");
  const media = type === undefined ? undefined : objectAt(content, type);
  return media === undefined ? undefined : objectAt(media, "schema");
}

function hasLinks(document: ApiDocument, node: Json): boolean {
  return Object.entries(objectAt(node, "responses") ?? {}).some(([code, pointed]) => {
    if (!code.startsWith("2") || !isJson(pointed)) return false;
    const headers = objectAt(document.resolve(pointed).value, "headers") ?? {};
    return Object.keys(headers).some((name) => name.toLowerCase() === "link");
  });
}

/** The media types of an answer that has a body. */
function producedBy(document: ApiDocument, node: Json, response: Json): string[] {
  if (objectAt(response, "schema") === undefined) return [];
  const says = Array.isArray(node["produces"]) ? node : document.root;
  return listAt(says, "produces").filter((one): one is string => typeof one === "string");
}

// Requirements stand beside each other as alternatives: the first that speaks of scopes counts.
function scopesOf(document: ApiDocument, node: Json): string[] {
  const own = Array.isArray(node["security"]) ? node : document.root;
  for (const alternative of listAt(own, "security")) {
    if (!isJson(alternative)) continue;
    const scopes = Object.values(alternative).flat();
    const named = scopes.filter((one): one is string => typeof one === "string");
    if (named.length > 0) return named.filter((one) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(one));
  }
  return [];
}
