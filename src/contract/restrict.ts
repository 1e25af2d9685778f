// A response's shape cut down to what a tool takes out of it: drift elsewhere is none of ours.
import { pointerTo, tokensOf } from "../kernel/json.ts";
import { anyItem } from "./findings.ts";
import type { Projection } from "./projection.ts";
import { childrenOf, nameOf, resolve } from "./shape.ts";
import type { Defs, Shape } from "./shape.ts";
import { SliceError } from "./slice-error.ts";

/** What of a value is used: all of it, or what its parts name. */
interface Mask {
  whole: boolean;
  /** By the reference token of a JSON pointer; `*` is every item. */
  readonly parts: Map<string, Mask>;
}

/** How many schemas may still be cut down: alternatives of alternatives multiply. */
interface Left {
  shapes: number;
}

const SHAPES_MAX = 50_000;

const newMask = (): Mask => ({ whole: false, parts: new Map() });

/** The fields that a tool cannot do without, as pointers from the answer; `*` is every item. */
export function neededFields(projection: Projection): Set<string> {
  return new Set([...needed(projection, "")].map(anyItem));
}

function needed(projection: Projection, prefix: string): Set<string> {
  const all = new Set<string>();
  for (const field of projection.values()) {
    const at = prefix + field.from;
    if (field.optional) continue;
    let here = prefix;
    for (const token of tokensOf(field.from)) all.add((here = pointerTo(here, token)));
    if (field.kind === "list") for (const one of needed(field.items, `${at}/*`)) all.add(one);
    if (field.kind === "object") for (const one of needed(field.fields, at)) all.add(one);
  }
  return all;
}

export function restrict(shape: Shape, defs: Defs, projection: Projection): Shape {
  const mask = newMask();
  fill(mask, projection);
  return masked(shape, { defs, left: { shapes: SHAPES_MAX } }, mask, new Set());
}

function fill(mask: Mask, projection: Projection): void {
  for (const field of projection.values()) {
    const at = tokensOf(field.from).reduce(step, mask);
    if (field.kind === "list") fill(step(at, "*"), field.items);
    else if (field.kind === "object") fill(at, field.fields);
    else at.whole = true;
  }
}

function step(mask: Mask, token: string): Mask {
  const next = mask.parts.get(token) ?? newMask();
  mask.parts.set(token, next);
  return next;
}

interface Cut {
  readonly defs: Defs;
  readonly left: Left;
}

// `seen` holds the definitions entered since the mask last went a step further: a choice that
// leads back to itself adds nothing.
function masked(shape: Shape, cut: Cut, mask: Mask, seen: ReadonlySet<string>): Shape {
  if (mask.whole) return shape;
  if (--cut.left.shapes < 0) {
    throw new SliceError("too_large", `the answer comes down to more than ${SHAPES_MAX} schemas`);
  }
  const name = nameOf(shape);
  if (name !== undefined) {
    if (seen.has(name)) return {};
    return masked(resolve(shape, cut.defs), cut, mask, new Set([...seen, name]));
  }
  const { properties: _p, items: _i, required: _r, ...rest } = kept(shape);
  const out: Record<string, unknown> = rest;
  const properties = maskedProperties(shape, cut, mask);
  if (Object.keys(properties).length > 0) out["properties"] = properties;
  const required = shape.required?.filter((one) => mask.parts.has(one)) ?? [];
  if (required.length > 0) out["required"] = required;
  const items = itemsMask(mask);
  if (shape.items !== undefined && items !== undefined) {
    out["items"] = masked(shape.items, cut, items, new Set());
  }
  for (const key of ["allOf", "anyOf", "oneOf"] as const) {
    const branches = shape[key]?.map((one) => masked(one, cut, mask, seen));
    if (branches !== undefined) out[key] = branches;
  }
  return out;
}

function maskedProperties(shape: Shape, cut: Cut, mask: Mask): Record<string, Shape> {
  const properties: Record<string, Shape> = {};
  for (const [token, part] of mask.parts) {
    const map = shape.properties ?? {};
    const rest = shape.additionalProperties;
    const child = Object.hasOwn(map, token) ? map[token] : rest === false ? undefined : rest;
    if (child === undefined) continue;
    const value = masked(child, cut, part, new Set());
    Object.defineProperty(properties, token, { value, enumerable: true });
  }
  return properties;
}

// An item by its number is as good as every item: the schema says the same of all.
function itemsMask(mask: Mask): Mask | undefined {
  const numbered = [...mask.parts].filter(([token]) => /^(?:\*|\d+)$/.test(token));
  return numbered.length === 0 ? undefined : union(numbered.map(([, part]) => part));
}

function union(masks: readonly Mask[]): Mask {
  const tokens = new Set(masks.flatMap(({ parts }) => [...parts.keys()]));
  const all = [...tokens].map((token): [string, Mask] => {
    return [token, union(masks.flatMap(({ parts }) => parts.get(token) ?? []))];
  });
  return { whole: masks.some(({ whole }) => whole), parts: new Map(all) };
}

// What stays of a schema whose parts are chosen one by one: its kind, its choices, its tuples.
const KEPT = ["type", "enum", "const", "discriminator", "anyOf", "oneOf", "allOf", "prefixItems"];

function kept(shape: Shape): Shape {
  return Object.fromEntries(Object.entries(shape).filter(([key]) => KEPT.includes(key)));
}

/** The definitions that are reached from these shapes. */
export function reached(roots: readonly Shape[], defs: Defs): Record<string, Shape> {
  const names = new Set<string>();
  const queue = [...roots];
  for (const shape of queue) {
    const name = nameOf(shape);
    if (name !== undefined && !names.has(name)) {
      names.add(name);
      queue.push(resolve(shape, defs));
    }
    for (const [, child] of childrenOf(shape)) queue.push(child);
  }
  return Object.fromEntries([...names].toSorted().map((name) => [name, defs[name] ?? {}]));
}
