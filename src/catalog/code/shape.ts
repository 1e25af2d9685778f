// Values that are schemas, as JSON.
import type { Machine } from "./machine.ts";
import type { At, Json, List, Value } from "./values.ts";

const DEPTH_MAX = 40;
const VALUES_MAX = 20_000;

/** JSON, where all of it is known, and it is not without an end. */
export function jsonOf(value: Value): unknown {
  return known(value, { values: VALUES_MAX }, 0);
}

function known(value: Value, room: { values: number }, depth: number): unknown {
  room.values -= 1;
  if (depth > DEPTH_MAX || room.values < 0) return undefined;
  switch (value.kind) {
    case "plain":
      return value.value;
    case "schema":
      return value.schema;
    case "list": {
      const items = value.items.map((one) => known(one, room, depth + 1));
      return value.open || items.includes(undefined) ? undefined : items;
    }
    case "record": {
      if (value.open) return undefined;
      const entries = [...value.fields].map(
        ([key, one]) => [key, known(one, room, depth + 1)] as const,
      );
      return entries.some(([, one]) => one === undefined) ? undefined : Object.fromEntries(entries);
    }
    default:
      return undefined;
  }
}

/** A schema as far as it is known; what is not allows anything, and is said. */
export function schemaOf(machine: Machine, value: Value, at: At): Json {
  return partOfSchema(machine, value, at, 0);
}

function partOfSchema(machine: Machine, value: Value, at: At, depth: number): Json {
  if (value.kind === "schema") return value.schema;
  if (value.kind !== "record" || depth > DEPTH_MAX || !machine.step()) {
    machine.say("schema_unread", at, "");
    return {};
  }
  const made: Record<string, unknown> = {};
  for (const [key, one] of value.fields) {
    const inner = one.kind === "record" ? undefined : jsonOf(one);
    if (inner !== undefined) made[key] = inner;
    else if (one.kind === "record") made[key] = partOfSchema(machine, one, at, depth + 1);
    else if (one.kind === "list") made[key] = listIn(machine, one, key, at, depth);
    else if (one.kind !== "plain") {
      machine.say("schema_unread", at, key);
      // What is no schema itself, a bound or a word, is left out.
      if (!WORDS.has(key)) made[key] = {};
    }
  }
  const isOpen = value.open || isUnread(value.fields.get("properties"));
  if (value.open) machine.say("schema_unread", at, "a spread");
  // There may be others, or a bound: it is not the narrower of what it could be.
  if (isOpen) delete made["additionalProperties"];
  return made;
}

function isUnread(properties: Value | undefined): boolean {
  if (properties === undefined) return false;
  return properties.kind !== "record" || properties.open;
}

function listIn(machine: Machine, { items, open }: List, key: string, at: At, depth: number) {
  if (open) machine.say("schema_unread", at, key);
  if (!WORDS.has(key)) return items.map((one) => partOfSchema(machine, one, at, depth + 1));
  return items.flatMap((one) => jsonOf(one) ?? []);
}

const WORDS = new Set(
  (
    "type enum const default examples example format pattern minimum maximum exclusiveMinimum " +
    "exclusiveMaximum multipleOf minLength maxLength minItems maxItems uniqueItems required " +
    "minProperties maxProperties title description nullable $id $ref $schema additionalProperties"
  ).split(" "),
);
