// What one schema says by itself: types, null, values, bounds, patterns, conditions.
import { canonicalJson } from "../kernel/ids.ts";
import type { Comparison } from "./comparison.ts";
import type { Change, Place, Sent } from "./findings.ts";
import { CONSTRAINTS, CONTENT } from "./rules.ts";
import { LOWER, resolve, typesOf, UPPER, valuesOf } from "./shape.ts";
import type { Defs, Shape } from "./shape.ts";

export function compareKeywords(
  comparison: Comparison,
  before: Shape,
  after: Shape,
  place: Place,
): void {
  compareTypes(comparison, before, after, place, "all");
  compareFormats(comparison, before, after, place);
  compareValues(comparison, before, after, place);
  compareBounds(comparison, before, after, place);
  compareConditions(comparison, before, after, place);
  comparePresets(comparison, before, after, place);
}

/** Adds a finding of this place's side; milder where the tool never sends it. */
function add(comparison: Comparison, name: string, place: Place, change: Change = {}): void {
  const severity = comparison.outOfPlay(place) ?? change.severity;
  comparison.findings.add(`${place.side}-{}-${name}`, place, { ...change, severity });
}

/** The types that a value may be of, through choices; `undefined` for any. */
function reachableTypes(shape: Shape, defs: Defs): ReadonlySet<string> | undefined {
  const types = new Set<string>();
  // It grows while it is walked, and takes each shape once: choices of choices multiply.
  const shapes = new Set([shape]);
  for (const one of shapes) {
    const own = typesOf(one);
    const choice = one.anyOf ?? one.oneOf;
    if (own !== undefined) for (const type of own) types.add(type);
    else if (choice === undefined) return undefined;
    else for (const other of choice) shapes.add(resolve(other, defs));
  }
  return types;
}

/** `null`: only whether null is allowed; true where one side is nothing else: all is said then. */
export function compareTypes(
  comparison: Comparison,
  before: Shape,
  after: Shape,
  place: Place,
  what: "all" | "null",
): boolean {
  const was = reachableTypes(before, comparison.before);
  const is = reachableTypes(after, comparison.after);
  const change = { from: inWords(was), to: inWords(is) };
  if (was !== undefined && is !== undefined && was.has("null") !== is.has("null")) {
    if (isNullOnly(was) || isNullOnly(is)) {
      add(comparison, "type-changed", place, change);
      return true;
    }
    add(comparison, is.has("null") ? "became-nullable" : "became-not-nullable", place);
  }
  if (what === "all") comparePlainTypes(comparison, plainTypes(was), plainTypes(is), place);
  return false;
}

function comparePlainTypes(
  comparison: Comparison,
  old: readonly string[] | undefined,
  now: readonly string[] | undefined,
  place: Place,
): void {
  if (canonicalJson(old ?? null) === canonicalJson(now ?? null)) return;
  const grows = covers(now, old);
  const shrinks = covers(old, now);
  const listed = (old?.length ?? 2) > 1 || (now?.length ?? 2) > 1;
  const change = { from: old?.join("|") ?? "any", to: now?.join("|") ?? "any" };
  add(comparison, typeRule(place, grows, shrinks, listed), place, change);
}

const isNullOnly = (types: ReadonlySet<string>): boolean => types.size === 1 && types.has("null");

function inWords(types: ReadonlySet<string> | undefined): string {
  return types === undefined ? "any" : [...types].toSorted().join("|");
}

function typeRule(place: Place, grows: boolean, shrinks: boolean, listed: boolean): string {
  if (!grows && !shrinks) return "type-changed";
  if (listed) return grows ? "list-of-types-widened" : "list-of-types-narrowed";
  if (place.side === "request") return grows ? "type-generalized" : "type-changed";
  return grows ? "type-changed" : "type-specialized";
}

// Beside null; all of it where there is nothing beside.
function plainTypes(types: ReadonlySet<string> | undefined): readonly string[] | undefined {
  if (types === undefined) return undefined;
  const plain = [...types].filter((one) => one !== "null").toSorted();
  return plain.length === 0 ? ["null"] : plain;
}

function covers(wide: readonly string[] | undefined, narrow: readonly string[] | undefined) {
  if (wide === undefined) return true;
  return (
    narrow?.every((one) => wide.includes(one) || (one === "integer" && wide.includes("number"))) ??
    false
  );
}

// Of numbers, the later covers the earlier.
const WIDTHS = ["int32", "int64", "float", "double"];

function compareFormats(comparison: Comparison, before: Shape, after: Shape, place: Place): void {
  const [from, to] = [before.format, after.format];
  if (from === to) return;
  const types = [typesOf(before), typesOf(after)].map((one) => canonicalJson(one ?? null));
  if (types[0] !== types[1] && from === undefined) return;
  const [narrow, wide] = [WIDTHS.indexOf(from ?? ""), WIDTHS.indexOf(to ?? "")];
  const grows = to === undefined || (narrow >= 0 && wide > narrow);
  const shrinks = from === undefined || (wide >= 0 && narrow > wide);
  add(comparison, typeRule(place, grows, shrinks, false), place, { from, to });
}

function compareValues(comparison: Comparison, before: Shape, after: Shape, place: Place): void {
  extensible(comparison, before, after, place);
  const [old, now] = [values(before), values(after)];
  if (old === undefined && now === undefined) return;
  const single = "const" in before || "const" in after;
  if (old === undefined) {
    const severity = spared(comparison, place, ({ schema }) => within(schema, now ?? []));
    return add(comparison, single ? "const-added" : "became-enum", place, { to: now, severity });
  }
  if (now === undefined) {
    return add(comparison, single ? "const-removed" : "enum-removed", place, { from: old });
  }
  const [gone, fresh] = [without(old, now), without(now, old)];
  if (single && gone.length > 0 && fresh.length > 0) {
    return add(comparison, "const-changed", place, { from: old, to: now });
  }
  if (gone.length > 0) {
    const severity = spared(comparison, place, ({ schema }) => avoids(schema, gone));
    add(comparison, "enum-value-removed", place, { from: gone, severity });
  }
  if (fresh.length > 0) add(comparison, "enum-value-added", place, { to: fresh });
}

function without(all: readonly string[], those: readonly string[]): readonly string[] {
  const taken = new Set(those);
  return all.filter((one) => !taken.has(one));
}

// Null among the values is told as nullable.
function values(shape: Shape): readonly string[] | undefined {
  return valuesOf(shape)
    ?.filter((one) => one !== null)
    .map(canonicalJson);
}

function extensible(comparison: Comparison, before: Shape, after: Shape, place: Place): void {
  const key = "x-extensible-enum";
  const lists = [before[key], after[key]].map((one) => (Array.isArray(one) ? one : []));
  const [old = [], now = []] = lists.map((list) => list.map(canonicalJson));
  const gone = without(old, now);
  if (place.side === "response") {
    if (gone.length > 0 || now.length > old.length) {
      add(comparison, "x-extensible-enum-changed", place, { from: old, to: now });
    }
  } else if (gone.length > 0) {
    const severity = spared(comparison, place, ({ schema }) => avoids(schema, gone));
    add(comparison, "x-extensible-enum-value-removed", place, { from: gone, severity });
  }
}

/** `warn` where the tool's own schema never lets through what is not accepted any more. */
function spared(
  comparison: Comparison,
  place: Place,
  harmless: (sent: Sent) => boolean,
): "warn" | undefined {
  const sent = place.side === "request" ? comparison.findings.sent(place.path) : undefined;
  return sent !== undefined && harmless(sent) ? "warn" : undefined;
}

function allowed(schema: Sent["schema"]): readonly string[] | undefined {
  if (schema === undefined) return undefined;
  if (schema.const !== undefined) return [canonicalJson(schema.const)];
  return schema.enum?.map(canonicalJson);
}

function avoids(schema: Sent["schema"], gone: readonly string[]): boolean {
  const mine = allowed(schema);
  return mine !== undefined && without(mine, gone).length === mine.length;
}

function within(schema: Sent["schema"], accepted: readonly string[]): boolean {
  const mine = allowed(schema);
  return mine !== undefined && without(mine, accepted).length === 0;
}

function compareBounds(comparison: Comparison, before: Shape, after: Shape, place: Place): void {
  for (const [keys, isUpper] of [
    [UPPER, true],
    [LOWER, false],
  ] as const) {
    for (const [key, name] of Object.entries(keys)) {
      const [from, to] = [before[key], after[key]];
      if (from === to) continue;
      const change = { from, to };
      if (typeof from !== "number") {
        add(comparison, `${name}-set`, place, { ...change, ...milder(comparison, place, key, to) });
      } else if (typeof to !== "number") add(comparison, `${name}-unset`, place, change);
      else {
        const tighter = isUpper ? to < from : to > from;
        const word = to < from ? "decreased" : "increased";
        const mild = tighter ? milder(comparison, place, key, to) : {};
        add(comparison, `${name}-${word}`, place, { ...change, ...mild });
      }
    }
  }
}

// The tool's own bound is as tight as the new one.
function milder(comparison: Comparison, place: Place, key: string, to: unknown): Change {
  const sent = place.side === "request" ? comparison.findings.sent(place.path) : undefined;
  const mine = (sent?.schema as Readonly<Record<string, unknown>> | undefined)?.[key];
  if (typeof mine !== "number" || typeof to !== "number") return {};
  const inside = key in UPPER ? mine <= to : mine >= to;
  return inside ? { severity: "info" } : {};
}

function compareConditions(
  comparison: Comparison,
  before: Shape,
  after: Shape,
  place: Place,
): void {
  for (const [key, name] of CONSTRAINTS) {
    const [was, is] = [before[key], after[key]];
    if (isSameCondition(comparison, was, is)) continue;
    const word = was === undefined ? "added" : is === undefined ? "removed" : "changed";
    add(comparison, `${name}-${word}`, place, textOnly(was, is));
  }
  for (const [key, name] of Object.entries(CONTENT)) {
    const [from, to] = [before[key], after[key]];
    if (from !== to) add(comparison, `${name}-changed`, place, { from, to });
  }
  const [from, to] = [before.pattern, after.pattern];
  if (from !== to) {
    const word = from === undefined ? "added" : to === undefined ? "removed" : "changed";
    add(comparison, `pattern-${word}`, place, { from, to });
  }
  const [was, is] = [before["discriminator"], after["discriminator"]];
  if (canonicalJson(was ?? null) !== canonicalJson(is ?? null)) {
    add(comparison, "discriminator-changed", place, { from: was, to: is });
  }
  if (before.deprecated !== after.deprecated) {
    add(comparison, after.deprecated ? "deprecated" : "reactivated", place);
  }
}

function textOnly(from: unknown, to: unknown): Change {
  const isText = [from, to].every((one) => typeof one !== "object");
  return isText ? { from, to } : {};
}

function isSameCondition(comparison: Comparison, was: unknown, is: unknown): boolean {
  if (canonicalJson(was ?? null) === canonicalJson(is ?? null) && !mayName(was)) return true;
  if (!isShape(was) || !isShape(is)) return false;
  return comparison.isSame(was, is);
}

const isShape = (value: unknown): value is Shape =>
  value !== null && typeof value === "object" && !Array.isArray(value);

// Equal text with a reference in it may name what differs.
const mayName = (value: unknown): boolean => canonicalJson(value ?? null).includes('"$ref"');

function comparePresets(comparison: Comparison, before: Shape, after: Shape, place: Place): void {
  if (place.side !== "request") return;
  const [from, to] = [before, after].map((one) =>
    "default" in one ? canonicalJson(one.default) : undefined,
  );
  if (from === to) return;
  const word = from === undefined ? "added" : to === undefined ? "removed" : "changed";
  // It matters to who leaves the value out, and to nobody else.
  const { findings } = comparison;
  const severity = findings.sent(place.path)?.always === true ? "info" : undefined;
  findings.add(`request-{}-default-value-${word}`, place, { from, to, severity });
}
