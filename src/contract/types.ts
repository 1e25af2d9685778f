// Types, values and null: the many ways in which OpenAPI 3.0 and JSON Schema say the same.
import { canonicalJson } from "../kernel/ids.ts";
import { isRaw } from "./raw.ts";
import type { Raw } from "./raw.ts";
import { typesOf } from "./shape.ts";
import type { Shape } from "./shape.ts";

const OBJECT = (
  "properties required additionalProperties patternProperties minProperties " +
  "maxProperties propertyNames dependentRequired"
).split(" ");
const ARRAY = ["items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"];

/** One type as a word, several in order; an integer is a number. */
export function typeIn(types: ReadonlySet<string>): string | readonly string[] {
  const kept = [...types].filter((one) => one !== "integer" || !types.has("number"));
  const [only = "", ...others] = kept.toSorted();
  return others.length === 0 && kept.length > 0 ? only : kept.toSorted();
}

/** The types that a schema's own keywords name, and the values that it is confined to. */
export function typesOfValues(schema: Raw): {
  readonly types: ReadonlySet<string> | undefined;
  readonly values: readonly unknown[] | undefined;
} {
  const said = new Set([schema["type"]].flat().filter((one) => typeof one === "string"));
  if (said.size > 0 && schema["nullable"] === true) said.add("null");
  if (said.has("number")) said.add("integer");
  const listed = Array.isArray(schema["enum"]) ? (schema["enum"] as unknown[]) : undefined;
  const given = Object.hasOwn(schema, "const") ? [schema["const"]] : listed;
  if (given === undefined) return { types: said.size > 0 ? said : undefined, values: undefined };
  const distinct = new Map(given.map((one) => [canonicalJson(one), one]));
  // Whoever writes null among the types means it, whether or not the values repeat it.
  if (said.has("null")) distinct.set("null", null);
  else if (said.size > 0) distinct.delete("null");
  const values = [...distinct.values()];
  return { types: said.size > 0 ? said : new Set(values.map(typeOf)), values };
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}

/** What a schema without a type is about, where its keywords are about one kind of value. */
export function inferredTypes(shape: Shape): string | undefined {
  if (OBJECT.some((key) => key in shape)) return "object";
  return ARRAY.some((key) => key in shape) ? "array" : undefined;
}

/** The same, and null. */
export function withNull(shape: Shape): Shape {
  if (shape.allOf !== undefined) return { anyOf: [shape, { type: "null" }] };
  const types = typesOf(shape);
  const choice = (["anyOf", "oneOf"] as const).find((key) => shape[key] !== undefined);
  const values = "const" in shape ? [shape.const] : shape.enum;
  const { const: _, ...rest } = shape;
  return {
    ...rest,
    ...(types === undefined ? {} : { type: typeIn(new Set([...types, "null"])) }),
    ...(choice === undefined ? {} : { [choice]: withNullBranch(shape[choice] ?? []) }),
    ...(values === undefined ? {} : { enum: values.includes(null) ? values : [...values, null] }),
  };
}

function withNullBranch(branches: readonly Shape[]): readonly Shape[] {
  const there = branches.some((one) => one.type === "null");
  return there ? branches : [...branches, { type: "null" }];
}

/** The bounds with OpenAPI 3.0's `exclusiveMaximum: true` as 3.1's number, each side said once. */
export function without(schema: Raw): Raw {
  const bounds: Record<string, unknown> = { ...schema };
  for (const [plain, exclusive, tighter] of [
    ["maximum", "exclusiveMaximum", (a: number, b: number) => a <= b],
    ["minimum", "exclusiveMinimum", (a: number, b: number) => a >= b],
  ] as const) {
    if (bounds[exclusive] === true) {
      bounds[exclusive] = bounds[plain];
      delete bounds[plain];
    }
    const [inclusive, strict] = [bounds[plain], bounds[exclusive]];
    if (typeof inclusive !== "number" || typeof strict !== "number") continue;
    delete bounds[tighter(strict, inclusive) ? plain : exclusive];
  }
  return isRaw(bounds) ? bounds : {};
}
