// Narrows the input schema that a session is shown by the rules that are fixed for its credential
// and that JSON Schema can say. A hint for the agent: what counts is judged at the call.
import type { ConditionFile } from "../config/rules.ts";
import { own } from "../kernel/own.ts";
import { valuesIn } from "./condition.ts";
import type { Grant } from "./grant.ts";
import { claimOf } from "./who.ts";
import type { Who } from "./who.ts";

type Json = Readonly<Record<string, unknown>>;

/** The same object where nothing narrows it. */
export function advertised(schema: Json, grants: readonly Grant[], who: Who): Json {
  const conditions = grants.flatMap(({ file }) => Object.entries(file.arguments ?? {}));
  if (conditions.length === 0) return schema;
  const properties: Record<string, Json> = { ...(schema["properties"] as Record<string, Json>) };
  const required = new Set(schema["required"] as readonly string[]);
  for (const [name, condition] of conditions) {
    const property = own(properties, name);
    if (property === undefined) continue;
    if (condition.absent === true) {
      delete properties[name];
      continue;
    }
    properties[name] = narrowed(property, condition, who);
    if (condition.optional !== true) required.add(name);
  }
  return Object.freeze({ ...schema, properties, required: [...required] });
}

function narrowed(property: Json, condition: ConditionFile, who: Who): Json {
  if (condition.confidential === true) return property;
  return {
    ...property,
    ...bounds(property, condition),
    ...closed(property, condition, who),
    ...shape(property, condition, who),
  };
}

const LOWER = ["minimum", "exclusiveMinimum", "minLength", "minItems"] as const;
const UPPER = ["maximum", "exclusiveMaximum", "maxLength", "maxItems"] as const;

function bounds(property: Json, condition: ConditionFile): Json {
  const out: Record<string, number> = {};
  for (const key of LOWER) tighten(out, key, property, condition, Math.max);
  for (const key of UPPER) tighten(out, key, property, condition, Math.min);
  return out;
}

function tighten(
  out: Record<string, number>,
  key: (typeof LOWER)[number] | (typeof UPPER)[number],
  property: Json,
  condition: ConditionFile,
  stricter: (a: number, b: number) => number,
): void {
  const ours = condition[key];
  if (ours === undefined) return;
  const theirs = property[key];
  out[key] = typeof theirs === "number" ? stricter(ours, theirs) : ours;
}

// An empty list of values is no schema: such a rule allows nothing, and says so at the call.
function closed(property: Json, condition: ConditionFile, who: Who): Json {
  const lists = [property["enum"], valuesIn(condition), claimed(condition, who)].filter((list) =>
    Array.isArray(list),
  ) as unknown[][];
  const [first, ...rest] = lists;
  if (first === undefined || lists.length === (property["enum"] === undefined ? 0 : 1)) return {};
  const left = first.filter((value) => rest.every((list) => list.includes(value)));
  return left.length === 0 ? {} : { enum: left };
}

function claimed({ equals, member_of }: ConditionFile, who: Who): readonly string[] | undefined {
  const [one, many] = [equals, member_of].map((ref) =>
    ref === undefined ? ref : claimOf(who, ref),
  );
  if (typeof one === "string") return Array.isArray(many) && !many.includes(one) ? [] : [one];
  return Array.isArray(many) ? many : undefined;
}

function shape(property: Json, condition: ConditionFile, who: Who): Json {
  const { pattern, format, multipleOf, items, not } = condition;
  const out: Record<string, unknown> = {};
  if (format !== undefined && property["format"] === undefined) out["format"] = format;
  if (multipleOf !== undefined && property["multipleOf"] === undefined)
    out["multipleOf"] = multipleOf;
  if (items !== undefined) out["items"] = narrowed((property["items"] ?? {}) as Json, items, who);
  const more = [
    ...(pattern !== undefined && isPortable(pattern) ? [{ pattern: `^(?:${pattern})$` }] : []),
    ...(not !== undefined && isPlain(not) ? [{ not: narrowed({}, not, who) }] : []),
  ];
  if (more.length > 0) out["allOf"] = [...((property["allOf"] as unknown[]) ?? []), ...more];
  return out;
}

// JSON Schema means ECMA-262's expressions; what only RE2 knows is not shown.
function isPortable(pattern: string): boolean {
  const known = portable.get(pattern);
  if (known !== undefined) return known;
  const is = isExpression(pattern);
  if (portable.size < PATTERNS_MAX) portable.set(pattern, is);
  return is;
}

const PATTERNS_MAX = 10_000;
const portable = new Map<string, boolean>();

function isExpression(pattern: string): boolean {
  try {
    return new RegExp(pattern, "u").source !== "";
  } catch {
    return false;
  }
}

// Under `not`, a part that cannot be said would make the whole say too much.
function isPlain(condition: ConditionFile): boolean {
  const said = ["enum", "const", ...LOWER, ...UPPER, "multipleOf"];
  return Object.keys(condition).every(
    (key) => said.includes(key) || (key === "pattern" && isPortable(condition.pattern ?? "(")),
  );
}
