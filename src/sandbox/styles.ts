// How arguments are written where there is only text: OpenAPI's styles (RFC 6570 underneath). What
// could be read as something else where it would stand cannot be written: it is refused.
// @see https://spec.openapis.org/oas/v3.1.1.html#style-values
import type { PlacedInput } from "../catalog/definition.ts";
import { pointerTo } from "../kernel/json.ts";

/** An argument, or a part of one, that cannot stand where it belongs. */
export class CannotStand extends Error {
  override readonly name = "CannotStand";
  /** JSON pointer into the arguments. */
  readonly path: string;
  constructor(path: string, expected: string) {
    super(expected);
    this.path = path;
  }
}

/** Deeper is no form, and no JSON that anybody means. */
const LEVELS_MAX = 64;

/** One field of a query or a form, its name and its text as they are sent. */
export interface Field {
  /** Unencoded: what the API reads as the name. */
  readonly name: string;
  readonly sent: string;
}

type Put = Pick<PlacedInput, "as" | "style" | "explode">;

/** The fields of one argument in a query or a form. */
export function fieldsOf(put: Put, value: unknown, at: string): readonly Field[] {
  const { as, style, explode } = put;
  switch (style) {
    case "deepObject":
      return deep(as, value, at);
    case "spaceDelimited":
      return [field(as, delimited(value, " ", at))];
    case "pipeDelimited":
      return [field(as, delimited(value, "|", at))];
    default:
      if (isNested(value) && style === undefined) return deep(as, value, at);
      return explode ? exploded(as, value, at) : [field(as, delimited(value, ",", at))];
  }
}

/** The fields of a form whose properties an argument is. */
export function formOf(value: unknown, at: string): readonly Field[] {
  if (!isObject(value)) throw new CannotStand(at, "an object");
  return Object.entries(value).flatMap(([key, inner]) => {
    const as = nameOf(key, at);
    return fieldsOf({ as, style: undefined, explode: true }, inner, pointerTo(at, key));
  });
}

function field(name: string, text: string): Field {
  return { name, sent: `${encode(name)}=${text}` };
}

function exploded(as: string, value: unknown, at: string): readonly Field[] {
  if (Array.isArray(value)) {
    return filled(value, at).map((one, i) => field(as, encode(textOf(one, `${at}/${i}`))));
  }
  if (!isObject(value)) return [field(as, encode(textOf(value, at)))];
  return filled(Object.entries(value), at).map(([key, one]) =>
    field(nameOf(key, at), encode(textOf(one, pointerTo(at, key)))),
  );
}

// `a[b][0]=c`: OpenAPI leaves it open how this nests; APIs that have it agree.
function deep(as: string, value: unknown, at: string, level = 0): readonly Field[] {
  if (level > LEVELS_MAX) throw new CannotStand(at, "fewer levels");
  if (Array.isArray(value)) {
    return filled(value, at).flatMap((one, i) => deep(`${as}[${i}]`, one, `${at}/${i}`, level + 1));
  }
  if (!isObject(value)) return [field(as, encode(textOf(value, at)))];
  return filled(Object.entries(value), at).flatMap(([key, one]) =>
    deep(`${as}[${nameOf(key, at)}]`, one, pointerTo(at, key), level + 1),
  );
}

// A bracket in a name would be read as a level, no name at all as the next item of a list.
function nameOf(key: string, at: string): string {
  if (key === "" || /[[\]]/.test(key)) throw new CannotStand(at, "names without brackets");
  return textOf(key, at);
}

function delimited(value: unknown, between: string, at: string): string {
  if (!isComposite(value)) return encode(textOf(value, at));
  const parts = pairsOf(value, [between], (one, path) => encode(textOf(one, path)), at).flat();
  return parts.join(between === "," ? between : encode(between));
}

/** One argument in a path, as its style has it; `taken` are the names of all that stand there. */
export function segmentOf(
  { as, style, explode }: Put,
  value: unknown,
  at: string,
  taken: ReadonlySet<string>,
): string {
  const [before, apart] =
    style === "label" ? [".", "."] : style === "matrix" ? [";", ";"] : ["", ","];
  const named = style === "matrix" ? `${encode(as)}=` : "";
  if (!isComposite(value)) return before + named + segment(value, at);
  const between = explode ? apart : ",";
  const stops = style === "matrix" ? [between, apart] : [between];
  const pairs = pairsOf(value, stops, segment, at);
  if (!explode) return before + named + pairs.flat().join(between);
  if (Array.isArray(value)) return before + pairs.map((one) => named + one[0]).join(between);
  // The names of an object that is exploded stand beside those of other arguments.
  const twice = style === "matrix" && Object.keys(value).some((key) => taken.has(key));
  if (twice) throw new CannotStand(at, "names that no other argument has");
  return before + pairs.map((pair) => pair.join("=")).join(between);
}

// A dot segment or an empty one would name another operation (RFC 3986 section 5.2.4).
function segment(value: unknown, at: string): string {
  const text = textOf(value, at);
  if (!isSegment(text)) throw new CannotStand(at, "a non-empty path segment");
  return encode(text);
}

export function isSegment(text: string): boolean {
  return !["", ".", ".."].includes(text) && text.isWellFormed() && !/\p{Cc}/u.test(text);
}

/** One argument in a header, where nothing is encoded (RFC 9110 section 5.5). */
export function headerOf({ explode }: Put, value: unknown, at: string): string {
  if (!isComposite(value)) return visible(value, at);
  const pairs = pairsOf(value, [","], visible, at);
  return pairs.map((pair) => pair.join(explode ? "=" : ",")).join(",");
}

// Blanks at its ends are taken away on the way.
function visible(value: unknown, at: string): string {
  const text = textOf(value, at);
  if (/^[\x20-\x7e]*$/.test(text) && text === text.trim()) return text;
  throw new CannotStand(at, "printable ASCII text without blanks at its ends");
}

/** Each item, or each name with its value, written; none holds what stands between them. */
function pairsOf(
  value: object,
  stops: readonly string[],
  write: (one: unknown, at: string) => string,
  at: string,
): readonly (readonly string[])[] {
  const part = (one: unknown, path: string, also: readonly string[] = []): string => {
    const text = textOf(one, path);
    const stop = [...stops, ...also].find((other) => text.includes(other));
    if (stop !== undefined) throw new CannotStand(path, `text without ${JSON.stringify(stop)}`);
    if (text === "") throw new CannotStand(path, "text that is not empty");
    return write(one, path);
  };
  if (Array.isArray(value)) return filled(value, at).map((one, i) => [part(one, `${at}/${i}`)]);
  return filled(Object.entries(value), at).map(([key, one]) => {
    return [part(key, at, ["="]), part(one, pointerTo(at, key))];
  });
}

// Nothing to write is no argument, and the API could not tell the two apart.
function filled<T>(all: readonly T[], at: string): readonly T[] {
  if (all.length === 0) throw new CannotStand(at, "at least one; leave it out where there is none");
  return all;
}

function textOf(value: unknown, at: string): string {
  const isScalar = ["string", "number", "boolean"].includes(typeof value);
  if (!isScalar) throw new CannotStand(at, "text, a number or a boolean here; or leave it out");
  const text = String(value);
  if (!text.isWellFormed()) throw new CannotStand(at, "well-formed Unicode text");
  return text;
}

/** JSON that everybody reads alike (RFC 8259 section 8.2): half a character is none. */
export function checkJson(value: unknown, at: string, level = 0): void {
  if (level > LEVELS_MAX) throw new CannotStand(at, "fewer levels");
  if (typeof value === "string") return void textOf(value, at);
  if (Array.isArray(value)) {
    value.forEach((one, i) => checkJson(one, `${at}/${i}`, level + 1));
  } else if (isObject(value)) {
    for (const [key, one] of Object.entries(value)) {
      textOf(key, at);
      checkJson(one, pointerTo(at, key), level + 1);
    }
  }
}

function isComposite(value: unknown): value is object {
  return value !== null && typeof value === "object";
}

function isNested(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isComposite);
  return isObject(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return isComposite(value) && !Array.isArray(value);
}

/** RFC 3986's unreserved characters stand for themselves, and no others. */
export function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
