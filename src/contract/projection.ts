// A projection: the fields of an API's answer that a tool returns. It is the output schema, it is
// what drift is judged on, and everything else in the answer is dropped (research, section 0.6).
import { pointerTo, tokensOf, valueAt } from "../kernel/json.ts";
import { isAboutPages, isPagingField, isTotalField } from "./paging.ts";
import { typesOf } from "./schema-view.ts";
import { mismatches } from "./schema.ts";
import type { Mismatch, Schema } from "./schema.ts";

/** How a value is kept in the ledger: readable, as a keyed digest, or not at all. */
export type LedgerMark = "plain" | "sealed" | "drop";

interface FieldBase {
  /** JSON pointer into the answer, from the enclosing object or item. */
  readonly from: string;
  readonly optional: boolean;
  readonly description?: string;
}

interface ScalarField extends FieldBase {
  readonly kind: "value";
  readonly schema: Schema;
  readonly ledger: LedgerMark;
}

interface ListField extends FieldBase {
  readonly kind: "list";
  readonly items: Projection;
}

interface ObjectField extends FieldBase {
  readonly kind: "object";
  readonly fields: Projection;
}

export type Field = ScalarField | ListField | ObjectField;
export type Projection = ReadonlyMap<string, Field>;

export interface Projected {
  readonly value: Record<string, unknown>;
  /** Where the answer does not have the pinned shape; pointers into the answer. */
  readonly drift: readonly Mismatch[];
}

export const LIST_ITEMS_MAX = 1000;

/** Takes the projected fields out of an answer and says where it breaks the contract. */
export function project(projection: Projection, answer: unknown): Projected {
  const drift: Mismatch[] = [];
  return { value: projectObject(projection, answer, "", drift), drift };
}

/** The same of an answer in pages: `list` has the items of all, all else is as the last says it. */
export function projectPages(
  projection: Projection,
  pages: readonly unknown[],
  list: string,
): Projected {
  const all = pages.map((page) => project(projection, page));
  const items = all.flatMap(({ value }) => (value[list] ?? []) as unknown[]);
  return {
    value: { ...all.at(-1)?.value, [list]: items },
    drift: all.flatMap(({ drift }) => drift),
  };
}

function projectObject(
  projection: Projection,
  answer: unknown,
  path: string,
  drift: Mismatch[],
): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, field] of projection) {
    const at = path + field.from;
    const value = valueAt(answer, field.from);
    if (value === undefined) {
      if (!field.optional) drift.push({ path: at, expected: "to be there", got: "nothing" });
      continue;
    }
    out[name] = projectField(field, value, at, drift);
  }
  return out;
}

function projectField(field: Field, value: unknown, at: string, drift: Mismatch[]): unknown {
  switch (field.kind) {
    case "value":
      drift.push(...mismatches(field.schema, value, at));
      return value;
    case "object":
      if (value === null || typeof value !== "object" || Array.isArray(value)) {
        drift.push({ path: at, expected: "object", got: "another type" });
        return undefined;
      }
      return projectObject(field.fields, value, at, drift);
    case "list":
      if (!Array.isArray(value) || value.length > LIST_ITEMS_MAX) {
        drift.push({ path: at, expected: `a list of at most ${LIST_ITEMS_MAX}`, got: "other" });
        return undefined;
      }
      return value.map((item: unknown, i) =>
        projectObject(field.items, item, pointerTo(at, String(i)), drift),
      );
  }
}

/** The output schema that clients see; what `project` returns without drift always fits it. */
export function projectionSchema(projection: Projection): Schema {
  const properties: Record<string, Schema> = {};
  for (const [name, field] of projection) {
    const described = field.description === undefined ? {} : { description: field.description };
    properties[name] = { ...fieldSchema(field), ...described };
  }
  const required = [...projection].filter(([, f]) => !f.optional).map(([name]) => name);
  return { type: "object", properties, required, additionalProperties: false };
}

function fieldSchema(field: Field): Schema {
  switch (field.kind) {
    case "value":
      return field.schema;
    case "object":
      return projectionSchema(field.fields);
    case "list":
      return { type: "array", items: projectionSchema(field.items), maxItems: LIST_ITEMS_MAX };
  }
}

/** Whether a result holds a list, by itself or in a record. */
export function hasList(output: Projection): boolean {
  return [...output.values()].some((field) => {
    if (field.kind === "object") return hasList(field.fields);
    return field.kind === "list" || typesOf(field.schema).includes("array");
  });
}

/** Whether a tool's result says that there is more, or how much in all. */
export function saysMore(output: Projection): boolean {
  return [...output.values()].some((field) => {
    const [name = "", inner] = tokensOf(field.from);
    const said = (one: string): boolean => isPagingField(one) || isTotalField(one);
    if (said(name) || (inner !== undefined && isAboutPages(name) && said(inner))) return true;
    return field.kind === "object" && isAboutPages(name) && saysMore(field.fields);
  });
}
