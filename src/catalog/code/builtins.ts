// What the language itself can do to values that are known: lists, texts, records.
import { posix } from "node:path";
import type { Machine } from "./machine.ts";
import { append, list, NOTHING, plain, record, TEXT_MAX, textOf } from "./values.ts";
import { truthOf, UNKNOWN } from "./values.ts";
import type { At, Library, List, Value } from "./values.ts";

const ROUNDS_MAX = 1000;
/** Of a path. */
const PARTS_MAX = 1000;

/** Runs what is given as a function, in case something calls it. */
export function runCallbacks(machine: Machine, args: readonly Value[], at: At): void {
  for (const one of args) if (one.kind === "function") machine.call(one, [], at);
}

type Each = () => Value[];
type ListMethod = (of: List, each: Each, args: readonly Value[], at: At) => Value;

const same: ListMethod = (of) => of;
const LIST_METHODS: Readonly<Record<string, ListMethod>> = {
  forEach: (_of, each) => (each(), NOTHING),
  map: ({ open }, each) => list(each(), open),
  flatMap: ({ open }, each) => flattened(list(each(), open)),
  filter: (of, each) => filtered(of, each()),
  some: (_of, each) => (each(), UNKNOWN),
  every: (_of, each) => (each(), UNKNOWN),
  find: (_of, each) => (each(), UNKNOWN),
  flat: (of) => flattened(of),
  concat: (of, _each, args) => flattened(list([of, ...args])),
  push: (of, _each, args, at) => {
    if (at.scope.frame.unsure > 0) of.open = true;
    append(of, args);
    return UNKNOWN;
  },
  join: ({ items, open }, _each, [between]) => {
    const parts = items.map((one) => (one.kind === "plain" ? String(one.value) : undefined));
    const isKnown = !open && !parts.includes(undefined);
    const gap = textOf(between) ?? ",";
    const isShort = isKnown && charsIn(parts) + gap.length * parts.length < TEXT_MAX;
    return isShort ? plain(parts.join(gap)) : UNKNOWN;
  },
  slice: (of, _each, args) => (args.length > 0 ? list(of.items, true) : of),
  reverse: same,
  sort: same,
  toSorted: same,
  includes: (of, _each, [what = UNKNOWN]) => included(of, what),
};

export function listMethod(
  machine: Machine,
  of: List,
  name: string,
  args: readonly Value[],
  at: At,
): Value {
  const [first = UNKNOWN] = args;
  const each = (): Value[] => {
    const items = of.items.slice(0, ROUNDS_MAX);
    if (of.open || of.items.length > ROUNDS_MAX) items.push(UNKNOWN);
    return items.map((item, i) => machine.call(first, [item, plain(i), of], at));
  };
  const method = Object.hasOwn(LIST_METHODS, name) ? LIST_METHODS[name] : undefined;
  if (method !== undefined) return method(of, each, args, at);
  runCallbacks(machine, args, at);
  return UNKNOWN;
}

// What is kept, where that is known of each.
function filtered(of: List, kept: readonly Value[]): List {
  const truths = kept.map(truthOf);
  if (of.open || truths.includes(undefined)) return list(of.items, true);
  return list(of.items.filter((_one, i) => truths[i] === true));
}

function included({ items, open }: List, what: Value): Value {
  const isKnown = !open && [what, ...items].every(({ kind }) => kind === "plain");
  if (!isKnown || what.kind !== "plain") return UNKNOWN;
  return plain(items.some((one) => one.kind === "plain" && one.value === what.value));
}

function flattened({ items, open }: List): List {
  const flat = items.flatMap((one) => (one.kind === "list" ? one.items : [one]));
  return list(flat, open || items.some((one) => one.kind === "list" && one.open));
}

const TEXT_METHODS: Readonly<Record<string, (of: string, words: readonly string[]) => Value>> = {
  toLowerCase: (of) => plain(of.toLowerCase()),
  toUpperCase: (of) => plain(of.toUpperCase()),
  trim: (of) => plain(of.trim()),
  toString: (of: string) => plain(of),
  concat: (of, words) => plain(of + words.join("")),
  replace: (of, [what = "", by = ""]) => plain(of.replace(what, () => by)),
  split: (of, [by = ""]) => list(of.split(by).map((one) => plain(one))),
  endsWith: (of, [end = ""]) => plain(of.endsWith(end)),
  includes: (of, [part = ""]) => plain(of.includes(part)),
  startsWith: (of, [begin = ""]) => plain(of.startsWith(begin)),
};

export function textMethod(of: string, name: string, args: readonly Value[]): Value {
  const words = args.flatMap((one) => (one.kind === "plain" ? String(one.value) : []));
  const isShort = of.length + charsIn(words) <= TEXT_MAX;
  const isKnown = isShort && words.length === args.length && Object.hasOwn(TEXT_METHODS, name);
  return (isKnown ? TEXT_METHODS[name]?.(of, words) : undefined) ?? UNKNOWN;
}

const first = ([value = UNKNOWN]: readonly Value[]): Value => value;
const GLOBALS: Readonly<Record<string, (args: readonly Value[]) => Value>> = {
  "Object.freeze": first,
  "Object.seal": first,
  "Promise.resolve": first,
  "Promise.all": first,
  structuredClone: first,
  "Array.from": (args) => (args.length === 1 ? first(args) : UNKNOWN),
  "Object.entries": (args) => entriesOf(first(args), (name, value) => list([plain(name), value])),
  "Object.keys": (args) => entriesOf(first(args), (name) => plain(name)),
  "Object.values": (args) => entriesOf(first(args), (_name, value) => value),
  "Object.assign": assigned,
  "Object.fromEntries": (args) => fromEntries(first(args)),
  URL: locator,
  String: (args) => asText(first(args)),
  RegExp: (args) => ({ kind: "pattern", source: textOf(args[0]) ?? "" }),
};

/** A function of the language's or of Node's; nothing where it is none that is known. */
export function globalCall(machine: Machine, of: Library, args: readonly Value[], at: At) {
  const name = of.name.replace(/^default\.|^posix\./, "");
  if (of.from === "node:path") return onPath(name, args);
  if (of.from === "node:url") return name === "fileURLToPath" ? pathOf(first(args)) : undefined;
  if (of.from === "desm")
    return name === "join" ? joined([fileIn(args), ...args.slice(1)]) : undefined;
  if (of.from === "node:fs") return name.startsWith("readdir") ? within(machine, args) : undefined;
  if (Object.hasOwn(GLOBALS, name)) return GLOBALS[name]?.(args);
  runCallbacks(machine, args, at);
  return undefined;
}

function within(machine: Machine, args: readonly Value[]): Value | undefined {
  const names = args.length === 1 ? machine.names(textOf(args[0]) ?? "") : undefined;
  return names === undefined ? undefined : list(names.map((one) => plain(one)));
}

function pathOf(value: Value): Value {
  const text = textOf(value);
  return text === undefined ? UNKNOWN : plain(text.replace(/^file:\/\//, ""));
}

// The folder of the module whose address is given.
function fileIn([url = UNKNOWN]: readonly Value[]): Value {
  const path = textOf(pathOf(url));
  return path === undefined ? UNKNOWN : plain(posix.dirname(path));
}

function locator([to, from]: readonly Value[]): Value {
  const [path, base] = [textOf(to), textOf(from)];
  if (path === undefined || base === undefined || !URL.canParse(path, base)) return UNKNOWN;
  return plain(new URL(path, base).href.replace(/\/$/, ""));
}

function onPath(name: string, args: readonly Value[]): Value | undefined {
  const [path, end] = args.map(textOf);
  if (name === "join" || name === "resolve") return joined(args);
  if (path === undefined) return undefined;
  if (name === "dirname") return plain(posix.dirname(path));
  if (name === "extname") return plain(posix.extname(path));
  return name === "basename" ? plain(posix.basename(path, end ?? "")) : undefined;
}

function asText(value: Value): Value {
  return value.kind === "plain" ? plain(String(value.value), value.assumed) : UNKNOWN;
}

function entriesOf(value: Value, make: (name: string, value: Value) => Value): Value {
  if (value.kind !== "record") return UNKNOWN;
  return list(
    [...value.fields].map(([name, one]) => make(name, one)),
    value.open,
  );
}

function assigned([target = UNKNOWN, ...sources]: readonly Value[]): Value {
  if (target.kind !== "record" && target.kind !== "function") return target;
  for (const source of sources) {
    if (source.kind === "record") {
      for (const [name, value] of source.fields) target.fields.set(name, value);
    } else if (target.kind === "record") target.open = true;
  }
  return target;
}

function fromEntries(value: Value): Value {
  if (value.kind !== "list") return UNKNOWN;
  const pairs = value.items.flatMap((one): [string, Value][] => {
    if (one.kind !== "list") return [];
    const [name, inner] = one.items;
    return name?.kind === "plain" && inner !== undefined ? [[String(name.value), inner]] : [];
  });
  return record(pairs, value.open || pairs.length < value.items.length);
}

function joined(args: readonly Value[]): Value {
  const parts = args.map(textOf);
  const isLong = parts.length > PARTS_MAX || charsIn(parts) > TEXT_MAX;
  if (isLong || parts.includes(undefined)) return UNKNOWN;
  return plain(posix.join(...parts.map((one) => one ?? "")));
}

function charsIn(texts: readonly (string | undefined)[]): number {
  return texts.reduce((sum, one) => sum + (one?.length ?? 0), 0);
}
