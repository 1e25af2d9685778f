// The part of JSON Schema 2020-12 that tools may use, interpreted: no code is generated from a
// schema on the call's way, and every check is linear in its input (DESIGN section 1, process).
// @see https://json-schema.org/draft/2020-12/json-schema-validation
import { canonicalJson } from "../kernel/ids.ts";
import { pointerTo } from "../kernel/json.ts";
import { own } from "../kernel/own.ts";
import { matchesPattern } from "./pattern.ts";

export type JsonType = "string" | "number" | "integer" | "boolean" | "null" | "array" | "object";

export interface Schema {
  readonly type?: JsonType | readonly JsonType[];
  /** `#/$defs/NAME`, of the schema that is asked with. */
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly allOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly not?: Schema;
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly additionalProperties?: boolean | Schema;
}

/** One way in which a value does not fit: where, what was expected, what kind came. */
export interface Mismatch {
  /** JSON pointer into the value. */
  readonly path: string;
  readonly expected: string;
  readonly got: string;
}

const MISMATCHES_MAX = 10;
/** So many parts of a schema is one value held against: alternatives of alternatives multiply. */
const STEPS_MAX = 100_000;
const LEVELS_MAX = 256;

/** One question: the definitions, and how much of it is left. */
interface Run {
  readonly defs: Readonly<Record<string, Schema>>;
  steps: number;
  level: number;
}

class TooMuch extends Error {
  override readonly name = "TooMuch";
}

/** Empty where the value fits. Never echoes a value, only its kind. Stops at ten. */
export function mismatches(schema: Schema, value: unknown, path = ""): Mismatch[] {
  const found: Mismatch[] = [];
  try {
    check(schema, value, path, found, { defs: schema.$defs ?? {}, steps: 0, level: 0 });
    return found;
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
    return [{ path, expected: error.message, got: kindOf(value) }];
  }
}

function check(schema: Schema, value: unknown, path: string, found: Mismatch[], run: Run): void {
  if (found.length >= MISMATCHES_MAX) return;
  if (++run.steps > STEPS_MAX) throw new TooMuch("fewer values, or fewer alternatives");
  if (++run.level > LEVELS_MAX) throw new TooMuch("fewer levels");
  const before = found.length;
  checkPlain(schema, value, path, found, run);
  if (found.length === before) checkParts(schema, value, path, found, run);
  run.level--;
}

function checkPlain(
  schema: Schema,
  value: unknown,
  path: string,
  found: Mismatch[],
  run: Run,
): void {
  const wrong = wrongAt(path, value, found);
  const types = typeof schema.type === "string" ? [schema.type] : schema.type;
  if (types?.some((type) => isType(type, value)) === false) return wrong(types.join(" or "));
  if (schema.const !== undefined && !same(schema.const, value)) {
    return wrong(`exactly ${JSON.stringify(schema.const)}`);
  }
  if (schema.enum !== undefined && !schema.enum.some((allowed) => same(allowed, value))) {
    return wrong(`one of ${schema.enum.map((v) => JSON.stringify(v)).join(", ")}`);
  }
  if (typeof value === "number") checkNumber(schema, value, wrong);
  if (typeof value === "string") checkString(schema, value, wrong);
  if (Array.isArray(value)) checkArray(schema, value, path, found, run, wrong);
  else if (value !== null && typeof value === "object") {
    checkObject(schema, value as Record<string, unknown>, path, found, run);
  }
}

function checkParts(
  { $ref, allOf = [], anyOf, oneOf, not }: Schema,
  value: unknown,
  path: string,
  found: Mismatch[],
  run: Run,
): void {
  const wrong = wrongAt(path, value, found);
  const against = (schema: Schema): Mismatch[] => {
    const its: Mismatch[] = [];
    check(schema, value, path, its, run);
    return its;
  };
  if ($ref !== undefined) {
    const target = definitionOf($ref, run.defs);
    if (target === undefined) return wrong("what a schema says that is not there");
    check(target, value, path, found, run);
  }
  for (const part of allOf) check(part, value, path, found, run);
  if (not !== undefined && against(not).length === 0) wrong("something else");
  for (const [branches, most] of [
    [anyOf, Infinity],
    [oneOf, 1],
  ] as const) {
    const answers = branches?.map(against) ?? [[]];
    const fitting = answers.filter((its) => its.length === 0).length;
    if (fitting > most) wrong(`to fit exactly one of ${answers.length} alternatives`);
    if (fitting > 0) continue;
    // Where one is right but for something deeper inside, that is the one that was meant.
    const [meant, ...more] = answers.filter((its) => its.every((one) => one.path !== path));
    if (meant !== undefined && more.length === 0) found.push(...meant);
    else wrong(`to fit one of ${answers.length} alternatives`);
  }
}

const REFERENCE = "#/$defs/";

/** What a `$ref` names. */
export function definitionOf(
  reference: string,
  defs: Readonly<Record<string, Schema>>,
): Schema | undefined {
  return own(defs, reference.slice(REFERENCE.length));
}

type Wrong = (expected: string) => void;

function wrongAt(path: string, value: unknown, found: Mismatch[]): Wrong {
  return (expected) => {
    found.push({ path, expected, got: kindOf(value) });
  };
}

function checkNumber(schema: Schema, value: number, wrong: Wrong): void {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (minimum !== undefined && value < minimum) wrong(`at least ${minimum}`);
  if (maximum !== undefined && value > maximum) wrong(`at most ${maximum}`);
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) {
    wrong(`more than ${exclusiveMinimum}`);
  }
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum) {
    wrong(`less than ${exclusiveMaximum}`);
  }
  if (multipleOf !== undefined && !isMultiple(value, multipleOf))
    wrong(`a multiple of ${multipleOf}`);
}

// 0.3 is a multiple of 0.1 for people, though not for doubles: by as much as a division is off.
// Where that could be half of a step, nobody can tell.
function isMultiple(value: number, of: number): boolean {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(of)) return value % of === 0;
  const ratio = value / of;
  const off = Math.abs(ratio) * 4 * Number.EPSILON;
  return off < 0.5 && Math.abs(ratio - Math.round(ratio)) <= off;
}

function checkString(schema: Schema, value: string, wrong: Wrong): void {
  // Section 6.3: the length is counted in Unicode characters, not in UTF-16 code units.
  const length =
    schema.minLength === undefined && schema.maxLength === undefined ? 0 : chars(value);
  if (schema.minLength !== undefined && length < schema.minLength) {
    wrong(`at least ${schema.minLength} characters`);
  }
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    wrong(`at most ${schema.maxLength} characters`);
  }
  if (schema.pattern !== undefined && !matchesPattern(schema.pattern, value)) {
    wrong(`text that matches ${schema.pattern}`);
  }
  const format = schema.format === undefined ? undefined : FORMATS.get(schema.format);
  if (format !== undefined && !format(value)) wrong(`a string of format ${schema.format}`);
}

function chars(text: string): number {
  let n = 0;
  for (const _ of text) n++;
  return n;
}

function checkArray(
  schema: Schema,
  value: readonly unknown[],
  path: string,
  found: Mismatch[],
  run: Run,
  wrong: Wrong,
): void {
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    wrong(`at least ${schema.minItems} items`);
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    return wrong(`at most ${schema.maxItems} items`);
  }
  if (schema.uniqueItems === true && !areUnique(value)) wrong("no item twice");
  const { items } = schema;
  if (items === undefined) return;
  value.forEach((item, i) => check(items, item, `${path}/${i}`, found, run));
}

function areUnique(items: readonly unknown[]): boolean {
  return new Set(items.map((item) => canonicalJson(item))).size === items.length;
}

function checkObject(
  schema: Schema,
  value: Readonly<Record<string, unknown>>,
  path: string,
  found: Mismatch[],
  run: Run,
): void {
  for (const name of schema.required ?? []) {
    if (Object.hasOwn(value, name)) continue;
    found.push({ path: pointerTo(path, name), expected: "to be given", got: "nothing" });
  }
  const { properties = {}, additionalProperties: others, minProperties, maxProperties } = schema;
  const entries = Object.entries(value);
  for (const [limit, isMet, word] of [
    [minProperties, entries.length >= (minProperties ?? 0), "at least"],
    [maxProperties, entries.length <= (maxProperties ?? Infinity), "at most"],
  ] as const) {
    if (!isMet) found.push({ path, expected: `${word} ${limit} properties`, got: "object" });
  }
  for (const [name, inner] of entries) {
    const known = own(properties, name) ?? others;
    const at = pointerTo(path, own(properties, name) === undefined ? name.slice(0, 64) : name);
    if (typeof known === "object") check(known, inner, at, found, run);
    else if (known === false && found.length < MISMATCHES_MAX) {
      found.push({ path: at, expected: "no such argument", got: kindOf(inner) });
    }
  }
}

function isType(type: JsonType, value: unknown): boolean {
  switch (type) {
    case "null":
      return value === null;
    case "array":
      return Array.isArray(value);
    case "object":
      return value !== null && typeof value === "object" && !Array.isArray(value);
    case "integer":
      return Number.isSafeInteger(value);
    case "number":
    case "string":
    case "boolean":
      return typeof value === type;
  }
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "string") return `string of ${chars(value)} characters`;
  return typeof value;
}

function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  const isPlain = [a, b].some((one) => one === null || typeof one !== "object");
  return !isPlain && canonicalJson(a) === canonicalJson(b);
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

// Each is a few fixed-width tests or one pass; none can be made to backtrack.
const FORMATS: ReadonlyMap<string, (text: string) => boolean> = new Map([
  ["date", isDate],
  ["date-time", (t: string) => t[10] === "T" && isDate(t.slice(0, 10)) && isTime(t.slice(11))],
  ["email", isEmail],
  ["uri", (t: string) => /^[a-z][a-z0-9+.-]{0,30}:/i.test(t) && URL.canParse(t)],
  ["uuid", (t: string) => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(t)],
]);

function isDate(text: string): boolean {
  if (!DATE.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

function isTime(text: string): boolean {
  return TIME.test(text) && !Number.isNaN(Date.parse(`2000-01-01T${text}`));
}

// RFC 5321's dot-string form: what mail systems accept in practice, and no quoting games.
function isEmail(text: string): boolean {
  const at = text.lastIndexOf("@");
  if (at < 1 || at > 64 || text.length > 254) return false;
  const local = text.slice(0, at).split(".");
  const domain = text.slice(at + 1).split(".");
  return (
    local.every((atom) => /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+$/.test(atom)) &&
    domain.length > 1 &&
    domain.every((label) => /^[A-Za-z0-9-]{1,63}$/.test(label) && !/^-|-$/.test(label))
  );
}

export const FORMAT_NAMES = [...FORMATS.keys()];
