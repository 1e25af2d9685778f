// Schemas that refer to each other by name: `$defs` of a tool file, and what may be said with them.
import { definitionOf } from "../contract/schema.ts";
import type { Schema } from "../contract/schema.ts";
import type { Definitions } from "../contract/schema-view.ts";
import { own } from "../kernel/own.ts";
import { pointerTo } from "../kernel/json.ts";
import type { Complain } from "./complain.ts";

/** The schema with the definitions that it reaches, so that it can be asked by itself. */
export function withDefinitions(schema: Schema, defs: Definitions): Schema {
  const reached = new Map<string, Schema>();
  const reach = (one: Schema): void => {
    const name = one.$ref?.split("/").at(-1) ?? "";
    const target = own(defs, name);
    if (target !== undefined && !reached.has(name)) {
      reached.set(name, target);
      reach(target);
    }
    for (const [, inner] of partsOf(one)) reach(inner);
  };
  reach(schema);
  if (reached.size === 0) return schema;
  const $defs = Object.fromEntries([...reached].toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return { ...schema, $defs };
}

/** The schemas inside, and how they are reached. */
function partsOf(schema: Schema): readonly (readonly [string, Schema])[] {
  return [...alternativesOf(schema), ...contentsOf(schema)];
}

// Of the same value.
function alternativesOf(schema: Schema): (readonly [string, Schema])[] {
  const { not } = schema;
  const listed = (["allOf", "anyOf", "oneOf"] as const).flatMap((keyword) =>
    (schema[keyword] ?? []).map((one, i) => [`/${keyword}/${i}`, one] as const),
  );
  return not === undefined ? listed : [...listed, ["/not", not] as const];
}

// Of values inside it.
function contentsOf(schema: Schema): (readonly [string, Schema])[] {
  const { items, properties = {}, additionalProperties: others } = schema;
  return [
    ...(items === undefined ? [] : [["/items", items] as const]),
    ...Object.entries(properties).map(
      ([name, inner]) => [pointerTo("/properties", name), inner] as const,
    ),
    ...(typeof others === "object" ? [["/additionalProperties", others] as const] : []),
  ];
}

/** A reference leads somewhere, and not back to the same value. */
export function checkReferences(
  pointer: string,
  schema: Schema,
  defs: Definitions,
  complain: Complain,
): void {
  const { $ref } = schema;
  if ($ref !== undefined && definitionOf($ref, defs) === undefined) {
    const known = Object.keys(defs).join(", ") || "(none)";
    complain(`${pointer}/$ref`, "there is no such definition", `/$defs has ${known}`);
  } else if ($ref !== undefined && leadsBack(schema, defs)) {
    const mend = "a definition may hold itself, as an item or a property; it cannot be itself";
    complain(`${pointer}/$ref`, "this leads back to itself", mend);
  }
  for (const [at, inner] of partsOf(schema)) {
    checkReferences(`${pointer}${at}`, inner, defs, complain);
  }
}

function leadsBack(schema: Schema, defs: Definitions): boolean {
  const open = new Set<string>();
  const done = new Set<string>();
  const walk = (one: Schema): boolean => {
    const { $ref } = one;
    if ($ref !== undefined && open.has($ref)) return true;
    const target = $ref === undefined ? undefined : definitionOf($ref, defs);
    if ($ref !== undefined && target !== undefined && !done.has($ref)) {
      open.add($ref);
      if (walk(target)) return true;
      open.delete($ref);
      done.add($ref);
    }
    return alternativesOf(one).some(([, inner]) => walk(inner));
  };
  return walk(schema);
}

// "A limit on everything": text and lists that a model fills in must say how long they may be.
export function checkBounded(pointer: string, schema: Schema, complain: Complain): void {
  const types = typeof schema.type === "string" ? [schema.type] : (schema.type ?? []);
  const closed = schema.enum !== undefined || schema.const !== undefined;
  if (types.includes("string") && schema.maxLength === undefined && !closed && !schema.format) {
    complain(pointer, "text without a maxLength", "add maxLength, format or enum");
  }
  if (types.includes("array") && schema.maxItems === undefined && !closed) {
    complain(pointer, "a list without maxItems", "add maxItems");
  }
  for (const [at, inner] of partsOf(schema)) {
    // What a value must not be needs no limit.
    if (at !== "/not") checkBounded(`${pointer}${at}`, inner, complain);
  }
}
