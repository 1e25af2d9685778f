// A path as a router has it, as an OpenAPI document says it. One with optional parts is several.
import type { UnreadReason } from "./reason.ts";

export interface PathParameter {
  readonly name: string;
  /** What its text must be like, where the path says so. */
  readonly pattern: string | undefined;
}

export interface Template {
  readonly template: string;
  readonly parameters: readonly PathParameter[];
}

const VARIANTS_MAX = 16;
const PATH_CHARS_MAX = 2000;

export function templatesOf(path: string): readonly Template[] | UnreadReason {
  if (path.length > PATH_CHARS_MAX) return "path_pattern";
  const found = readParts(path);
  if (typeof found === "string") return found;
  return found.map(({ template, parameters }) => ({
    template: template === "" ? "/" : template,
    parameters,
  }));
}

const PARAMETER = /:([A-Za-z_$][\w$]*)/y;
const BRACED = /\{([A-Za-z_][\w-]*)\}/y;

function readParts(path: string): Template[] | UnreadReason {
  let variants: Template[] = [{ template: "", parameters: [] }];
  for (let at = 0; at < path.length;) {
    const part = partAt(path, at);
    if (typeof part === "string") return part;
    const without = part.optional ? variants : [];
    variants = [
      ...variants.flatMap((one) => part.of.map((more) => joined(one, more))),
      ...without.map((one) => ({ ...one, template: one.template.replace(/\/$/, "") })),
    ];
    if (variants.length > VARIANTS_MAX) return "path_pattern";
    at = part.end;
  }
  return variants;
}

function joined(a: Template, b: Template): Template {
  return { template: a.template + b.template, parameters: [...a.parameters, ...b.parameters] };
}

interface Part {
  readonly of: readonly Template[];
  readonly optional: boolean;
  readonly end: number;
}

function partAt(path: string, at: number): Part | UnreadReason {
  const char = path.charAt(at);
  if (path.startsWith("::", at)) return literal(":", at + 2);
  if (char === ":") return parameterAt(path, at);
  if (char === "{") return bracesAt(path, at);
  if (char === "*") return "path_wildcard";
  if ("()?+[]|\\^$".includes(char)) return "path_pattern";
  return literal(char, at + 1);
}

function literal(text: string, end: number): Part {
  return { of: [{ template: text, parameters: [] }], optional: false, end };
}

function parameterAt(path: string, at: number): Part | UnreadReason {
  PARAMETER.lastIndex = at;
  const [whole = "", name = ""] = PARAMETER.exec(path) ?? [];
  if (name === "") return "path_pattern";
  const after = at + whole.length;
  const close = hasPattern(path, after) ? closing(path, after) : after - 1;
  if (close === undefined) return "path_pattern";
  const pattern = close < after ? undefined : path.slice(after + 1, close);
  const end = close + 1;
  const modifier = path.charAt(end);
  // What takes slashes, too, is no value of one place.
  const isWild = pattern !== undefined && /^\.[*+]\??$/.test(pattern);
  if (isWild || modifier === "*" || modifier === "+") return "path_wildcard";
  const optional = modifier === "?";
  const parameters = [{ name, pattern: pattern?.replaceAll(/^\^|\$$/g, "") }];
  return { of: [{ template: `{${name}}`, parameters }], optional, end: optional ? end + 1 : end };
}

// Hono's `{…}` holds a pattern; a group of Express 5 begins with a slash.
function hasPattern(path: string, at: number): boolean {
  const opener = path.charAt(at);
  return opener === "(" || (opener === "{" && path.charAt(at + 1) !== "/");
}

function bracesAt(path: string, at: number): Part | UnreadReason {
  BRACED.lastIndex = at;
  const [whole = "", name = ""] = BRACED.exec(path) ?? [];
  if (name !== "") {
    const parameters = [{ name, pattern: undefined }];
    return { of: [{ template: whole, parameters }], optional: false, end: at + whole.length };
  }
  const close = closing(path, at);
  if (close === undefined) return "path_pattern";
  const inner = readParts(path.slice(at + 1, close));
  return typeof inner === "string" ? inner : { of: inner, optional: true, end: close + 1 };
}

function closing(path: string, at: number): number | undefined {
  const [open, close] = path.charAt(at) === "(" ? ["(", ")"] : ["{", "}"];
  let depth = 0;
  for (let i = at; i < path.length; i++) {
    if (path.charAt(i) === "\\") i += 1;
    else if (path.charAt(i) === open) depth += 1;
    else if (path.charAt(i) === close && (depth -= 1) === 0) return i;
  }
  return undefined;
}
