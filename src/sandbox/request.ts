// From a tool's definition and its checked arguments to the one request that the broker may send.
// The tool names a method and a path; nobody hands the broker a URL.
import type { Input, ToolDefinition } from "../catalog/definition.ts";
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
export function buildRequest(tool: ToolDefinition, args: Arguments): Result<BrokerRequest> {
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

function buildPath(tool: ToolDefinition, args: Arguments): Result<string> {
  let path = tool.path;
  for (const [name, input] of tool.inputs) {
    if (input.in !== "path") continue;
    const text = String(args[name]);
    // A dot segment or an empty one would name another operation (RFC 3986 section 5.2.4).
    if (text === "" || text === "." || text === ".." || !text.isWellFormed() || hasControl(text)) {
      return cannotStand(name, "a non-empty path segment");
    }
    path = path.replace(`{${input.as}}`, () => encodeURIComponent(text));
  }
  return ok(path);
}

function hasControl(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

function appendQuery(query: URLSearchParams, input: Input, value: unknown): void {
  const values = Array.isArray(value) ? value : [value];
  for (const one of values) query.append(input.as, String(one));
}

function cannotStand(name: string, expected: string): Result<never> {
  const details = { arguments: [{ path: `/${name}`, expected, got: "something else" }] };
  return no(refusal("invalid_arguments", { details }));
}
