// Alternatives (anyOf, oneOf) and what must be met together (allOf, where it could not be merged):
// equal ones are paired, then those that look like each other; the rest came or went.
import { canonicalJson } from "../kernel/ids.ts";
import type { Comparison } from "./comparison.ts";
import type { Place } from "./findings.ts";
import { nameOf, resolve, typesOf, valuesOf } from "./shape.ts";
import type { Defs, Shape } from "./shape.ts";

type Key = "anyOf" | "oneOf" | "allOf";

const WORDS = { anyOf: "any-of", oneOf: "one-of", allOf: "all-of" } as const;
const BESIDE = new Set(["anyOf", "oneOf", "discriminator", "default", "deprecated"]);

/** Nothing but alternatives: then one that has none is their only one. */
export function isPureChoice(shape: Shape): boolean {
  return choiceOf(shape) !== undefined && Object.keys(shape).every((key) => BESIDE.has(key));
}

function choiceOf(shape: Shape): "anyOf" | "oneOf" | undefined {
  if (shape.anyOf !== undefined && shape.oneOf === undefined) return "anyOf";
  return shape.oneOf !== undefined && shape.anyOf === undefined ? "oneOf" : undefined;
}

export function compareChoices(
  comparison: Comparison,
  before: Shape,
  after: Shape,
  place: Place,
): void {
  if (isPureChoice(before) || isPureChoice(after)) {
    return comparePure(comparison, before, after, place);
  }
  const severity = comparison.outOfPlay(place);
  for (const key of ["anyOf", "oneOf"] as const) {
    const [old, now] = [before[key], after[key]];
    if (old !== undefined && now !== undefined) pair(comparison, old, now, key, place);
    else if (old !== now) {
      const word = old === undefined ? "added" : "removed";
      comparison.findings.add(`${place.side}-{}-choice-${word}`, place, { severity });
    }
  }
  const [old, now] = [before.allOf, after.allOf];
  if (old === undefined && now === undefined) return;
  pair(comparison, old ?? alone(before), now ?? alone(after), "allOf", place);
}

function comparePure(comparison: Comparison, before: Shape, after: Shape, place: Place): void {
  const [was, is] = [before, after].map((one) => (isPureChoice(one) ? choiceOf(one) : undefined));
  if (was !== undefined && is !== undefined) kindOfChoice(comparison, was, is, place);
  const old = was === undefined ? [before] : (before[was] ?? []);
  const now = is === undefined ? [after] : (after[is] ?? []);
  pair(comparison, old, now, is ?? was ?? "anyOf", place);
}

// What stands by itself is all that must be met; what says nothing is nothing to meet.
function alone(shape: Shape): readonly Shape[] {
  return Object.keys(shape).length === 0 ? [] : [shape];
}

function kindOfChoice(comparison: Comparison, was: string, is: string, place: Place): void {
  if (was === is) return;
  const narrower = place.side === "request" && is === "oneOf";
  const severity = comparison.outOfPlay(place) ?? (narrower ? undefined : "info");
  comparison.findings.add(`${place.side}-{}-choice-changed`, place, {
    from: was,
    to: is,
    severity,
  });
}

function pair(
  comparison: Comparison,
  before: readonly Shape[],
  after: readonly Shape[],
  key: Key,
  place: Place,
): void {
  const isOther = (one: Shape): boolean => one.type !== "null";
  const old = before.filter(isOther).map((shape) => ({
    shape,
    colour: comparison.colourBefore(shape),
    looks: looksOf(shape, comparison.before),
  }));
  const now = after.filter(isOther).map((shape) => ({
    shape,
    colour: comparison.colourAfter(shape),
    looks: looksOf(shape, comparison.after),
  }));
  matched(old, now, (one) => one.colour);
  const alike = [0, 1, 2].flatMap((level) => matched(old, now, (one) => one.looks[level] ?? ""));
  if (old.length === 1 && now.length === 1) alike.push([...old.splice(0), ...now.splice(0)]);
  for (const [one, other] of alike) {
    if (one === undefined || other === undefined) continue;
    const step = { ...place, pointer: `${place.pointer}/${key}:${nameFor(one.shape, before)}` };
    comparison.later(one.shape, other.shape, step);
  }
  const severity = comparison.outOfPlay(place);
  for (const { shape } of old) {
    const at = { ...place, pointer: `${place.pointer}/${key}:${nameFor(shape, before)}` };
    comparison.findings.add(`${place.side}-{}-${WORDS[key]}-removed`, at, { severity });
  }
  for (const { shape } of now) {
    const at = { ...place, pointer: `${place.pointer}/${key}:${nameFor(shape, after)}` };
    comparison.findings.add(`${place.side}-{}-${WORDS[key]}-added`, at, { severity });
  }
}

/** Takes out of both lists what has the same key, once on either side, and returns the pairs. */
export function matched<T>(old: T[], now: T[], keyOf: (one: T) => string): T[][] {
  const pairs: T[][] = [];
  for (const one of old.slice()) {
    const key = keyOf(one);
    if (key === "") continue;
    const partner = now.find((other) => keyOf(other) === key);
    if (partner === undefined) continue;
    old.splice(old.indexOf(one), 1);
    now.splice(now.indexOf(partner), 1);
    pairs.push([one, partner]);
  }
  return pairs;
}

/** What tells an alternative from its siblings: its tag, its component's name, its type. */
function looksOf(shape: Shape, defs: Defs): readonly string[] {
  const target = resolve(shape, defs);
  const tags = Object.entries(target.properties ?? {}).flatMap(([name, one]) => {
    const values = valuesOf(resolve(one, defs));
    return values?.length === 1 ? [`${name}=${canonicalJson(values[0])}`] : [];
  });
  return [tags.toSorted().join(), nameOf(shape) ?? "", canonicalJson(typesOf(target) ?? "")];
}

function nameFor(shape: Shape, among: readonly Shape[]): string {
  return nameOf(shape) ?? String(among.indexOf(shape));
}
