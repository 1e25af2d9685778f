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
  let left = schema;
  for (const { file } of grants) {
    if (file.arguments !== undefined) left = narrowedBy(left, file.arguments, who);
  }
  return left;
}

function narrowedBy(
  schema: Json,
  conditions: Readonly<Record<string, ConditionFile>>,
  who: Who,
): Json {
  const properties: Record<string, Json> = { ...(schema["properties"] as Record<string, Json>) };
  const required = [...(schema["required"] as readonly string[])];
  for (const [name, condition] of Object.entries(conditions)) {
    const property = own(properties, name);
    if (property === undefined) continue;
    if (condition.absent === true) {
      delete properties[name];
      continue;
    }
    properties[name] = narrowed(property, condition, who);
    if (condition.optional !== true && !required.includes(name)) required.push(name);
  }
  return Object.freeze({ ...schema, properties, required });
}

// By the keywords that are there: a rule has one or two, and a surface has thousands of rules.
function narrowed(property: Json, condition: ConditionFile, who: Who): Json {
  if (condition.confidential === true) return property;
  const out: Record<string, unknown> = { ...property };
  for (const key of Object.keys(condition) as (keyof ConditionFile)[]) {
    SAYS[key]?.(out, condition, who);
  }
  return out;
}

/** Adds to a property's schema, as far as it is narrowed, what one keyword says. */
type Say = (out: Record<string, unknown>, condition: ConditionFile, who: Who) => void;

// `seen_in` depends on the session; `properties` is judged, and not shown.
const SAYS: Partial<Record<keyof ConditionFile, Say>> = {
  minimum: bound("minimum", Math.max),
  exclusiveMinimum: bound("exclusiveMinimum", Math.max),
  minLength: bound("minLength", Math.max),
  minItems: bound("minItems", Math.max),
  maximum: bound("maximum", Math.min),
  exclusiveMaximum: bound("exclusiveMaximum", Math.min),
  maxLength: bound("maxLength", Math.min),
  maxItems: bound("maxItems", Math.min),
  enum: (out, condition) => keepValues(out, valuesIn(condition) ?? []),
  const: (out, condition) => keepValues(out, valuesIn(condition) ?? []),
  equals: (out, { equals = "" }, who) => {
    const claim = claimOf(who, equals);
    if (typeof claim === "string") keepValues(out, [claim]);
  },
  member_of: (out, { member_of = "" }, who) => {
    const claim = claimOf(who, member_of);
    if (Array.isArray(claim)) keepValues(out, claim);
  },
  format: (out, { format }) => void (out["format"] ??= format),
  multipleOf: (out, { multipleOf }) => void (out["multipleOf"] ??= multipleOf),
  items: (out, { items = {} }, who) => {
    out["items"] = narrowed((out["items"] ?? {}) as Json, items, who);
  },
  pattern: (out, { pattern = "(" }) => {
    if (isPortable(pattern)) also(out, { pattern: `^(?:${pattern})$` });
  },
  not: (out, { not = {} }, who) => {
    if (isPlain(not)) also(out, { not: narrowed({}, not, who) });
  },
};

type Bound = (typeof BOUNDS)[number];
const BOUNDS = [
  "minimum",
  "exclusiveMinimum",
  "minLength",
  "minItems",
  "maximum",
  "exclusiveMaximum",
  "maxLength",
  "maxItems",
] as const;

function bound(key: Bound, stricter: (a: number, b: number) => number): Say {
  return (out, { [key]: ours = 0 }) => {
    const theirs = out[key];
    out[key] = typeof theirs === "number" ? stricter(ours, theirs) : ours;
  };
}

function also(out: Record<string, unknown>, more: Json): void {
  out["allOf"] = [...((out["allOf"] as unknown[] | undefined) ?? []), more];
}

// An empty list of values is no schema: such a rule allows nothing, and says so at the call.
function keepValues(out: Record<string, unknown>, values: readonly unknown[]): void {
  const before = out["enum"];
  const left = Array.isArray(before) ? before.filter((value) => values.includes(value)) : values;
  if (left.length > 0) out["enum"] = left;
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

const PLAIN: ReadonlySet<string> = new Set(["enum", "const", ...BOUNDS, "multipleOf"]);

// Under `not`, a part that cannot be said would make the whole say too much.
function isPlain(condition: ConditionFile): boolean {
  return Object.keys(condition).every(
    (key) => PLAIN.has(key) || (key === "pattern" && isPortable(condition.pattern ?? "(")),
  );
}
