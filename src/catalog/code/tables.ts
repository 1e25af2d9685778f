// Routes as data: records with a method, a path and a handler, which something of the service's own
// goes through. Their words are OpenAPI's, as far as they are known here.
import { shown } from "./ast.ts";
import type { Placed } from "./flatten.ts";
import { answersInto, schemaInto, wordsInto } from "./fastify.ts";
import { isTableNode } from "./leftover.ts";
import type { Machine } from "./machine.ts";
import { Asks, textOf, UNKNOWN } from "./values.ts";
import type { At, Rec, Value } from "./values.ts";

/** Those that no router was given. */
export function tableRoutes(machine: Machine, placed: readonly Placed[]): readonly Placed[] {
  const found: Placed[] = [];
  const given = placed.map(({ route, path }) => `${route.method} ${path}`);
  for (const [node, { record, at }] of machine.tables) {
    if (machine.given.has(node) || !isTableNode(node)) continue;
    const path = record.fields.get("path") ?? record.fields.get("url") ?? UNKNOWN;
    const text = textOf(path);
    for (const method of methodsIn(record)) {
      const name = textOf(method)?.toUpperCase();
      if (name === undefined) machine.say("method_computed", at, text ?? "");
      else if (text === undefined) {
        machine.say("path_computed", at, `${name} ${shown(at.scope.source, node)}`);
      } else if (/^[A-Z]+$/.test(name) && text.startsWith("/")) {
        const isGiven = given.some((one) => one.startsWith(`${name} `) && one.endsWith(text));
        if (!isGiven) found.push(placedOf(machine, record, name, text, at));
      }
    }
  }
  return found;
}

function methodsIn({ fields }: Rec): readonly Value[] {
  const method = fields.get("method") ?? UNKNOWN;
  return method.kind === "list" && !method.open ? method.items : [method];
}

function placedOf(machine: Machine, record: Rec, method: string, path: string, at: At): Placed {
  const asks = new Asks();
  const { fields } = record;
  wordsInto(asks, fields);
  asks.words.id ??= textOf(fields.get("id"));
  const schema = fields.get("schema");
  if (schema !== undefined) schemaInto(machine, asks, schema, at);
  const body = fields.get("body");
  if (body !== undefined && textOf(body) === undefined) asks.check("body", body, at);
  const responses = fields.get("responses");
  if (responses !== undefined) answersInto(machine, asks, responses, at);
  parametersInto(asks, fields.get("parameters"), at);
  // Where a table says what is taken, it says all of it.
  asks.isHandled = ["schema", "parameters", "body"].some((name) => fields.has(name));
  for (const name of ["handler", "handle"]) {
    const handler = fields.get(name);
    if (handler !== undefined) machine.handle(handler, asks, at);
  }
  const notes = ["its path is as a table has it; one before it, if there is one, is not in it"];
  return { route: { method, path, at, asks, notes }, path, notes };
}

// A list of OpenAPI's parameters, or a record of them by their names.
function parametersInto(asks: Asks, value: Value | undefined, at: At): void {
  const named: readonly (readonly [string, Value])[] =
    value?.kind === "record"
      ? [...value.fields]
      : value?.kind === "list"
        ? value.items.map((one) => ["", one] as const)
        : [];
  for (const [key, one] of named) {
    if (one.kind !== "record") continue;
    const name = textOf(one.fields.get("name")) ?? key;
    const place = textOf(one.fields.get("in"));
    const part = ({ path: "params", query: "query", header: "headers" } as const)[place ?? ""];
    if (part === undefined || name === "") continue;
    const required = one.fields.get("required");
    const isNeeded = required?.kind === "plain" && required.value === true;
    asks.parameters.push({
      name,
      part,
      required: isNeeded || part === "params",
      schema: one.fields.get("schema") ?? UNKNOWN,
      description: textOf(one.fields.get("description")),
      at,
    });
  }
}
