// An OpenAPI document as an API has it that was generated from it: its operations, by method and
// template, with what each takes and answers. It knows nothing of doorless, and shares no code.
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import type { ErrorObject } from "ajv";
import { CORE_SCHEMA, load as parseYaml } from "js-yaml";

export type Json = { readonly [name: string]: unknown };
type Place = "path" | "query" | "header" | "form";

/** Where a value stands, and how it is written there. */
export interface Declared {
  readonly in: Place;
  readonly name: string;
  readonly required: boolean;
  readonly style: string;
  readonly explode: boolean;
  readonly schema: Json;
}

export interface Operation {
  /** `GET /items/{id}`, as the document has it. */
  readonly key: string;
  readonly method: string;
  readonly segments: readonly RegExp[];
  readonly names: readonly string[];
  /** How much of the template is fixed text: of two that match, this one is meant. */
  readonly fixed: number;
  readonly declared: readonly Declared[];
  /** Media type -> schema. */
  readonly bodies: ReadonlyMap<string, Json>;
  readonly body_required: boolean;
  readonly answer: { readonly status: number; readonly type: string; readonly schema: Json } | null;
}

const METHODS = ["get", "post", "put", "patch", "delete"];
const REF = "document#";
const FORM = "application/x-www-form-urlencoded";

export class Document {
  readonly root: Json;
  readonly operations: readonly Operation[];
  private readonly ajv = new Ajv2020({
    strict: false,
    validateFormats: false,
    validateSchema: false,
    logger: false,
    addUsedSchema: false,
    verbose: true,
  });

  constructor(file: string) {
    const text = readFileSync(file, "utf8");
    const tree: unknown = file.endsWith(".json")
      ? JSON.parse(text)
      : parseYaml(text, { schema: CORE_SCHEMA });
    this.root = modern(tree) as Json;
    this.ajv.addSchema(this.root, "document");
    this.operations = this.read();
  }

  /** What `value` breaks of a schema; empty where nothing. */
  broken(schema: Json, value: unknown): readonly ErrorObject[] {
    const validate = this.ajv.compile(schema);
    return validate(value) ? [] : (validate.errors ?? []);
  }

  /** The node itself, or what it refers to. */
  resolve(node: unknown): Json {
    let found = jsonOf(node);
    for (let hops = 0; hops < 32; hops++) {
      const ref = found["$ref"];
      if (typeof ref !== "string") return found;
      found = jsonOf(this.at(ref));
    }
    throw new Error("references without an end");
  }

  private at(ref: string): unknown {
    if (!ref.startsWith(`${REF}/`)) throw new Error(`a reference elsewhere: ${ref}`);
    let node: unknown = this.root;
    for (const part of ref.slice(REF.length + 1).split("/")) {
      const key = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
      node = (node as Json | undefined)?.[key];
    }
    return node;
  }

  private read(): Operation[] {
    const base = baseOf(this.root);
    return Object.entries(jsonOf(this.root["paths"])).flatMap(([path, item]) => {
      const shared = this.resolve(item);
      return METHODS.filter((method) => method in shared).map((method) =>
        this.operation(base, path, method, shared),
      );
    });
  }

  private operation(base: string, path: string, method: string, item: Json): Operation {
    const own = jsonOf(item[method]);
    const own_base = baseOf(own, baseOf(item, base));
    // What an operation says of a parameter is in place of what its path says of it.
    const all = new Map<string, Json>();
    for (const one of [...listOf(item["parameters"]), ...listOf(own["parameters"])]) {
      const parameter = this.resolve(one);
      all.set(`${String(parameter["in"])} ${String(parameter["name"])}`, parameter);
    }
    const parameters = [...all.values()];
    const template = own_base + path;
    return {
      key: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      segments: template.split("/").map(segmentOf),
      names: [...template.matchAll(/\{([^{}]+)\}/g)].map(([, name = ""]) => name),
      fixed: template.replaceAll(/\{[^{}]+\}/g, "").length,
      declared: parameters.flatMap((one) => declaredOf(one)),
      ...this.body(own, parameters),
      answer: this.answer(own),
    };
  }

  private body(
    own: Json,
    parameters: readonly Json[],
  ): Pick<Operation, "bodies" | "body_required"> {
    const whole = parameters.find((one) => one["in"] === "body");
    if (whole !== undefined) {
      const bodies = new Map([["application/json", jsonOf(whole["schema"])]]);
      return { bodies, body_required: whole["required"] === true };
    }
    const body = this.resolve(own["requestBody"] ?? {});
    const types = Object.entries(jsonOf(body["content"])).map(
      ([type, media]) => [bare(type), jsonOf(jsonOf(media)["schema"])] as const,
    );
    // Some documents require a body of which they say nothing.
    const says = types.some(([, schema]) => {
      const { properties = {}, ...rest } = this.resolve(schema);
      const hasMore = ["items", "allOf", "oneOf", "anyOf"].some((key) => key in rest);
      return hasMore || Object.keys(jsonOf(properties)).length > 0;
    });
    return { bodies: new Map(types), body_required: says && body["required"] === true };
  }

  /** The fields of a form, each as the document says that it is written. */
  formOf(operation: Operation, encoding: Json): readonly Declared[] {
    const schema = this.resolve(operation.bodies.get(FORM) ?? {});
    const required = listOf(schema["required"]);
    return Object.entries(jsonOf(schema["properties"])).map(([name, property]) => {
      const how = jsonOf(encoding[name]);
      const style = typeof how["style"] === "string" ? how["style"] : "form";
      return {
        in: "form",
        name,
        required: required.includes(name),
        style,
        explode: how["explode"] === undefined ? true : how["explode"] === true,
        schema: jsonOf(property),
      };
    });
  }

  encodingOf(operation: Operation): Json {
    const [, path = ""] = /^\S+ (.*)$/.exec(operation.key) ?? [];
    const item = this.resolve(jsonOf(this.root["paths"])[path]);
    const own = jsonOf(item[operation.method.toLowerCase()]);
    const media = jsonOf(this.resolve(own["requestBody"] ?? {})["content"])[FORM];
    return jsonOf(jsonOf(media)["encoding"]);
  }

  private answer(own: Json): Operation["answer"] {
    const responses = Object.entries(jsonOf(own["responses"]));
    const good = responses.filter(([status]) => /^2(?:\d\d|XX)$/i.test(status));
    const first = good.toSorted(([a], [b]) => a.localeCompare(b))[0];
    const [status, node] = first ?? responses.find(([name]) => name === "default") ?? [];
    if (status === undefined) return null;
    const response = this.resolve(node);
    const number = /^\d+$/.test(status) ? Number(status) : 200;
    if ("schema" in response) {
      const schema = jsonOf(response["schema"]);
      return { status: number, type: "application/json", schema };
    }
    const found = Object.entries(jsonOf(response["content"])).find(([type]) =>
      /^application\/(?:[\w.+-]*\+)?json\b|^\*\/\*/.test(type),
    );
    if (found === undefined) return { status: number, type: "", schema: {} };
    return { status: number, type: found[0], schema: jsonOf(jsonOf(found[1])["schema"]) };
  }
}

export function jsonOf(value: unknown): Json {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    ? (value as Json)
    : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

export const bare = (type: string): string => (type.split(";", 1)[0] ?? "").trim().toLowerCase();

function baseOf(node: Json, otherwise = ""): string {
  if (typeof node["basePath"] === "string") return node["basePath"].replace(/\/$/, "");
  const [server] = listOf(node["servers"]);
  const url = jsonOf(server)["url"];
  if (typeof url !== "string") return otherwise;
  return new URL(url, "https://api.test").pathname.replace(/\/$/, "");
}

function segmentOf(segment: string): RegExp {
  const parts = segment.split(/(\{[^{}]+\})/);
  const source = parts.map((part) =>
    part.startsWith("{") ? "([^/]+?)" : part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`),
  );
  return new RegExp(`^${source.join("")}$`);
}

const SWAGGER_FORMATS: Readonly<Record<string, string>> = {
  ssv: "spaceDelimited",
  pipes: "pipeDelimited",
};

function declaredOf(one: Json): readonly Declared[] {
  const place = one["in"] === "formData" ? "form" : one["in"];
  if (place !== "path" && place !== "query" && place !== "header" && place !== "form") return [];
  const [media] = Object.values(jsonOf(one["content"]));
  // In Swagger 2, a parameter is its own schema.
  const { required: _, ...itself } = one;
  const schema = jsonOf(one["schema"] ?? jsonOf(media)["schema"] ?? itself);
  const required = one["required"] === true || place === "path";
  return [{ in: place, name: String(one["name"]), required, ...styleOf(one, place), schema }];
}

function styleOf(one: Json, place: Place): Pick<Declared, "style" | "explode"> {
  const usual = place === "path" || place === "header" ? "simple" : "form";
  const format = one["collectionFormat"];
  const swagger = typeof format === "string" ? SWAGGER_FORMATS[format] : undefined;
  const style = typeof one["style"] === "string" ? one["style"] : (swagger ?? usual);
  if (typeof one["explode"] === "boolean") return { style, explode: one["explode"] };
  const isExploded = style === "form" || style === "deepObject";
  return { style, explode: "schema" in one ? isExploded : format === "multi" };
}

/** As JSON Schema 2020-12 has it, with references from anywhere: in 3.0, two things were others. */
function modern(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(modern);
  if (node === null || typeof node !== "object") return node;
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node)) {
    const ref = key === "$ref" && typeof value === "string" ? value : "";
    out[key] = ref.startsWith("#") ? `document${ref}` : modern(value);
  }
  for (const side of ["Minimum", "Maximum"]) {
    const limit = side.toLowerCase();
    if (out[`exclusive${side}`] === true) {
      out[`exclusive${side}`] = out[limit];
      delete out[limit];
    } else if (out[`exclusive${side}`] === false) delete out[`exclusive${side}`];
  }
  return out["nullable"] === true ? { anyOf: [without(out, "nullable"), { type: "null" }] } : out;
}

function without(all: Record<string, unknown>, key: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(all).filter(([name]) => name !== key));
}
