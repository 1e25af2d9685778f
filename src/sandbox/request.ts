// From a tool's definition and its checked arguments to the one request that the broker may send.
// The tool names a method and a path; nobody hands the broker a URL.
import { z } from "zod";
import type { CodeTool, DeclarativeTool, PlacedInput } from "../catalog/definition.ts";
import { refusal } from "../kernel/errors.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";

export interface BrokerRequest {
  readonly method: string;
  /** Path and query, percent-encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

type Arguments = Readonly<Record<string, unknown>>;

/** The request, or `invalid_arguments` where an argument cannot stand where it belongs. */
export function buildRequest(tool: DeclarativeTool, args: Arguments): Result<BrokerRequest> {
  const path = buildPath(tool, args);
  if (!path.ok) return path;
  const headers: Record<string, string> = { accept: "application/json", ...tool.connector.headers };
  const query = new URLSearchParams();
  const body: Record<string, unknown> = {};
  for (const [name, input] of tool.inputs) {
    if (!Object.hasOwn(args, name)) continue;
    const value = args[name];
    if (input.in === "query") appendQuery(query, input, value);
    else if (input.in === "body") body[input.as] = value;
    else if (input.in === "header") {
      const text = String(value);
      if (!/^[\x20-\x7e]*$/.test(text)) return cannotStand(name, "printable ASCII text");
      headers[input.as.toLowerCase()] = text;
    }
  }
  const hasBody = tool.method !== "GET" && tool.method !== "DELETE";
  if (hasBody) headers["content-type"] = "application/json";
  const search = query.toString();
  return ok({
    method: tool.method,
    path: search === "" ? path.value : `${path.value}?${search}`,
    headers,
    body: hasBody ? JSON.stringify(body) : undefined,
  });
}

function buildPath(tool: DeclarativeTool, args: Arguments): Result<string> {
  let path = tool.path;
  for (const [name, input] of tool.inputs) {
    if (input.in !== "path") continue;
    const text = String(args[name]);
    if (!isSegment(text)) return cannotStand(name, "a non-empty path segment");
    path = path.replace(`{${input.as}}`, () => encodeURIComponent(text));
  }
  return ok(path);
}

// A dot segment or an empty one would name another operation (RFC 3986 section 5.2.4).
function isSegment(text: string): boolean {
  return !["", ".", ".."].includes(text) && text.isWellFormed() && !hasControl(text);
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

function appendQuery(query: URLSearchParams, input: PlacedInput, value: unknown): void {
  const values = Array.isArray(value) ? value : [value];
  for (const one of values) query.append(input.as, String(one));
}

function cannotStand(name: string, expected: string): Result<never> {
  const details = { arguments: [{ path: `/${name}`, expected, got: "something else" }] };
  return no(refusal("invalid_arguments", { details }));
}

const QUERY_CHARS_MAX = 8192;
const BODY_BYTES_MAX = 262_144;
const scalar = z.union([z.string(), z.number(), z.boolean()]);
const askedSchema = z.object({
  operation: z.string().max(1000),
  path: z.record(z.string(), z.union([z.string().max(2000), z.number()])),
  query: z.record(z.string(), z.union([scalar, z.array(scalar).max(100)]).optional()),
  body: z.unknown().optional(),
});

export interface DeclaredRequest extends BrokerRequest {
  /** As the tool's `uses` has it. */
  readonly operation: string;
  /** The path for the ledger: values that are numbers or UUIDs readable, others as `{name}`. */
  readonly shown: string;
}

/** What a worker asks for, as the one request that its tool's `uses` allows; or a refusal. */
export function buildDeclared(tool: CodeTool, frame: unknown): Result<DeclaredRequest> {
  const parsed = askedSchema.safeParse(frame);
  if (!parsed.success) return undeclared("The tool asked for something that is no request.");
  const { operation, query } = parsed.data;
  const [method = "", template = ""] = operation.split(" ");
  if (!tool.uses.has(operation)) {
    const named = operation.slice(0, 200).replaceAll(/[^\x20-\x7e]/g, "?");
    return undeclared(`The tool asked for ${named}, which its uses does not list.`);
  }
  const path = fillPath(template, parsed.data.path);
  if (path === undefined) return undeclared(`The tool did not fill the path of ${operation}.`);
  const search = queryOf(query);
  if (search.length > QUERY_CHARS_MAX) return undeclared(`The query of ${operation} is too long.`);
  const body = bodyOf(method, parsed.data.body);
  if (!body.ok) return body;
  const json = { "content-type": "application/json" };
  return ok({
    operation,
    method,
    path: search === "" ? path.sent : `${path.sent}?${search}`,
    shown: path.shown,
    headers: {
      accept: "application/json",
      ...tool.connector.headers,
      ...(body.value === undefined ? {} : json),
    },
    body: body.value,
  });
}

function bodyOf(method: string, body: unknown): Result<string | undefined> {
  if (method === "GET" || method === "DELETE") {
    return body === undefined ? ok(undefined) : undeclared(`The tool sent a body with ${method}.`);
  }
  const text = JSON.stringify(body ?? {});
  if (Buffer.byteLength(text) <= BODY_BYTES_MAX) return ok(text);
  return undeclared(`The body of a ${method} is too large.`);
}

const READABLE = /^(?:\d{1,20}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

function fillPath(
  template: string,
  values: Readonly<Record<string, string | number>>,
): { sent: string; shown: string } | undefined {
  const left = new Set(Object.keys(values));
  let whole = true;
  const fill = (write: (text: string, name: string) => string): string =>
    template.replaceAll(/\{([A-Za-z0-9_]+)\}/g, (_braces, name: string) => {
      const text = Object.hasOwn(values, name) ? String(values[name]) : "";
      whole &&= isSegment(text);
      left.delete(name);
      return write(text, name);
    });
  const sent = fill((text) => (text.isWellFormed() ? encodeURIComponent(text) : ""));
  const shown = fill((text, name) => (READABLE.test(text) ? text : `{${name}}`));
  return whole && left.size === 0 ? { sent, shown } : undefined;
}

function queryOf(query: z.infer<typeof askedSchema>["query"]): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of [value].flat()) search.append(name, String(one));
  }
  return search.toString();
}

function undeclared(reason: string): Result<never> {
  return no(refusal("egress_refused", { reason }));
}
