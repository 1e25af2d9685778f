// Reads a request as an API does that knows its OpenAPI document, and nothing of doorless: which
// argument is where, by RFC 6570. What it does not expect is an error, as is what two readers would
// read differently, of which one decodes before it takes apart, and the other after.

export interface Parameter {
  readonly in: "path" | "query" | "header" | "form";
  readonly name: string;
  readonly style: string;
  readonly explode: boolean;
  readonly kind: "text" | "list" | "object" | "any";
}

interface Sent {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Texts, lists and objects of texts; of `any`, lists are objects with numbers as names. */
export type Read = string | readonly Read[] | { readonly [name: string]: Read };

class Misread extends Error {
  override readonly name = "Misread";
}

/** The value of `parameter`; `others` are what else the document has in the same place. */
export function readParameter(
  sent: Sent,
  template: string,
  parameter: Parameter,
  others: Readonly<Record<string, string>> = {},
): Read | undefined {
  const [path = "", ...rest] = sent.path.split("?");
  if (rest.length > 1) throw new Misread("two question marks");
  wellPlaced(sent.path, path);
  const segment = segmentIn(path, template, parameter.name);
  switch (parameter.in) {
    case "path":
      if (rest.length > 0) throw new Misread("a query that nobody sent");
      return readSegment(segment, parameter);
    case "query":
      return readFields(rest[0], parameter, others);
    case "form":
      return readFields(sent.body, parameter, others);
    case "header":
      return readHeader(sent.headers[parameter.name.toLowerCase()], parameter);
  }
}

// What a URL parser makes of it is what was sent: nothing is resolved, cut or added.
function wellPlaced(sent: string, path: string): void {
  if (!/^\/[\x21-\x7e]*$/.test(sent) || sent.includes("#")) throw new Misread("no path");
  const url = new URL(sent, "https://api.test");
  if (url.origin !== "https://api.test") throw new Misread("another origin");
  if (url.pathname !== path || url.hash !== "") throw new Misread("another path");
  if (path.split("/").some((one) => /^(?:\.|%2e)+$/i.test(one) && one.length < 7)) {
    throw new Misread("a dot segment");
  }
}

function segmentIn(path: string, template: string, name: string): string {
  const [got, wanted] = [path.split("/"), template.split("/")];
  if (got.length !== wanted.length) throw new Misread("another number of segments");
  let found = "";
  wanted.forEach((want, i) => {
    if (want === `{${name}}`) found = got[i] ?? "";
    else if (want !== got[i]) throw new Misread("another operation");
  });
  return found;
}

function readSegment(segment: string, { name, style, explode, kind }: Parameter): Read {
  if (segment === "") throw new Misread("an empty segment");
  switch (style) {
    case "simple":
      return apart(segment, ",", explode, kind);
    case "label":
      return apart(after(segment, "."), explode ? "." : ",", explode, kind);
    case "matrix": {
      const inside = after(segment, ";");
      if (explode && kind === "object") return apart(inside, ";", explode, kind);
      if (!explode || kind === "text") return apart(after(inside, `${name}=`), ",", false, kind);
      return inside.split(";").map((one) => decoded(after(one, `${name}=`)));
    }
    default:
      throw new Misread(`no such style ${style}`);
  }
}

function readFields(
  text: string | undefined,
  parameter: Parameter,
  others: Readonly<Record<string, string>>,
): Read | undefined {
  const fields = fieldsIn(text ?? "");
  for (const [other, value] of Object.entries(others)) {
    const its = fields.filter(([key]) => key === other).map(([, one]) => decoded(one));
    if (its.join("\n") !== value) throw new Misread(`${other} is somebody else's`);
  }
  const mine = fields.filter(([key]) => !Object.hasOwn(others, key));
  return mine.length === 0 ? undefined : readMine(mine, parameter);
}

type RawField = readonly [name: string, raw: string];

function fieldsIn(text: string): readonly RawField[] {
  if (text === "") return [];
  return text.split("&").map((one) => {
    const at = one.indexOf("=");
    if (at === -1 || /[^A-Za-z0-9%._~=,-]/.test(one)) throw new Misread("no field");
    return [decoded(one.slice(0, at)), one.slice(at + 1)] as const;
  });
}

function readMine(mine: readonly RawField[], { name, style, explode, kind }: Parameter): Read {
  if (style === "deepObject") return deep(mine, name);
  if (style === "form" && explode && kind === "object") {
    return record(mine.map(([key, value]) => [key, decoded(value)]));
  }
  if (mine.some(([key]) => key !== name)) throw new Misread("a name that nobody has");
  if (style === "form" && explode && kind === "list") return mine.map(([, one]) => decoded(one));
  const [[, value] = ["", ""], ...more] = mine;
  if (more.length > 0) throw new Misread("twice");
  const between = { spaceDelimited: "%20", pipeDelimited: "%7C" }[style] ?? ",";
  return apart(value, between, false, kind);
}

function deep(fields: readonly RawField[], name: string): Read {
  const root: { [name: string]: Read } = Object.create(null) as { [name: string]: Read };
  for (const [key, value] of fields) {
    const rest = after(key, name);
    if (rest === "" || !/^(?:\[[^[\]]+\])+$/.test(rest)) throw new Misread("no path in brackets");
    const steps = rest.slice(1, -1).split("][");
    const last = steps.pop() ?? "";
    let here = root;
    for (const step of steps) {
      here[step] ??= Object.create(null) as { [name: string]: Read };
      here = here[step] as { [name: string]: Read };
      if (typeof here !== "object") throw new Misread("a text that holds something");
    }
    if (here[last] !== undefined) throw new Misread("twice");
    here[last] = decoded(value);
  }
  return root;
}

function readHeader(text: string | undefined, { explode, kind }: Parameter): Read | undefined {
  if (text === undefined) return undefined;
  // What HTTP does on the way (RFC 9110 section 5.5).
  if (/[^\x20-\x7e]/.test(text)) throw new Misread("no field value");
  const value = text.trim();
  if (kind === "text") return value;
  const parts = value.split(",").map((one) => one.trim());
  // Section 5.6.1: an empty element is none.
  return taken(
    parts.filter((one) => one !== ""),
    explode,
    kind,
  );
}

/** Taken apart and decoded, in the one order and in the other. */
function apart(text: string, between: string, explode: boolean, kind: Parameter["kind"]): Read {
  if (kind === "text") return decoded(text);
  const one = taken(text.split(between), explode, kind, decoded);
  const other = taken(decoded(text).split(decoded(between)), explode, kind);
  if (JSON.stringify(one) !== JSON.stringify(other)) throw new Misread("two readings");
  return one;
}

function taken(
  parts: readonly string[],
  explode: boolean,
  kind: Parameter["kind"],
  decode = (text: string): string => text,
): Read {
  if (kind === "list") return parts.map(decode);
  if (explode) {
    return record(
      parts.map((part) => {
        const at = part.indexOf("=");
        if (at === -1) throw new Misread("a name without a value");
        return [decode(part.slice(0, at)), decode(part.slice(at + 1))];
      }),
    );
  }
  if (parts.length % 2 === 1) throw new Misread("a name without a value");
  const pairs: [string, string][] = [];
  for (let i = 0; i < parts.length; i += 2) {
    pairs.push([decode(parts[i] ?? ""), decode(parts[i + 1] ?? "")]);
  }
  return record(pairs);
}

function record(pairs: readonly (readonly [string, string])[]): Read {
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) throw new Misread("twice");
  return Object.fromEntries(pairs);
}

function after(text: string, start: string): string {
  if (!text.startsWith(start)) throw new Misread(`no ${start} where one belongs`);
  return text.slice(start.length);
}

function decoded(text: string): string {
  return decodeURIComponent(text);
}
