// The arguments of a draft: parameters and body, each with its place, its name and its schema.
import { isToolHeader } from "../tool-file.ts";
import { NotImportable } from "./reason.ts";
import { ArgumentNames } from "./names.ts";
import type { Operation, Parameter } from "./operation.ts";
import { objectAt, textAt } from "./read.ts";
import type { Json } from "./read.ts";
import { Converter, isAsked, settled } from "./schema.ts";
import type { DraftSchema } from "./schema.ts";
import type { Shape } from "./shape.ts";
import type { Shapes } from "./shapes.ts";
import { markFor } from "./mark.ts";
import { firstSentence, isVisible, saysMore } from "./text.ts";

const TEXT_MAX = 60;
/** Characters of a text for which the API names no bound; a human knows better. */
const LENGTHS = { path: 200, query: 500, header: 200, body: 10_000 } as const;
const WIRE_CHARS_MAX = 100;

interface DraftInput {
  readonly in: Parameter["in"] | "body";
  readonly as?: string;
  readonly whole?: true;
  readonly optional?: true;
  readonly style?: string;
  readonly explode?: boolean;
  readonly schema: DraftSchema;
  readonly description?: string;
  readonly ledger?: string;
}

export interface DraftInputs {
  readonly path: string;
  readonly input: Readonly<Record<string, DraftInput>>;
  /** Headers that every call sends as they are. */
  readonly fixed: Readonly<Record<string, string>>;
  readonly defs: Readonly<Record<string, DraftSchema>>;
  readonly left_out: readonly string[];
}

interface Placed {
  readonly name: string;
  readonly node: Json;
  readonly input: Omit<DraftInput, "schema">;
}

/** `own` says which headers the connector sends by itself. */
export function draftInputs(
  operation: Operation,
  shapes: Shapes,
  own: (header: string) => boolean,
): DraftInputs {
  const left_out = [...operation.left_out];
  const names = new ArgumentNames();
  const { path, parameters } = fitPath(operation, own, left_out);
  const fixed = new Map(parameters.flatMap((one) => versionIn(one, shapes)));
  const asked = parameters.filter((one) => one.in !== "header" || !fixed.has(one.name));
  const placed = [
    ...asked.map((one) => placeParameter(one, names, shapes)),
    ...placeBody(operation, names, shapes, left_out),
  ];
  const converter = new Converter(shapes);
  const schemas = new Map(
    placed.map(({ name, node, input }) => [name, converter.argument(node, LENGTHS[input.in])]),
  );
  const out = settled(schemas, converter.defs);
  const input = Object.fromEntries(
    placed.map(({ name, node, input: { description, ...rest } }) => {
      const { description: said, ...found } = out.schemas.get(name) ?? {};
      const isJson = rest.in === "body" && operation.body?.kind === "json";
      const schema = isJson ? found : written(found);
      const text = description ?? (typeof said === "string" ? said : "");
      const words = saysMore(text, `${name} ${path}`) ? { description: text } : {};
      const ledger = markFor(rest.as ?? name, shapes.of(node), "request");
      const marked = ledger === undefined ? {} : { ledger };
      return [name, { ...rest, schema, ...words, ...marked }];
    }),
  );
  for (const one of converter.unsaid) left_out.push(`left to the API: ${one.slice(0, 100)}`);
  return { path, input, fixed: Object.fromEntries(fixed), defs: out.defs, left_out };
}

// Where there is only text, a list of nothing has no word, and a call with one would be refused.
function written(schema: DraftSchema): DraftSchema {
  const { type, minItems = 0 } = schema;
  return type === "array" && minItems === 0 ? { ...schema, minItems: 1 } : schema;
}

// The version of an API is a matter of its author and the operator, not of a model's.
function versionIn(parameter: Parameter, shapes: Shapes): [string, string][] {
  if (parameter.in !== "header" || !/version/i.test(parameter.name)) return [];
  const { preset, values = [] } = shapes.of(parameter.schema);
  const value = preset ?? values.at(-1);
  return typeof value === "string" && /^[\x20-\x7e]{1,256}$/.test(value)
    ? [[parameter.name, value]]
    : [];
}

const PATH_NAME = /\{([^{}/]+)\}/g;

// Names in the path's braces are ours alone: what the API sees there is the value.
function fitPath(
  { path, parameters }: Operation,
  own: (header: string) => boolean,
  left_out: string[],
): { path: string; parameters: Parameter[] } {
  const inPath = parameters.filter((one) => one.in === "path").map(({ name }) => name);
  const inBraces = [...path.matchAll(PATH_NAME)].map(([, name = ""]) => name);
  const missing = inBraces.find((name) => !inPath.includes(name));
  const unused = inPath.find((name) => !inBraces.includes(name));
  if (missing !== undefined || unused !== undefined || new Set(inBraces).size < inBraces.length) {
    const which = missing ?? unused ?? inBraces.find((name, i) => inBraces.indexOf(name) < i) ?? "";
    throw new NotImportable("path_parameter_mismatch", `{${which.slice(0, 100)}}`);
  }
  const braces = new ArgumentNames();
  const bare = new Map(
    inBraces.map((name) => [name, /^\w+$/.test(name) ? name : braces.take(name, "path")]),
  );
  return {
    path: path.replaceAll(PATH_NAME, (_all, name: string) => `{${bare.get(name) ?? name}}`),
    parameters: parameters.flatMap((one) => {
      if (one.in === "path") return [{ ...one, name: bare.get(one.name) ?? one.name }];
      return one.in === "header" && !isSent(one, own, left_out) ? [] : [one];
    }),
  };
}

// OpenAPI itself says that these three, as parameters, mean nothing.
const NO_PARAMETERS = new Set(["accept", "content-type", "authorization"]);

function isSent(
  { name, required }: Parameter,
  own: (header: string) => boolean,
  left_out: string[],
): boolean {
  if (own(name)) return false;
  const isNone = NO_PARAMETERS.has(name.toLowerCase());
  if (!isNone && isToolHeader(name)) return true;
  if (!isNone && required) {
    throw new NotImportable("header_reserved", name.slice(0, 100));
  }
  left_out.push(`${name}: a header of the broker's`);
  return false;
}

const STYLES: Readonly<Record<Parameter["in"], readonly string[]>> = {
  path: ["simple", "label", "matrix"],
  query: ["form", "spaceDelimited", "pipeDelimited", "deepObject"],
  header: ["simple"],
};

function placeParameter(parameter: Parameter, names: ArgumentNames, shapes: Shapes): Placed {
  const { in: place, name: wire, style, explode, required, schema } = parameter;
  mustBeWire(wire);
  if (!STYLES[place].includes(style)) {
    throw new NotImportable("parameter_style", `${wire} in style ${style}`);
  }
  const name = names.take(wire, place);
  const isForm = place === "query";
  const styled = isPlain(shapes.of(schema))
    ? {}
    : styleOf(style, explode, isForm ? "form" : "simple");
  const text = parameter.description ?? shapes.of(schema).description;
  return {
    name,
    node: schema,
    input: {
      in: place,
      ...(wire === name ? {} : { as: wire }),
      ...(required ? {} : { optional: true }),
      ...styled,
      ...(text === undefined ? {} : { description: firstSentence(text, TEXT_MAX) }),
    },
  };
}

// There is one way to write a single value.
function isPlain({ types }: Shape): boolean {
  return !types.has("array") && !types.has("object");
}

function styleOf(
  style: string,
  explode: boolean,
  usual: string,
): Pick<DraftInput, "style" | "explode"> {
  return {
    ...(style === usual ? {} : { style }),
    ...(explode === (style === "form") ? {} : { explode }),
  };
}

function mustBeWire(wire: string): void {
  if (!isVisible(wire)) throw new NotImportable("hidden_characters", JSON.stringify(wire));
  if (wire.length > WIRE_CHARS_MAX) throw new NotImportable("name_too_long", wire.slice(0, 60));
  if (wire === "") throw new NotImportable("schema_malformed", "a name of no letters");
}

function placeBody(
  { body }: Operation,
  names: ArgumentNames,
  shapes: Shapes,
  left_out: string[],
): Placed[] {
  if (body === undefined) return [];
  const shape = shapes.of(body.schema);
  const { properties, types } = shape;
  const isFlat =
    types.has("object") && [...types].every((type) => type === "object" || type === "null");
  if (!isFlat || properties.size === 0) {
    const description = firstSentence(body.description ?? shape.description ?? "", TEXT_MAX);
    const optional = body.required ? {} : ({ optional: true } as const);
    const input = { in: "body", whole: true, ...optional } as const;
    const words = description === "" ? {} : { description };
    return [{ name: names.take("body", "body"), node: body.schema, input: { ...input, ...words } }];
  }
  if (shape.others !== undefined)
    left_out.push("properties of the body that the document does not declare");
  const fields = [...properties, ...undeclared(shape)];
  return fields.flatMap(([wire, node]) => {
    const required = shape.required.has(wire);
    const own = shapes.of(node);
    if (!isAsked(own, required)) return [];
    mustBeWire(wire);
    const name = names.take(wire, "body");
    const text = own.description;
    const input = {
      in: "body" as const,
      ...(wire === name ? {} : { as: wire }),
      ...(required ? {} : { optional: true as const }),
      ...(body.kind === "form" && !isPlain(own) ? encodingOf(body.encoding, wire) : {}),
      ...(text === undefined ? {} : { description: firstSentence(text, TEXT_MAX) }),
    };
    return [{ name, node, input }];
  });
}

function undeclared({ required, properties }: Shape): [string, Json][] {
  return [...required].filter((name) => !properties.has(name)).map((name) => [name, {}]);
}

function encodingOf(encoding: Json, wire: string): Pick<DraftInput, "style" | "explode"> {
  const own = objectAt(encoding, wire);
  if (own === undefined) return {};
  const style = textAt(own, "style") ?? "form";
  if (!STYLES.query.includes(style)) {
    throw new NotImportable("parameter_style", `${wire} in style ${style}`);
  }
  const explode = typeof own["explode"] === "boolean" ? own["explode"] : style === "form";
  return styleOf(style, explode, "form");
}
