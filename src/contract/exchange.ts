// What an operation takes and answers: parameters, body, responses; Swagger 2 said in 3.1's words.
import { mediaType } from "./media.ts";
import type { Found } from "./operation.ts";
import { followed, isRaw, listOf, rawOf, textOf } from "./raw.ts";
import type { Raw } from "./raw.ts";
import type { SchemaReader } from "./reader.ts";
import { typesOf } from "./shape.ts";
import type { Shape } from "./shape.ts";

export interface Parameter {
  readonly in: string;
  readonly name: string;
  readonly required: boolean;
  /** How lists and objects are written, where that is not the place's usual way. */
  readonly style?: string;
  readonly deprecated?: true;
  readonly schema: Shape;
}

export interface Body {
  readonly required: boolean;
  readonly content: Readonly<Record<string, Content>>;
}

interface Content {
  readonly schema: Shape;
  readonly encoding?: Readonly<Record<string, string>>;
}

export type Responses = Readonly<
  Record<
    string,
    {
      readonly content: Readonly<Record<string, Shape>>;
      /** Of those that tools use: whether it is always there. */
      readonly headers: Readonly<Record<string, boolean>>;
    }
  >
>;

// OpenAPI 3.1 section 4.8.12.1: these are not parameters, whatever a document says.
const NO_PARAMETERS = new Set(["accept", "content-type", "authorization"]);
const USED_HEADERS = ["link", "etag"];
const JSON_TYPE = "application/json";
const FORM_TYPE = "application/x-www-form-urlencoded";

export function parametersIn(found: Found, reader: SchemaReader): readonly Parameter[] {
  const byPlace = new Map<string, Parameter>();
  for (const raw of rawParameters(found)) {
    const parameter = parameterIn(found, raw, reader);
    if (parameter === undefined) continue;
    byPlace.set(`${parameter.in} ${parameter.name}`, parameter);
  }
  return [...byPlace].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function rawParameters({ document, item, node }: Found): readonly Raw[] {
  const both = [...listOf(item, "parameters"), ...listOf(node, "parameters")];
  return both.map((one) => followed(document, one));
}

function parameterIn(found: Found, raw: Raw, reader: SchemaReader): Parameter | undefined {
  const place = textOf(raw, "in") ?? "";
  const written = textOf(raw, "name") ?? "";
  if (!["path", "query", "header", "cookie"].includes(place)) return undefined;
  if (place === "header" && NO_PARAMETERS.has(written.toLowerCase())) return undefined;
  const [[media, content] = []] = Object.entries(rawOf(raw, "content"));
  const inContent = isRaw(content) ? content["schema"] : undefined;
  const schema = reader.read(found.swagger ? raw : (raw["schema"] ?? inContent));
  const style = media === undefined ? styleOf(raw, place, schema) : mediaType(media);
  return {
    in: place,
    name: nameIn(found, place, written),
    required: place === "path" || raw["required"] === true,
    ...(style === undefined ? {} : { style }),
    ...(raw["deprecated"] === true ? { deprecated: true } : {}),
    schema,
  };
}

function nameIn({ renamed }: Found, place: string, written: string): string {
  if (place === "path") return renamed.get(written) ?? written;
  return place === "header" ? written.toLowerCase() : written;
}

const COLLECTIONS: Readonly<Record<string, string>> = {
  ssv: "spaceDelimited",
  tsv: "tabDelimited",
  pipes: "pipeDelimited",
};

/** `style` or `style*` (exploded); nothing where the value is one word written as usual. */
function styleOf(raw: Raw, place: string, schema: Shape): string | undefined {
  const usual = place === "query" || place === "cookie" ? "form" : "simple";
  const collection = textOf(raw, "collectionFormat") ?? "";
  const style = textOf(raw, "style") ?? COLLECTIONS[collection] ?? usual;
  if (style === usual && isWord(schema)) return undefined;
  const swagger = raw["schema"] === undefined && raw["type"] !== undefined;
  const preset = swagger ? collection === "multi" : style === "form";
  const explode = typeof raw["explode"] === "boolean" ? raw["explode"] : preset;
  const isUsual = style === usual && explode === (usual === "form");
  return isUsual ? undefined : style + (explode ? "*" : "");
}

function isWord(schema: Shape): boolean {
  const types = schema.$ref === undefined ? typesOf(schema) : undefined;
  return types?.every((type) => type !== "array" && type !== "object") ?? false;
}

export function bodyIn(found: Found, reader: SchemaReader): Body | undefined {
  if (found.swagger) return swaggerBody(found, reader);
  if (!isRaw(found.node["requestBody"])) return undefined;
  const raw = followed(found.document, found.node["requestBody"]);
  const content: Record<string, Content> = {};
  for (const [written, media] of Object.entries(rawOf(raw, "content"))) {
    if (!isRaw(media)) continue;
    const encoding = encodingOf(rawOf(media, "encoding"));
    content[mediaType(written)] ??= {
      schema: reader.read(media["schema"] ?? true),
      ...(encoding === undefined ? {} : { encoding }),
    };
  }
  return { required: raw["required"] === true, content: sorted(content) };
}

function encodingOf(raw: Raw): Readonly<Record<string, string>> | undefined {
  const styles = Object.entries(raw).flatMap(([name, one]) => {
    if (!isRaw(one)) return [];
    const style = textOf(one, "style") ?? "form";
    const explode = typeof one["explode"] === "boolean" ? one["explode"] : style === "form";
    const usual = style === "form" && explode && one["contentType"] === undefined;
    const type = textOf(one, "contentType") ?? "";
    return usual ? [] : [[name, `${style}${explode ? "*" : ""} ${type}`.trim()] as const];
  });
  return styles.length === 0 ? undefined : Object.fromEntries(styles);
}

function swaggerBody(found: Found, reader: SchemaReader): Body | undefined {
  const parameters = rawParameters(found);
  const whole = parameters.find((one) => one["in"] === "body");
  const form = parameters.filter((one) => one["in"] === "formData");
  const listed = mediaIn(found, "consumes");
  if (whole !== undefined) {
    const schema = reader.read(whole["schema"] ?? true);
    const types = listed.length === 0 ? [JSON_TYPE] : listed;
    const content = Object.fromEntries(types.map((type) => [type, { schema }]));
    return { required: whole["required"] === true, content: sorted(content) };
  }
  if (form.length === 0) return undefined;
  const properties = Object.fromEntries(form.map((one) => [textOf(one, "name") ?? "", one]));
  const required = form
    .filter((one) => one["required"] === true)
    .map((one) => textOf(one, "name") ?? "");
  const schema = reader.read({ type: "object", properties, required });
  const types = listed.filter((type) => type !== JSON_TYPE);
  const content = (types.length === 0 ? [FORM_TYPE] : types).map((type) => [type, { schema }]);
  return {
    required: required.length > 0,
    content: sorted(Object.fromEntries(content) as Record<string, Content>),
  };
}

function mediaIn({ document, node }: Found, key: string): readonly string[] {
  const listed = Array.isArray(node[key]) ? listOf(node, key) : listOf(document, key);
  return listed.filter((one) => typeof one === "string").map(mediaType);
}

export function responsesIn(found: Found, reader: SchemaReader): Responses {
  const all = rawOf(found.node, "responses");
  const success = Object.keys(all).filter((status) => /^2(?:\d\d|XX)$/i.test(status));
  const chosen = success.length === 0 && "default" in all ? ["default"] : success;
  const statuses: Record<string, Responses[string]> = {};
  for (const status of chosen.toSorted()) {
    const raw = followed(found.document, all[status]);
    const headers = Object.entries(rawOf(raw, "headers"))
      .filter(([name]) => USED_HEADERS.includes(name.toLowerCase()))
      .map(([name, header]) => {
        return [name.toLowerCase(), followed(found.document, header)["required"] === true] as const;
      });
    statuses[status.toUpperCase().replace("DEFAULT", "default")] = {
      content: contentOf(found, raw, reader),
      headers: sorted(Object.fromEntries(headers)),
    };
  }
  return statuses;
}

function contentOf(found: Found, raw: Raw, reader: SchemaReader): Readonly<Record<string, Shape>> {
  const content: Record<string, Shape> = {};
  if (found.swagger) {
    if (raw["schema"] === undefined) return {};
    const shape = reader.read(raw["schema"]);
    const listed = mediaIn(found, "produces");
    for (const type of listed.length === 0 ? [JSON_TYPE] : listed) content[type] = shape;
  }
  for (const [written, media] of Object.entries(rawOf(raw, "content"))) {
    if (isRaw(media)) content[mediaType(written)] ??= reader.read(media["schema"] ?? true);
  }
  return sorted(content);
}

function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
