// Conditions on one value: compiled once, judged at each call, in time linear in the value. A
// condition says yes, no, or unclear where nobody can tell; a call needs a yes, and a rule that
// refuses or asks for approval counts unless there is a no (ADR 15).
import { RE2JS } from "re2js";
import type { ConditionFile } from "../config/rules.ts";
import type { Schema } from "../contract/schema.ts";
import { mismatches } from "../contract/schema.ts";
import { own } from "../kernel/own.ts";
import { claimOf } from "./who.ts";
import type { Who } from "./who.ts";
import type { Condition, Facts, Says, Source } from "./says.ts";

type Test = (value: unknown, facts: Facts) => Says;

/** Longer texts are not matched, so that one argument cannot hold up everybody's calls. */
const PATTERN_INPUT_CHARS_MAX = 65_536;

/**
 * `compileSources` makes the sources of a file's `seen_in`, in order. `denies`: whether a yes
 * allows less than a no, as under `when`, and under `not` among the arguments.
 */
export function compileCondition(
  file: ConditionFile,
  compileSources: (file: ConditionFile, denies: boolean) => readonly Source[],
  denies: boolean,
): Condition {
  const sources = compileSources(file, denies);
  const tests = [...plainTests(file, denies), ...claimTests(file)];
  if (sources.length > 0) tests.push((value, facts) => wasSeen(sources, value, facts));
  const inner: Condition[] = [];
  const deeper = (below: ConditionFile, its = denies): Condition => {
    const made = compileCondition(below, compileSources, its);
    inner.push(made);
    return made;
  };
  if (file.items !== undefined) tests.push(eachItem(deeper(file.items)));
  if (file.properties !== undefined) {
    for (const [name, below] of Object.entries(file.properties)) {
      tests.push(property(name, deeper(below)));
    }
  }
  if (file.not !== undefined) tests.push(opposite(deeper(file.not, !denies)));
  return Object.freeze({
    file,
    says: (value: unknown, facts: Facts) => all(tests, (test) => test(value, facts)),
    allowed(who: Who): string | undefined {
      if (file.confidential === true || inner.some((one) => one.allowed(who) === undefined)) return;
      const said = [
        ...plainTexts(file),
        ...claimTexts(file, who),
        ...(sources.length === 0 ? [] : [sources.map((s) => s.text(who)).join(" or ")]),
      ];
      if (file.items !== undefined) said.push(`each item ${inner[0]?.allowed(who)}`);
      for (const [name, below] of Object.entries(file.properties ?? {})) {
        const its = inner.find((one) => one.file === below);
        said.push(`${JSON.stringify(name)} ${its?.allowed(who)}`);
      }
      if (file.not !== undefined) said.push(`not ${inner.at(-1)?.allowed(who)}`);
      return said.join(" and ") || "not given";
    },
  });
}

/** Kleene's and: one no decides; without one, one unclear does. */
export function all<T>(list: Iterable<T>, says: (one: T) => Says): Says {
  let result: Says = "yes";
  for (const one of list) {
    const said = says(one);
    if (said === "no") return "no";
    if (said === "unclear") result = "unclear";
  }
  return result;
}

const yesOrNo = (holds: boolean): Says => (holds ? "yes" : "no");

function opposite(inner: Condition): Test {
  const not = { yes: "no", no: "yes", unclear: "unclear" } as const;
  return (value, facts) => not[inner.says(value, facts)];
}

function eachItem(inner: Condition): Test {
  return (value, facts) =>
    Array.isArray(value) ? all(value, (item: unknown) => inner.says(item, facts)) : "unclear";
}

function property(name: string, inner: Condition): Test {
  return (value, facts) => {
    if (value === null || typeof value !== "object" || Array.isArray(value)) return "unclear";
    return saysOf(inner, own(value as Record<string, unknown>, name), facts);
  };
}

/** Of a value that may not be given: that is a no, but where the condition says otherwise. */
export function saysOf(condition: Condition, value: unknown, facts: Facts): Says {
  const { optional, absent } = condition.file;
  if (absent === true) return yesOrNo(value === undefined);
  if (value === undefined) return yesOrNo(optional === true);
  return condition.says(value, facts);
}

const NUMERIC = [
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
] as const;
const TEXTUAL = ["minLength", "maxLength", "format"] as const;
const LISTED = ["minItems", "maxItems"] as const;

/** For each kind of keyword that is given, the JSON types it can speak of: no value of another. */
export function kindsOf(file: ConditionFile): readonly (readonly string[])[] {
  const has = (keys: readonly (keyof ConditionFile)[]): boolean =>
    keys.some((key) => file[key] !== undefined);
  const texts = [...TEXTUAL, "pattern", "equals", "member_of"] as const;
  const kinds: (readonly string[])[] = [];
  if (has(NUMERIC)) kinds.push(["number", "integer"]);
  if (has(texts)) kinds.push(["string"]);
  if (has([...LISTED, "items"])) kinds.push(["array"]);
  if (has(["properties"])) kinds.push(["object"]);
  return kinds;
}

function plainTests(file: ConditionFile, denies: boolean): Test[] {
  const tests: Test[] = [];
  const values = valuesIn(file);
  if (values !== undefined) {
    const set = new Set(values);
    tests.push((value) => (isNamed(value) ? yesOrNo(set.has(value as never)) : "unclear"));
  }
  const schemas: [Schema | undefined, (value: unknown) => boolean][] = [
    [schemaOf(file, "number", NUMERIC), (value) => typeof value === "number" && isNamed(value)],
    [schemaOf(file, "string", TEXTUAL), (value) => typeof value === "string"],
    [schemaOf(file, "array", LISTED), Array.isArray],
  ];
  for (const [schema, isKind] of schemas) {
    if (schema === undefined) continue;
    tests.push((value) =>
      isKind(value) ? yesOrNo(mismatches(schema, value).length === 0) : "unclear",
    );
  }
  if (file.pattern !== undefined) tests.push(matches(compilePattern(file.pattern, denies)));
  return tests;
}

function schemaOf(
  file: ConditionFile,
  type: "number" | "string" | "array",
  keys: readonly (keyof ConditionFile)[],
): Schema | undefined {
  const given = keys.filter((key) => file[key] !== undefined).map((key) => [key, file[key]]);
  return given.length === 0 ? undefined : { type, ...Object.fromEntries(given) };
}

/** What `enum` and `const` together leave. */
export function valuesIn(file: ConditionFile): ConditionFile["enum"] {
  if (file.const === undefined) return file.enum;
  return file.enum === undefined || file.enum.includes(file.const) ? [file.const] : [];
}

// Two whole numbers beyond 2^53 may be one double: such a value is nobody's in particular.
function isNamed(value: unknown): boolean {
  if (typeof value !== "number") return value === null || typeof value !== "object";
  return !Number.isInteger(value) || Number.isSafeInteger(value);
}

const PATTERNS_MAX = 10_000;
/** Many rules say the same pattern, and compiling one costs more than a thousand matches. */
const patterns = new Map<string, RE2JS>();

/**
 * Or why it is none: outside RE2's syntax, or a repetition that would grow too large. A dot is a
 * line break as well where a match denies, and not where it allows: no line break slips past.
 */
export function compilePattern(pattern: string, denies: boolean): RE2JS | string {
  const flags = denies ? RE2JS.DOTALL : 0;
  const key = `${flags} ${pattern}`;
  const known = patterns.get(key);
  if (known !== undefined) return known;
  try {
    const compiled = RE2JS.compile(pattern, flags);
    if (patterns.size < PATTERNS_MAX) patterns.set(key, compiled);
    return compiled;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function matches(pattern: RE2JS | string): Test {
  return (value) => {
    if (typeof pattern === "string") return "unclear";
    if (typeof value !== "string" || value.length > PATTERN_INPUT_CHARS_MAX) return "unclear";
    // Half a surrogate pair means something else to whoever decodes it.
    return value.isWellFormed() ? yesOrNo(pattern.matches(value)) : "unclear";
  };
}

function claimTests({ equals, member_of }: ConditionFile): Test[] {
  const tests: Test[] = [];
  if (equals !== undefined) {
    tests.push((value, { who }) => {
      const claim = claimOf(who, equals);
      return typeof claim === "string" && typeof value === "string"
        ? yesOrNo(value === claim)
        : "unclear";
    });
  }
  if (member_of !== undefined) {
    tests.push((value, { who }) => {
      const claim = claimOf(who, member_of);
      return Array.isArray(claim) && typeof value === "string"
        ? yesOrNo(claim.includes(value))
        : "unclear";
    });
  }
  return tests;
}

// Never a no by itself: what was forgotten looks the same as what was never read.
function wasSeen(sources: readonly Source[], value: unknown, facts: Facts): Says {
  if (!isNamed(value)) return "unclear";
  const isThere = sources.some(({ id, where }) =>
    facts.seen(id, value).some(([, ...others]) => {
      const pairs = where.map((condition, i) => [condition, others[i]] as const);
      return all(pairs, ([condition, other]) => saysOf(condition, other, facts)) === "yes";
    }),
  );
  return isThere ? "yes" : "no";
}

const VALUES_TOLD_MAX = 20;

function plainTexts(file: ConditionFile): string[] {
  const said: string[] = [];
  const values = valuesIn(file);
  if (values !== undefined) said.push(oneOf(values));
  const bounds = [
    ["minimum", "at least"],
    ["maximum", "at most"],
    ["exclusiveMinimum", "more than"],
    ["exclusiveMaximum", "less than"],
    ["multipleOf", "a multiple of"],
    ["format", "of format"],
  ] as const;
  for (const [key, words] of bounds)
    if (file[key] !== undefined) said.push(`${words} ${file[key]}`);
  const sizes = [
    ["minLength", "at least", "characters"],
    ["maxLength", "at most", "characters"],
    ["minItems", "at least", "items"],
    ["maxItems", "at most", "items"],
  ] as const;
  for (const [key, words, unit] of sizes) {
    if (file[key] !== undefined) said.push(`${words} ${file[key]} ${unit}`);
  }
  if (file.pattern !== undefined) said.push(`text that as a whole matches ${file.pattern}`);
  return said;
}

function claimTexts({ equals, member_of }: ConditionFile, who: Who): string[] {
  const said: string[] = [];
  if (equals !== undefined) {
    const claim = claimOf(who, equals);
    said.push(typeof claim === "string" ? oneOf([claim]) : `the user's ${equals.slice(10)}`);
  }
  if (member_of !== undefined) {
    const claim = claimOf(who, member_of);
    said.push(Array.isArray(claim) ? oneOf(claim) : `one of the user's ${member_of.slice(10)}`);
  }
  return said;
}

function oneOf(values: readonly unknown[]): string {
  if (values.length === 0) return "nothing";
  const told = values.slice(0, VALUES_TOLD_MAX).map((value) => JSON.stringify(value));
  const more = values.length > told.length ? ` and ${values.length - told.length} more` : "";
  return told.length === 1 ? `exactly ${told[0]}` : `one of ${told.join(", ")}${more}`;
}
