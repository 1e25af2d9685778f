// The named values of one part of a request: parameters with their schemas.
import type { Machine } from "./machine.ts";
import { schemaOf } from "./shape.ts";
import type { Asks, Checked, Json, Part, Value } from "./values.ts";

export interface Named {
  readonly name: string;
  readonly required: boolean;
  readonly description: string | undefined;
  readonly schema: Json;
}

/** What the shapes of a part say; a part whose shape is not read is said. */
export function partsOf(machine: Machine, asks: Asks, part: Part): readonly Named[] {
  const found = new Map<string, Named>();
  for (const one of asks.parameters) {
    if (one.part !== part) continue;
    const { name, required, description } = one;
    found.set(name, { name, required, description, schema: schemaOf(machine, one.schema, one.at) });
  }
  for (const checked of asks.checked(part)) {
    for (const one of namedIn(machine, checked, part)) found.set(one.name, one);
  }
  return [...found.values()];
}

function namedIn(machine: Machine, { schema, at }: Checked, part: Part): Named[] {
  const { kind } = schema;
  if (kind === "plain") return [];
  const json = objectIn(machine, kind === "record" ? whole(schema) : schemaOf(machine, schema, at));
  const properties = json?.["properties"];
  if (typeof properties !== "object" || properties === null) {
    machine.say("schema_unread", at, part);
    return [];
  }
  const required = new Set([json?.["required"]].flat());
  return Object.entries(properties as Json).map(([name, own]) => {
    const { description, ...rest } = own as Json;
    const words = typeof description === "string" ? description : undefined;
    // What has a default need not be there: Fastify's validator fills it in, zod says so itself.
    const isNeeded = required.has(name) && !Object.hasOwn(rest, "default");
    return { name, required: isNeeded, description: words, schema: rest };
  });

  function whole(value: Value): Json {
    const made = schemaOf(machine, value, at);
    // Fastify's shorthand: the properties alone.
    const isShort =
      !Object.hasOwn(made, "properties") &&
      !["$ref", "allOf", "anyOf", "oneOf"].some((key) => Object.hasOwn(made, key)) &&
      typeof made["type"] !== "string";
    return isShort ? { type: "object", properties: made } : made;
  }
}

// A shared schema that it refers to, or the records that it puts together.
function objectIn(machine: Machine, json: Json, depth = 0): Json | undefined {
  if (depth > 8) return undefined;
  const reference = json["$ref"];
  if (typeof reference === "string") {
    const id = reference.split("#", 1)[0] ?? "";
    const shared = machine.shared.get(id);
    const record = shared?.kind === "record" ? machine.tables.get(shared.node ?? NONE) : undefined;
    if (shared === undefined || record === undefined) return undefined;
    return objectIn(machine, schemaOf(machine, shared, record.at), depth + 1);
  }
  const all = json["allOf"];
  if (!Array.isArray(all)) return json;
  const parts = all.map((one) => objectIn(machine, one as Json, depth + 1) ?? {});
  const properties = Object.assign({}, ...parts.map((one) => one["properties"])) as Json;
  return { properties, required: parts.flatMap((one) => one["required"] ?? []) };
}

const NONE = { type: "", start: 0, end: 0 };
