// What TypeBox's builders say: they are JSON Schema already, but for what is optional.
import type { Machine } from "./machine.ts";
import { jsonOf, schemaOf } from "./shape.ts";
import { record, UNKNOWN } from "./values.ts";
import type { At, Json, Value } from "./values.ts";
import { schema, zodMethod } from "./zod.ts";

const SIMPLE: Readonly<Record<string, Json>> = {
  String: { type: "string" },
  Number: { type: "number" },
  Integer: { type: "integer" },
  BigInt: { type: "integer" },
  Boolean: { type: "boolean" },
  Null: { type: "null" },
  Date: { type: "string", format: "date-time" },
  Any: {},
  Unknown: {},
};

type Builder = (machine: Machine, args: readonly Value[], at: At) => Value | undefined;

const several =
  (word: "anyOf" | "allOf"): Builder =>
  (machine, [of = UNKNOWN, more], at) => {
    const items = of.kind === "list" ? of.items : [UNKNOWN];
    return schema({ [word]: items.map((one) => schemaOf(machine, one, at)), ...options(more) });
  };
// Zod has the same ones.
const asZod =
  (name: string): Builder =>
  (machine, [of = UNKNOWN, keys = UNKNOWN], at) => {
    const named = keys.kind === "list" ? keys.items : [];
    const fields = named.map((one) => [String(jsonOf(one)), one] as const);
    const args = fields.length === 0 ? [] : [record(fields)];
    return zodMethod(machine, schema(schemaOf(machine, of, at)), name, args, at);
  };

const BUILDERS: Readonly<Record<string, Builder>> = {
  Object: (machine, [of = UNKNOWN, more], at) =>
    schema({ ...objectOf(machine, of, at), ...options(more) }),
  Array: (machine, [of = UNKNOWN, more], at) =>
    schema({ type: "array", items: schemaOf(machine, of, at), ...options(more) }),
  Optional: (machine, [of = UNKNOWN], at) => schema(schemaOf(machine, of, at), true),
  Readonly: (_machine, [of]) => of,
  Literal: (_machine, [of = UNKNOWN, more]) => schema({ const: jsonOf(of), ...options(more) }),
  Union: several("anyOf"),
  Intersect: several("allOf"),
  Composite: several("allOf"),
  Enum: (_machine, [of]) => {
    const values = of?.kind === "record" ? [...of.fields.values()] : [];
    return schema({ enum: values.map((one) => jsonOf(one)).filter((one) => one !== undefined) });
  },
  Record: (machine, [, of = UNKNOWN], at) =>
    schema({ type: "object", additionalProperties: schemaOf(machine, of, at) }),
  Unsafe: (machine, [of = UNKNOWN], at) => schema(schemaOf(machine, of, at)),
  Partial: asZod("partial"),
  Required: asZod("required"),
  Pick: asZod("pick"),
  Omit: asZod("omit"),
  Ref: (_machine, [of]) => (of?.kind === "plain" ? schema({ $ref: String(of.value) }) : of),
};

/** `Type.NAME(…args)`; nothing where it is none of TypeBox's builders that is known. */
export function typeboxCall(
  machine: Machine,
  named: string,
  args: readonly Value[],
  at: At,
): Value | undefined {
  const name = named.replace(/^(?:default|Type|t)\./, "");
  const simple = Object.hasOwn(SIMPLE, name) ? SIMPLE[name] : undefined;
  if (simple !== undefined) return schema({ ...simple, ...options(args[0]) });
  return Object.hasOwn(BUILDERS, name) ? BUILDERS[name]?.(machine, args, at) : undefined;
}

function options(value: Value | undefined): Json {
  const json = value === undefined ? {} : jsonOf(value);
  return typeof json === "object" && json !== null && !Array.isArray(json) ? (json as Json) : {};
}

function objectOf(machine: Machine, shape: Value, at: At): Json {
  if (shape.kind !== "record") return schemaOf(machine, shape, at);
  if (shape.open) machine.say("schema_unread", at, "Type.Object(…)");
  const properties = [...shape.fields].map(
    ([key, one]) => [key, schemaOf(machine, one, at)] as const,
  );
  const required = [...shape.fields].flatMap(([key, one]) =>
    one.kind === "schema" && one.optional ? [] : [key],
  );
  return { type: "object", properties: Object.fromEntries(properties), required };
}
