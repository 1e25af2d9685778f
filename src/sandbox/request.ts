// From a tool's definition and its checked arguments to the one request that the broker may send.
// The tool names a method and a path; nobody hands the broker a URL.
import { z } from "zod";
import type {
  CodeTool,
  DeclarativeTool,
  PlacedInput,
  UpstreamTool,
} from "../catalog/definition.ts";
import { pagedBy } from "../catalog/pagination.ts";
import { SchemaView } from "../contract/schema-view.ts";
import { refusal } from "../kernel/errors.ts";
import { pointerTo } from "../kernel/json.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import { CannotStand, checkJson, encode, fieldsOf, formOf } from "./styles.ts";
import { headerOf, isSegment, segmentOf } from "./styles.ts";

export interface BrokerRequest {
  readonly method: string;
  /** Path and query, percent-encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

type Arguments = Readonly<Record<string, unknown>>;

/** What servers take at least; a longer one is refused and never cut (RFC 9110 section 4.1). */
const URL_BYTES_MAX = 16_384;
const HEADER_BYTES_MAX = 8192;

/** The request, or `invalid_arguments` where an argument cannot stand where it belongs. */
export function buildRequest(tool: DeclarativeTool, args: Arguments): Result<BrokerRequest> {
  return standing(() => {
    const path = pathOf(tool, args);
    const body = bodyOfTool(tool, args);
    return {
      method: tool.method,
      path,
      headers: {
        accept: "application/json",
        ...lowered(tool.connector.headers),
        ...lowered(tool.fixed.header),
        ...headersOf(tool, args),
        ...(body === undefined ? {} : { "content-type": CONTENT_TYPES[tool.body] }),
      },
      body,
    };
  });
}

function standing(build: () => BrokerRequest): Result<BrokerRequest> {
  try {
    return ok(build());
  } catch (error) {
    if (!(error instanceof CannotStand)) throw error;
    const { path, message: expected } = error;
    const details = { arguments: [{ path, expected, got: "something else" }] };
    return no(refusal("invalid_arguments", { reason: `${path}: expected ${expected}.`, details }));
  }
}

const CONTENT_TYPES = {
  json: "application/json",
  form: "application/x-www-form-urlencoded",
} as const;

/** The arguments that were given and stand in one place, with their pointers. */
function given(
  tool: DeclarativeTool,
  args: Arguments,
  place: PlacedInput["in"],
): readonly { input: PlacedInput; value: unknown; at: string }[] {
  return [...tool.inputs]
    .filter(([name, input]) => input.in === place && Object.hasOwn(args, name))
    .map(([name, input]) => ({ input, value: args[name], at: pointerTo("", name) }));
}

function pathOf(tool: DeclarativeTool, args: Arguments): string {
  const all = given(tool, args, "path");
  const taken = new Set(all.map(({ input }) => input.as));
  const segments = new Map(
    all.map(({ input, value, at }) => [input.as, segmentOf(input, value, at, taken)]),
  );
  // In one pass: what was filled in is not looked at again.
  const path = tool.path.replaceAll(/\{([A-Za-z0-9_]+)\}/g, (_braces, name: string) => {
    const segment = segments.get(name);
    if (segment === undefined) throw new CannotStand(pointerTo("", name), "to be given");
    return segment;
  });
  if (path.split("/").some(isDots)) throw new CannotStand("", "a path that stays where it is");
  const query = queryOfTool(tool, args);
  const whole = query === "" ? path : `${path}?${query}`;
  if (whole.length <= URL_BYTES_MAX) return whole;
  throw new CannotStand("", `less: the URL would have ${whole.length} bytes of ${URL_BYTES_MAX}`);
}

function isDots(segment: string): boolean {
  return /^(?:\.|%2e){1,2}$/i.test(segment);
}

function queryOfTool(tool: DeclarativeTool, args: Arguments): string {
  const { query } = tool.fixed;
  const fixed = Object.entries(query).map(([name, text]) => `${encode(name)}=${encode(text)}`);
  const owned = [...Object.keys(query), ...pagedBy(tool)];
  return [...fixed, ...sentIn("query", tool, args, owned)].join("&");
}

/** The same request with more in its query; nothing where it would be too long. */
export function withParameters(
  request: BrokerRequest,
  values: Readonly<Record<string, string>>,
): BrokerRequest | undefined {
  const all = Object.entries(values);
  if (all.some(([, value]) => !value.isWellFormed())) return undefined;
  const more = all.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&");
  const path = `${request.path}${request.path.includes("?") ? "&" : "?"}${more}`;
  return path.length > URL_BYTES_MAX ? undefined : { ...request, path };
}

/** The fields of a query or a form; each name, and what an API reads as one, has one owner. */
function sentIn(
  place: "query" | "body",
  tool: DeclarativeTool,
  args: Arguments,
  fixed: readonly string[] = [],
): readonly string[] {
  const owners = new Map<string, unknown>();
  const inputs = [...tool.inputs.values()].filter((input) => input.in === place);
  for (const name of [...fixed, ...inputs.map(({ as }) => as)]) owners.set(rootOf(name), "several");
  for (const name of fixed) owners.set(name, "fixed");
  for (const input of inputs) owners.set(input.as, input);
  return given(tool, args, place).flatMap(({ input, value, at }) => {
    if (isBeside(input)) checkDeclared(input, value, at);
    const fields = input.whole ? formOf(value, at) : fieldsOf(input, value, at);
    return fields.map(({ name, sent }) => {
      const owner = owners.get(name) ?? input;
      if (owner !== input) throw new CannotStand(at, "names that no other argument has");
      owners.set(name, input);
      return sent;
    });
  });
}

/** Whether an object's properties stand beside the other arguments, as if they were some. */
function isBeside({ style, explode, whole }: PlacedInput): boolean {
  return style === "form" && explode && !whole;
}

// Any other name could be an argument of the API's that this tool was not given.
function checkDeclared({ schema }: PlacedInput, value: unknown, at: string): void {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return;
  const { variants } = new SchemaView(schema, schema.$defs);
  const declared = new Set(variants.flatMap(({ properties = {} }) => Object.keys(properties)));
  const other = Object.keys(value).find((name) => !declared.has(name));
  if (other !== undefined) throw new CannotStand(at, "names that the tool declares");
}

// `filter[a]` and `filter[b]` are two arguments, and to many an API one object.
function rootOf(name: string): string {
  return name.split("[", 1)[0] ?? "";
}

function headersOf(tool: DeclarativeTool, args: Arguments): Record<string, string> {
  const headers: Record<string, string> = {};
  let bytes = 0;
  for (const { input, value, at } of given(tool, args, "header")) {
    const text = headerOf(input, value, at);
    bytes += text.length;
    if (bytes > HEADER_BYTES_MAX) throw new CannotStand(at, "less: the headers are too long");
    headers[input.as.toLowerCase()] = text;
  }
  return headers;
}

function lowered(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, text]) => [name.toLowerCase(), text]),
  );
}

/** What an MCP server's tool is sent, as it is shown: its method is no HTTP's, nor its path. */
export function buildUpstream(tool: UpstreamTool, args: Arguments): Result<BrokerRequest> {
  return standing(() => ({
    method: "tools/call",
    path: tool.upstream,
    headers: {},
    body: JSON.stringify(wireArguments(tool, args)),
  }));
}

/** The arguments by the names that the server knows. */
export function wireArguments({ inputs }: UpstreamTool, args: Arguments): Arguments {
  const sent: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, { as }] of inputs) {
    if (!Object.hasOwn(args, name)) continue;
    checkJson(args[name], pointerTo("", name));
    sent[as] = args[name];
  }
  return sent;
}

/** Nothing where the operation takes none, or the only one that it takes was left out. */
function bodyOfTool(tool: DeclarativeTool, args: Arguments): string | undefined {
  const inputs = [...tool.inputs.values()].filter((input) => input.in === "body");
  if (inputs.length === 0) return undefined;
  const all = given(tool, args, "body");
  const whole = inputs.some((input) => input.whole);
  if (whole && all.length === 0) return undefined;
  if (tool.body === "form") return sentIn("body", tool, args).join("&");
  for (const { value, at } of all) checkJson(value, at);
  if (whole) return JSON.stringify(all[0]?.value);
  const body: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const { input, value } of all) body[input.as] = value;
  return JSON.stringify(body);
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
      ...lowered(tool.connector.headers),
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
