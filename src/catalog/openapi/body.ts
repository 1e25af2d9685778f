// What an operation takes as its body, whichever way its dialect says so.
import { NotImportable } from "./reason.ts";
import type { ApiDocument } from "./document.ts";
import type { Listed } from "./listing.ts";
import { listAt, objectAt, textAt } from "./read.ts";
import type { Json } from "./read.ts";
import { isFormType, isJsonType, isPlainJson } from "./media.ts";

export interface Body {
  readonly kind: "json" | "form";
  readonly required: boolean;
  readonly schema: Json;
  readonly description: string | undefined;
  /** A form's property -> how it is written (OpenAPI's Encoding Object). */
  readonly encoding: Json;
}

export function bodyOf(
  document: ApiDocument,
  listed: Listed,
  parameters: readonly Json[],
  left_out: string[],
): Body | undefined {
  const found =
    document.dialect === "2.0"
      ? swaggerBody(document, listed.node, parameters)
      : openApiBody(document, listed.node, left_out);
  if (found === undefined) return undefined;
  if ("refused" in found) {
    const { refused, required } = found;
    if (required) throw new NotImportable("body_not_text", refused);
    left_out.push(`the body: ${refused}`);
    return undefined;
  }
  if (listed.method === "GET" || listed.method === "DELETE") {
    if (found.required && !isEmpty(document.resolve(found.schema).value))
      throw new NotImportable("body_not_allowed", listed.method);
    left_out.push(`the body: ${listed.method} sends none`);
    return undefined;
  }
  return found;
}

// Some documents require a body of which they say nothing.
function isEmpty(schema: Json): boolean {
  const says = Object.keys(objectAt(schema, "properties") ?? {}).length > 0;
  return !says && !["items", "allOf", "oneOf", "anyOf"].some((key) => Object.hasOwn(schema, key));
}

interface Refused {
  readonly refused: string;
  readonly required: boolean;
}

function openApiBody(
  document: ApiDocument,
  node: Json,
  left_out: string[],
): Body | Refused | undefined {
  const pointed = objectAt(node, "requestBody");
  if (pointed === undefined) return undefined;
  const body = document.resolve(pointed).value;
  const content = objectAt(body, "content") ?? {};
  const types = Object.keys(content);
  const required = body["required"] === true;
  const type = types.find(isPlainJson) ?? types.find(isJsonType) ?? types.find(isFormType);
  if (type === undefined) {
    return types.length === 0 ? undefined : { refused: types.join(", ").slice(0, 100), required };
  }
  if (!isFormType(type) && !isPlainJson(type))
    left_out.push(`nothing, but the body is sent as application/json, not ${type}`);
  const media = objectAt(content, type) ?? {};
  return {
    kind: isJsonType(type) ? "json" : "form",
    required,
    schema: objectAt(media, "schema") ?? {},
    description: textAt(body, "description"),
    encoding: objectAt(media, "encoding") ?? {},
  };
}

function swaggerBody(
  document: ApiDocument,
  node: Json,
  parameters: readonly Json[],
): Body | Refused | undefined {
  const form = parameters.filter((one) => textAt(one, "in") === "formData");
  const whole = parameters.find((one) => textAt(one, "in") === "body");
  const takes = Array.isArray(node["consumes"]) ? node : document.root;
  const types = listAt(takes, "consumes").filter((one) => typeof one === "string");
  if (whole !== undefined) {
    const required = whole["required"] === true;
    if (types.length > 0 && !types.some(isJsonType)) {
      return { refused: types.join(", ").slice(0, 100), required };
    }
    const schema = objectAt(whole, "schema") ?? {};
    const description = textAt(whole, "description");
    return { kind: "json", required, schema, description, encoding: {} };
  }
  if (form.length === 0) return undefined;
  const needed = form.filter((one) => one["required"] === true);
  const file = form.find((one) => textAt(one, "type") === "file");
  const onlyParts = types.length > 0 && !types.some(isFormType);
  if (file !== undefined || onlyParts) {
    const refused = file === undefined ? types.join(", ").slice(0, 100) : "a file";
    return { refused, required: onlyParts || needed.includes(file ?? {}) };
  }
  return { ...formOf(form, needed), encoding: swaggerEncoding(form) };
}

function formOf(form: readonly Json[], needed: readonly Json[]): Omit<Body, "encoding"> {
  const name = (one: Json): string => textAt(one, "name") ?? "";
  const schema = {
    type: "object",
    properties: Object.fromEntries(form.map((one) => [name(one), one])),
    required: needed.map(name),
  };
  return { kind: "form", required: needed.length > 0, schema, description: undefined };
}

function swaggerEncoding(form: readonly Json[]): Json {
  const lists = form.filter((one) => textAt(one, "type") === "array");
  return Object.fromEntries(
    lists.map((one) => {
      const format = textAt(one, "collectionFormat") ?? "csv";
      const style = { ssv: "spaceDelimited", pipes: "pipeDelimited", tsv: "tsv" }[format] ?? "form";
      return [textAt(one, "name") ?? "", { style, explode: format === "multi" }];
    }),
  );
}
