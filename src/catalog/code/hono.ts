// Hono's own: routes that are described for OpenAPI, and validators among the handlers.
import { answersInto, inContent, wordsInto } from "./fastify.ts";
import type { Machine } from "./machine.ts";
import { Asks, partOf, textOf, UNKNOWN } from "./values.ts";
import type { At, Library, Rec, RouterAt, Value } from "./values.ts";

/** Adds a route, as the router does for any other. */
type Add = (
  machine: Machine,
  of: RouterAt,
  method: string,
  path: Value,
  asks: Asks,
  at: At,
) => void;

/** `app.openapi(createRoute({ method, path, request, responses }), handler)` */
export function openApiRoute(
  machine: Machine,
  of: RouterAt,
  args: readonly Value[],
  at: At,
  add: Add,
): void {
  const [described = UNKNOWN, handler = UNKNOWN] = args;
  if (described.kind !== "record") {
    machine.say("path_computed", at, "openapi(…)");
    return;
  }
  const { fields, node } = described;
  const asks = new Asks();
  requestInto(machine, asks, fields.get("request"), at);
  const responses = fields.get("responses");
  if (responses !== undefined) answersInto(machine, asks, responses, at);
  wordsInto(asks, fields);
  machine.handle(handler, asks, at);
  const method = textOf(fields.get("method"))?.toUpperCase();
  if (method === undefined) machine.say("method_computed", at, textOf(fields.get("path")) ?? "");
  else add(machine, of, method, fields.get("path") ?? UNKNOWN, asks, at);
  if (node !== undefined) machine.given.add(node);
}

function requestInto(machine: Machine, asks: Asks, request: Value | undefined, at: At): void {
  if (request === undefined) return;
  if (request.kind !== "record") {
    machine.say("schema_unread", at, "request");
    return;
  }
  for (const [name, value] of request.fields) {
    const part = partOf(name);
    if (part === "root" || part === "other") continue;
    const schema = part === "body" ? bodyIn(asks, value) : value;
    if (schema !== undefined) asks.check(part, schema, at);
  }
}

function bodyIn(asks: Asks, value: Value): Value | undefined {
  if (value.kind !== "record") return value;
  const content = value.fields.get("content");
  const types = content?.kind === "record" ? [...content.fields.keys()] : [];
  const [first] = types;
  if (first === undefined || types.includes("application/json")) return inContent(value);
  asks.media = first;
  const media = content?.kind === "record" ? content.fields.get(first) : undefined;
  return media?.kind === "record" ? media.fields.get("schema") : undefined;
}

const VALIDATORS = /(?:^|\.)(?:[zstv]|typia|arktype|effect)?[vV]alidator\(\)$/;
const FORMS: Readonly<Record<string, string>> = {
  form: "application/x-www-form-urlencoded",
};

/** `zValidator("json", schema)` among the handlers of a route; says whether it is one. */
export function validatorInto(machine: Machine, asks: Asks, of: Library, at: At): boolean {
  const [target = UNKNOWN, schema = UNKNOWN] = of.args;
  if (of.from.startsWith("hono-openapi") && of.name.endsWith("describeRoute()")) {
    if (target.kind === "record") describedInto(machine, asks, target, at);
    return true;
  }
  if (!HOMES.test(of.from) || !VALIDATORS.test(of.name)) return false;
  const named = textOf(target) ?? "";
  const part = partOf(named);
  if (part === "root" || part === "other") {
    if (named !== "cookie") machine.say("schema_unread", at, "a validator");
    return true;
  }
  if (Object.hasOwn(FORMS, named)) asks.media = FORMS[named];
  // A function of its own judges as it likes.
  asks.check(part, schema.kind === "function" ? UNKNOWN : schema, at);
  return true;
}

const HOMES = /^(?:@hono\/[\w-]+|hono\/validator|hono-openapi(?:\/.*)?)$/;

function describedInto(machine: Machine, asks: Asks, { fields }: Rec, at: At): void {
  wordsInto(asks, fields);
  const responses = fields.get("responses");
  if (responses !== undefined) answersInto(machine, asks, responses, at);
}
