// Calls of imported tools, and what the API should have received of them.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Ajv2020 } from "ajv/dist/2020.js";
import * as fc from "fast-check";
import type { DeclarativeTool, PlacedInput } from "../../src/catalog/definition.ts";
import type { Seen } from "./api-stub/server.ts";
import type { Done, ImportedApis } from "./imported-apis.ts";
import { FOLDER } from "./openapi-corpus.ts";
import { argumentsOf } from "./tool-arguments.ts";

/** Forms and deep objects; paths and queries; JSON bodies of 3.1; Swagger 2. */
export const DOCUMENTS: readonly string[] = [
  "stripe-new.yaml",
  "github-new.json",
  "discord-new.json",
  "petstore-expanded.swagger2.json",
];

const TRAVERSALS = [
  ["..", ".", "", "/", "../../admin", "..\\..\\admin", "%2e%2e", "%2e%2e%2f", "%252e%252e%252f"],
  ["..;/admin", "a/b", "a\\b", "//evil.test", "http://evil.test/", "@evil.test", ":80", "a?b=c"],
  ["a#b", "a&admin=true", "a=b", ";admin=true", "a,b", "a|b", "a b", " a", "a ", "+", "%", "%00"],
  ["a\r\nHost: evil.test", "\r\n\r\nGET /admin", "\0", "\u{85}", "\u{2028}", "{id}", "$&", "a]b[c"],
].flat();

let known: readonly string[] | undefined;
function hostileTexts(): readonly string[] {
  const naughty = readFileSync(join(FOLDER, "../blns/blns.json"), "utf8");
  return (known ??= [...TRAVERSALS, ...(JSON.parse(naughty) as string[])]);
}

const SEED = 20_261_128;
const TEXTS_AT_ONCE = 40;
/** So many tools of a document meet each text in each of their places. */
const THOROUGH = 3;

export interface Tried {
  readonly tools: number;
  readonly accepted: number;
  readonly refused: number;
  readonly wrong: readonly string[];
}

/** Calls each tool of a document with arguments of its own schema: plain ones, then hostile. */
export async function tryTools(
  imported: ImportedApis,
  document: string,
  { calls, texts }: { calls: number; texts: number },
): Promise<Tried> {
  const api = imported.apis.get(document);
  if (api === undefined) throw new Error(`${document} was not imported`);
  const wrong: string[] = [];
  let [accepted, refused] = [0, 0];
  const hostile = hostileTexts();
  for (const [n, tool] of api.tools.entries()) {
    const all = argumentLists(tool, hostile, n, calls);
    if (all.length === 0) wrong.push(`${tool.name}: no arguments fit its schema`);
    const [plain = {}] = all;
    const more = n < THOROUGH ? inEachPlace(tool, plain, hostile.slice(0, texts)) : [];
    for (const [i, args] of [...all, ...more].entries()) {
      const done = await imported.call(api, tool, args);
      const why = judgeCall(tool, args, done);
      if (why.length > 0) wrong.push(`${tool.name} ${JSON.stringify(args)}: ${why.join("; ")}`);
      else if (done.seen.length > 0) accepted++;
      else refused++;
      // Plain arguments have nothing in them that could be refused.
      if (i === 0 && done.seen.length === 0) {
        wrong.push(`${tool.name} ${JSON.stringify(args)}: ${JSON.stringify(done.error)}`);
      }
    }
  }
  return { tools: api.tools.length, accepted, refused, wrong };
}

type Args = Readonly<Record<string, unknown>>;

/** Each of the texts in each place of a request that takes one, all else being plain. */
function inEachPlace(tool: DeclarativeTool, plain: Args, texts: readonly string[]): Args[] {
  const free = [...tool.inputs].filter(([, { schema, in: place }]) => {
    const { type, enum: values, pattern, format } = schema;
    const isFree = type === "string" && [values, pattern, format].every((one) => one === undefined);
    return isFree && (place === "path" || place === "query" || place === "header");
  });
  return free.flatMap(([name, { schema }]) =>
    texts
      .filter(({ length }) => length >= (schema.minLength ?? 0))
      .filter(({ length }) => length <= (schema.maxLength ?? 0))
      .map((text) => ({ ...plain, [name]: text })),
  );
}

// The first is plain; each of the others has its own part of the hostile texts.
function argumentLists(
  tool: DeclarativeTool,
  hostile: readonly string[],
  n: number,
  calls: number,
) {
  const validate = new Ajv2020({ strict: false, logger: false, validateFormats: false }).compile(
    tool.input_schema,
  );
  return Array.from({ length: calls }, (_, i) => {
    const from = ((n * calls + i) * TEXTS_AT_ONCE) % hostile.length;
    const some = [...hostile, ...hostile].slice(from, from + TEXTS_AT_ONCE);
    const texts = i === 0 ? ["Abc-1", "a".repeat(40)] : some;
    const options = { seed: SEED + n * calls + i, numRuns: 20 };
    return fc
      .sample(argumentsOf(tool.input_schema, texts), options)
      .map((one) => writable(tool, one as Args))
      .find((one) => validate(one));
  }).filter((one) => one !== undefined);
}

/** As JSON has it; where there is only text, nothing has no word. */
function writable(tool: DeclarativeTool, args: Args): Args {
  const entries = Object.entries(JSON.parse(JSON.stringify(args)) as Args);
  return Object.fromEntries(
    entries.flatMap(([name, value]) => {
      const isJson = tool.inputs.get(name)?.in === "body" && tool.body === "json";
      const left = isJson ? value : filled(value);
      return left === undefined ? [] : [[name, left]];
    }),
  );
}

function filled(value: unknown): unknown {
  if (value === null) return undefined;
  if (typeof value !== "object") return value;
  if (Array.isArray(value)) {
    const items = value.map(filled).filter((one) => one !== undefined);
    return items.length === 0 ? undefined : items;
  }
  const entries = Object.entries(value).flatMap(([name, one]) => {
    const left = filled(one);
    return left === undefined ? [] : [[name, left] as const];
  });
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function judgeCall(tool: DeclarativeTool, args: Args, done: Done): string[] {
  const [seen, ...more] = done.seen;
  // Of a list in pages each page is a request, and as right as the first.
  const isTwice = more.length > 0 && tool.pagination === undefined;
  if (isTwice) return ["it was sent twice"];
  const code = done.error?.code;
  if (seen === undefined) {
    return code === "invalid_arguments" ? [] : [`it was not sent: ${JSON.stringify(done.error)}`];
  }
  const template = tool.path.replaceAll(/\{[^{}]*\}/g, "{}");
  const at = seen.operation?.key.replaceAll(/\{[^{}]*\}/g, "{}") ?? "";
  const [method = "", path = ""] = at.split(" ");
  const wrong = [seen, ...more].flatMap((one) => one.wrong);
  if (method !== tool.method || !template.endsWith(path)) wrong.push(`it went to ${at}`);
  wrong.push(...misplaced(tool, args, named(tool, seen)));
  if (code !== undefined && seen.wrong.length === 0 && seen.answeredWell()) {
    wrong.push(`its answer: ${JSON.stringify(done.error)}`);
  }
  return wrong;
}

/** By the names of the tool's path: in a document's, they may hold what a file's may not. */
function named(tool: DeclarativeTool, { operation, values }: Seen): ReadonlyMap<string, unknown> {
  const own = [...tool.path.matchAll(/\{([^{}]+)\}/g)].map(([, name = ""]) => name);
  const names = new Map(
    operation?.names.map((name, i) => [`path ${name}`, `path ${own[i] ?? ""}`]),
  );
  return new Map([...values].map(([at, value]) => [names.get(at) ?? at, value]));
}

/** Each argument is what stood in its place, and nothing else stood anywhere. */
function misplaced(tool: DeclarativeTool, args: Args, values: ReadonlyMap<string, unknown>) {
  const sent = placesOf(tool, args);
  const fixed = [
    ...Object.keys(tool.fixed.query).map((name) => `query ${name}`),
    ...Object.keys(tool.fixed.header).map((name) => `header ${name.toLowerCase()}`),
  ];
  const all = new Set([...sent.keys(), ...values.keys()]);
  for (const at of fixed) all.delete(at);
  return [...all].flatMap((at) => {
    const [got, meant] = [values.get(at), sent.get(at)];
    const isRight = at === "body" ? isDeepStrictEqual(got, meant) : isSame(got, meant);
    return isRight ? [] : [`${at} is ${JSON.stringify(got)}`];
  });
}

/** `query q` -> its argument; of JSON, the body as it should be. */
function placesOf(tool: DeclarativeTool, args: Args): ReadonlyMap<string, unknown> {
  const sent = new Map<string, unknown>();
  const body: Record<string, unknown> = {};
  for (const [name, input] of tool.inputs) {
    if (input.in === "body" && tool.body === "json") sent.set("body", body);
    if (!Object.hasOwn(args, name)) {
      if (input.whole) sent.delete("body");
      continue;
    }
    const value = args[name];
    if (input.whole && tool.body === "json") sent.set("body", value);
    else if (input.whole) {
      for (const [key, one] of Object.entries(value as object)) sent.set(`form ${key}`, one);
    } else if (input.in !== "body") sent.set(`${input.in} ${wireOf(input)}`, value);
    else if (tool.body === "form") sent.set(`form ${input.as}`, value);
    else body[input.as] = value;
  }
  return sent;
}

const wireOf = ({ in: place, as }: PlacedInput): string =>
  place === "header" ? as.toLowerCase() : as;

// Where a text may stand as well as a list, a list of one is written like one.
function isSame(got: unknown, sent: unknown): boolean {
  const alone = typeof got === "string" && Array.isArray(sent) && sent.length === 1;
  return isDeepStrictEqual(asText(got), asText(alone ? (sent as unknown[])[0] : sent));
}

/** Texts as they are written; a list is an object with numbers for names. */
function asText(value: unknown): unknown {
  if (value === undefined) return undefined;
  if (typeof value === "string") return value;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const entries = Object.entries(value).map(([name, one]) => [name, asText(one)]);
  return Object.fromEntries(entries);
}
