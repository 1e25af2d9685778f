// What a handler does with its request: the names that it reads, and the schemas that it holds
// parts of it against.
import type { Machine } from "./machine.ts";
import { partOf, PARTS, plain, textOf, UNKNOWN } from "./values.ts";
import type { Asked, At, Part, Value } from "./values.ts";

function isPart(part: Asked["part"]): part is Part {
  return part !== "root" && part !== "other";
}

/** `request.name`: a part of it, or a name that is read in one. */
export function askedMember({ part, asks }: Asked, name: string): Value {
  if (part === "root") return partAsked(asks, partOf(name));
  if (isPart(part)) asks.name(part, name);
  return { kind: "asked", part: "other", asks };
}

function partAsked(asks: Asked["asks"], part: Asked["part"]): Asked {
  if (isPart(part)) asks.touch(part);
  return { kind: "asked", part, asks };
}

const PART_OF_CALL: Readonly<Record<string, Part>> = {
  json: "body",
  query: "query",
  queries: "query",
  param: "params",
  header: "headers",
  get: "headers",
};

/** `request.name(…args)`: Hono asks with calls, Express sometimes. */
export function askedMethod(
  { part, asks }: Asked,
  name: string,
  args: readonly Value[],
): Value | undefined {
  if (part !== "root") return undefined;
  const [first] = args;
  const named = textOf(first);
  if (name === "valid") return { kind: "asked", part: "other", asks };
  if (name === "parseBody" || name === "formData") {
    asks.media ??= "application/x-www-form-urlencoded";
    return partAsked(asks, "body");
  }
  const asked = Object.hasOwn(PART_OF_CALL, name) ? PART_OF_CALL[name] : undefined;
  if (asked === undefined) return undefined;
  if (named !== undefined) asks.name(asked, named);
  return first === undefined ? partAsked(asks, asked) : { kind: "asked", part: "other", asks };
}

/** A schema's `parse` of a part of the request, or of a record of several. */
export function heldAgainst(machine: Machine, schema: Value, what: Value, at: At): boolean {
  if (what.kind === "asked" && isPart(what.part)) {
    what.asks.check(what.part, schema, at);
    return true;
  }
  const parts = partsIn(what);
  for (const { name, part, asks } of parts) asks.check(part, propertyOf(schema, name), at);
  if (parts.length > 0 && schema.kind !== "schema") machine.say("schema_unread", at, "");
  return parts.length > 0;
}

interface Named {
  readonly name: string;
  readonly part: Part;
  readonly asks: Asked["asks"];
}

function partsIn(what: Value): Named[] {
  if (what.kind === "asked" && what.part === "root") {
    return PARTS.map((part) => ({ name: part, part, asks: what.asks }));
  }
  if (what.kind !== "record") return [];
  return [...what.fields].flatMap(([name, value]) => {
    return value.kind === "asked" && isPart(value.part)
      ? [{ name, part: value.part, asks: value.asks }]
      : [];
  });
}

// Of `z.object({ body: …, query: … })` what it says of one part; nothing where it says nothing.
function propertyOf(schema: Value, name: string): Value {
  if (schema.kind !== "schema") return UNKNOWN;
  const { properties } = schema.schema;
  if (typeof properties !== "object" || properties === null) return UNKNOWN;
  const own: unknown = Object.hasOwn(properties, name)
    ? (properties as Readonly<Record<string, unknown>>)[name]
    : undefined;
  if (typeof own !== "object" || own === null) return plain(undefined);
  return { kind: "schema", schema: own as Readonly<Record<string, unknown>>, optional: false };
}

/** Parts of a request that something gets whole, which may read more of them than is seen. */
export function handedOn(args: readonly Value[]): void {
  for (const one of args) {
    if (one.kind === "asked" && isPart(one.part)) one.asks.handOn(one.part);
    else if (one.kind === "record") {
      for (const { part, asks } of partsIn(one)) asks.handOn(part);
    }
  }
}

const CHECKS = /(?:valid|parse|check|decode)\w*(?:\(\))?$/i;

/** A library that is given a part of the request to look at: its schema is not read. */
export function looksAt(machine: Machine, name: string, args: readonly Value[], at: At): void {
  if (!CHECKS.test(name)) return;
  const asked = args.find((one) => one.kind === "asked" && isPart(one.part));
  if (asked?.kind !== "asked") return;
  machine.say("schema_unread", at, name);
}
