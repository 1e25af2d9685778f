// Where the arguments of a tool stand in its request, and how they are written there.
import type { Schema } from "../contract/schema.ts";
import { SchemaView, typesOf } from "../contract/schema-view.ts";
import type { DeclarativeTool, PlacedInput, Style } from "./definition.ts";
import { isToolHeader } from "./tool-file.ts";
import type { ToolFile } from "./tool-file.ts";
import type { Complain } from "./complain.ts";

type Place = PlacedInput["in"];
type Tool = Omit<DeclarativeTool, "hash" | "meaning">;

const IN_QUERY: readonly Style[] = ["form", "spaceDelimited", "pipeDelimited", "deepObject"];
const STYLES: Readonly<Record<Place, readonly Style[]>> = {
  path: ["simple", "label", "matrix"],
  query: IN_QUERY,
  header: ["simple"],
  body: IN_QUERY,
};

/** As OpenAPI has it where nothing is said. */
export function styleOf(
  file: ToolFile["input"][string],
  body: ToolFile["body"],
): Pick<PlacedInput, "style" | "explode"> {
  const usual = file.in === "query" ? "form" : file.in === "body" ? undefined : "simple";
  const style = file.style ?? usual;
  const isForm = style === "form" || (style === undefined && body === "form");
  return { style, explode: file.explode ?? isForm };
}

export function checkPlaces(tool: Tool, complain: Complain): void {
  for (const [name, input] of tool.inputs) {
    const at = `/input/${name}`;
    if (input.in === "body" && (tool.method === "GET" || tool.method === "DELETE")) {
      complain(`${at}/in`, `${tool.method} has no body`, "use query");
    }
    if (input.in === "header" && !isToolHeader(input.as)) {
      complain(at, "this header belongs to the broker", "name another with as");
    }
    if (input.in === "body" && (tool.body === "json" || input.whole)) {
      if (input.style !== undefined || input.explode !== (tool.body === "form")) {
        complain(at, "JSON has no style, nor has a whole body", "remove style and explode");
      }
    } else checkStyle(at, input, complain);
  }
  checkWhole(tool, complain);
  checkNames(tool, complain);
}

function checkStyle(at: string, input: PlacedInput, complain: Complain): void {
  const { style, explode } = input;
  if (style !== undefined && !STYLES[input.in].includes(style)) {
    const mend = `use one of ${STYLES[input.in].join(", ")}`;
    return complain(`${at}/style`, `there is no ${style} in a ${input.in}`, mend);
  }
  if (explode && (style === "spaceDelimited" || style === "pipeDelimited")) {
    complain(`${at}/explode`, `${style} cannot be exploded`, "use style form");
  }
  const view = new SchemaView(input.schema, input.schema.$defs);
  if (style === "deepObject" && !isNested(view)) {
    complain(`${at}/style`, "deepObject is for objects and lists", "remove it");
  }
  if (style !== undefined && style !== "deepObject") checkFlat(at, input, view, complain);
}

function checkFlat(at: string, input: PlacedInput, view: SchemaView, complain: Complain): void {
  const { style, explode } = input;
  if (style === "form" && explode && isOnlyObject(view) && view.variants.some(isOpen)) {
    const mend = "say additionalProperties: false, or use deepObject";
    complain(`${at}/schema`, "its names would stand beside those of other arguments", mend);
  }
  if (insides(view).some(isNested)) {
    const mend = input.in === "path" || input.in === "header" ? "flatten it" : "use deepObject";
    complain(`${at}/schema`, `${style} has lists and objects of single values only`, mend);
  }
}

/** What is known of the items and of the properties. */
function insides(view: SchemaView): readonly SchemaView[] {
  const names = view.variants.flatMap(({ properties = {} }) => Object.keys(properties));
  return [view.items, ...names.map((name) => view.property(name))].filter(
    (one) => one !== undefined,
  );
}

function isNested({ types }: SchemaView): boolean {
  return types.has("object") || types.has("array");
}

function isOnlyObject({ types }: SchemaView): boolean {
  return [...types].every((type) => type === "object" || type === "null");
}

function isOpen(schema: Schema): boolean {
  return typesOf(schema).includes("object") && schema.additionalProperties !== false;
}

function checkWhole(tool: Tool, complain: Complain): void {
  const whole = [...tool.inputs].filter(([, input]) => input.whole);
  const inBody = [...tool.inputs].filter(([, input]) => input.in === "body");
  for (const [name, input] of whole) {
    const at = `/input/${name}/whole`;
    if (input.in !== "body") complain(at, "only a body can be whole", "say in: body, or remove it");
    else if (inBody.length > 1) {
      complain(at, "there are other inputs in the body", "keep the one, or the others");
    }
    const { types } = new SchemaView(input.schema, input.schema.$defs);
    if (tool.body === "form" && [...types].some((type) => type !== "object")) {
      complain(`/input/${name}/schema`, "a form is an object", "say type: object");
    }
  }
}

// Two things under one name, of which the API would read one, or both as a list.
function checkNames(tool: Tool, complain: Complain): void {
  const seen = new Set<string>();
  const { query, header } = tool.fixed;
  const headers = [...Object.keys(header), ...Object.keys(tool.connector.headers)];
  for (const name of Object.keys(query)) seen.add(`query ${name}`);
  for (const name of headers) seen.add(`header ${name.toLowerCase()}`);
  for (const [name, input] of tool.inputs) {
    const as = input.in === "header" ? input.as.toLowerCase() : input.as;
    // The path has its names to itself: each of its braces stands for one input.
    if (input.in === "path") continue;
    if (seen.has(`${input.in} ${as}`)) {
      const mend = "let one of the inputs, or of fixed, have it";
      complain(`/input/${name}`, `the ${input.in} has ${input.as} already`, mend);
    }
    seen.add(`${input.in} ${as}`);
  }
}
