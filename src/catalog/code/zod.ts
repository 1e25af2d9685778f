// What zod's builders say, as JSON Schema. A check that JSON Schema has no word for is the API's.
import type { Machine } from "./machine.ts";
import { plain, textOf, UNKNOWN } from "./values.ts";
import type { At, Json, SchemaValue, Value } from "./values.ts";
import { jsonOf, schemaOf } from "./shape.ts";

export function schema(of: Json, optional = false): SchemaValue {
  return { kind: "schema", schema: of, optional };
}

const STRINGS: Readonly<Record<string, string>> = {
  email: "email",
  url: "uri",
  httpUrl: "uri",
  uuid: "uuid",
  uuidv4: "uuid",
  uuidv7: "uuid",
  guid: "uuid",
  datetime: "date-time",
  date: "date",
  time: "time",
  ipv4: "ipv4",
  ipv6: "ipv6",
  hostname: "hostname",
};
const WORDS = /^(?:cuid2?|ulid|nanoid|base64(?:url)?|jwt|emoji|cidrv[46]|e164|xid|ksuid|hex)$/;

type Builder = (machine: Machine, args: readonly Value[], at: At, name: string) => Value;

const ofType =
  (type: string): Builder =>
  () =>
    schema({ type });
const anything: Builder = () => schema({}, true);
const object: Builder = (machine, [shape = UNKNOWN], at, name) =>
  zodObject(machine, shape, name, at);
const listOf: Builder = (machine, [of = UNKNOWN], at) =>
  schema({ type: "array", items: schemaOf(machine, of, at) });
const recordOf: Builder = (machine, args, at) =>
  schema({ type: "object", additionalProperties: schemaOf(machine, args.at(-1) ?? UNKNOWN, at) });
const oneOf: Builder = (machine, args, at) =>
  alternatives(machine, args.find(({ kind }) => kind === "list") ?? UNKNOWN, at);
const oneWord: Builder = (machine, [of = UNKNOWN], at) => zodEnum(machine, of, at);
const unread: Builder = (machine, _args, at, name) => {
  machine.say("schema_unread", at, `z.${name}(…)`);
  return schema({});
};

const BUILDERS: Readonly<Record<string, Builder>> = {
  string: ofType("string"),
  number: ofType("number"),
  float32: ofType("number"),
  float64: ofType("number"),
  int: ofType("integer"),
  int32: ofType("integer"),
  bigint: ofType("integer"),
  boolean: ofType("boolean"),
  stringbool: ofType("boolean"),
  null: ofType("null"),
  tuple: ofType("array"),
  any: anything,
  unknown: anything,
  json: anything,
  undefined: anything,
  void: anything,
  object,
  strictObject: object,
  looseObject: object,
  interface: object,
  array: listOf,
  set: listOf,
  record: recordOf,
  map: recordOf,
  partialRecord: recordOf,
  enum: oneWord,
  nativeEnum: oneWord,
  literal: (_machine, [of = UNKNOWN]) => zodLiteral(of),
  union: oneOf,
  discriminatedUnion: oneOf,
  xor: oneOf,
  intersection: (machine, args, at) =>
    schema({ allOf: args.slice(0, 2).map((one) => schemaOf(machine, one, at)) }),
  optional: (machine, [of = UNKNOWN], at) => schema(schemaOf(machine, of, at), true),
  nullable: (machine, [of = UNKNOWN], at) => nullable(schema(schemaOf(machine, of, at))),
  nullish: (machine, [of = UNKNOWN], at) => nullable(schema(schemaOf(machine, of, at), true)),
  pipe: (machine, [of = UNKNOWN], at) => schema(schemaOf(machine, of, at)),
  preprocess: (machine, [, of = UNKNOWN], at) => schema(schemaOf(machine, of, at)),
  lazy: unread,
  custom: unread,
  instanceof: unread,
  file: unread,
  templateLiteral: unread,
};

/** `z.NAME(…args)`; nothing where it is none of zod's builders that is known. */
export function zodCall(
  machine: Machine,
  named: string,
  args: readonly Value[],
  at: At,
): Value | undefined {
  const whole = named.replace(/^(?:(?:default|z)\.)+/, "");
  const name = whole.replace(/^(?:coerce|iso)\./, "");
  // A moment; `z.iso.date()` is a day.
  if (name === "date" && whole !== "iso.date") return schema({ ...STRING, format: "date-time" });
  if (Object.hasOwn(BUILDERS, name)) return BUILDERS[name]?.(machine, args, at, name);
  if (Object.hasOwn(STRINGS, name)) return schema({ ...STRING, format: STRINGS[name] });
  return WORDS.test(name) ? schema(STRING) : undefined;
}

const STRING = { type: "string" };

function zodObject(machine: Machine, shape: Value, name: string, at: At): SchemaValue {
  const properties: Record<string, unknown> = {};
  const required: string[] = [];
  if (shape.kind !== "record" || shape.open) machine.say("schema_unread", at, "z.object(…)");
  for (const [key, value] of shape.kind === "record" ? shape.fields : []) {
    properties[key] = schemaOf(machine, value, at);
    if (value.kind !== "schema" || !value.optional) required.push(key);
  }
  const strict = name === "strictObject" ? { additionalProperties: false } : {};
  return schema({ type: "object", properties, required, ...strict });
}

function zodEnum(machine: Machine, value: Value, at: At): SchemaValue {
  const of = value.kind === "record" ? [...value.fields.values()] : undefined;
  const items = value.kind === "list" && !value.open ? value.items : of;
  const known = items?.flatMap((one) => (one.kind === "plain" ? [one.value] : []));
  if (known === undefined || known.length !== items?.length) {
    machine.say("schema_unread", at, "z.enum(…)");
    return schema({ type: "string" });
  }
  const isText = known.every((one) => typeof one === "string");
  return schema(isText ? { type: "string", enum: known } : { enum: known });
}

function zodLiteral(value: Value): SchemaValue {
  if (value.kind === "list") {
    const known = value.items.flatMap((one) => (one.kind === "plain" ? [one.value] : []));
    return schema({ enum: known });
  }
  if (value.kind !== "plain" || value.value === undefined) return schema({});
  return schema({ const: value.value });
}

function alternatives(machine: Machine, value: Value, at: At): SchemaValue {
  if (value.kind !== "list" || value.open) {
    machine.say("schema_unread", at, "z.union(…)");
    return schema({});
  }
  return schema({ anyOf: value.items.map((one) => schemaOf(machine, one, at)) });
}

function nullable(of: SchemaValue): SchemaValue {
  return schema({ anyOf: [of.schema, { type: "null" }] }, of.optional);
}

const BOUNDS: Readonly<Record<string, readonly [string, string, string]>> = {
  min: ["minLength", "minItems", "minimum"],
  max: ["maxLength", "maxItems", "maximum"],
  gte: ["minLength", "minItems", "minimum"],
  lte: ["maxLength", "maxItems", "maximum"],
  gt: ["", "", "exclusiveMinimum"],
  lt: ["", "", "exclusiveMaximum"],
  multipleOf: ["", "", "multipleOf"],
  step: ["", "", "multipleOf"],
};
// Nothing that a caller sees, or nothing that JSON Schema can say.
const SAME = new Set(
  (
    "brand readonly refine superRefine check overwrite trim toLowerCase toUpperCase normalize " +
    "catch prefault passthrough loose strip catchall finite safe transform pipe register " +
    "startsWith endsWith includes ip cidr clone apply"
  ).split(" "),
);

type Method = (of: SchemaValue, args: readonly Value[], machine: Machine, at: At) => SchemaValue;

const also =
  (words: Json): Method =>
  ({ schema: own, optional }) =>
    schema({ ...own, ...words }, optional);

const METHODS: Readonly<Record<string, Method>> = {
  optional: ({ schema: own }) => schema(own, true),
  exactOptional: ({ schema: own }) => schema(own, true),
  default: ({ schema: own }, [value = UNKNOWN]) => {
    const preset = jsonOf(value);
    return schema(preset === undefined ? own : { ...own, default: preset }, true);
  },
  nullable: (of) => nullable(of),
  nullish: ({ schema: own }) => nullable(schema(own, true)),
  array: ({ schema: own }) => schema({ type: "array", items: own }),
  or: ({ schema: own }, [other = UNKNOWN], machine, at) =>
    schema({ anyOf: [own, schemaOf(machine, other, at)] }),
  and: ({ schema: own }, [other = UNKNOWN], machine, at) =>
    schema({ allOf: [own, schemaOf(machine, other, at)] }),
  describe: ({ schema: own, optional }, [text]) =>
    schema({ ...own, description: textOf(text) ?? "" }, optional),
  meta: (of, args) => described(of, args),
  openapi: (of, args) => described(of, args),
  nonempty: (of) => bounded(of, "min", plain(1)),
  length: (of, [size = UNKNOWN]) => bounded(bounded(of, "min", size), "max", size),
  regex: (of, [pattern]) =>
    pattern?.kind === "pattern"
      ? schema({ ...of.schema, pattern: pattern.source }, of.optional)
      : of,
  int: also({ type: "integer" }),
  positive: also({ exclusiveMinimum: 0 }),
  negative: also({ exclusiveMaximum: 0 }),
  nonnegative: also({ minimum: 0 }),
  nonpositive: also({ maximum: 0 }),
  strict: also({ additionalProperties: false }),
  extend: extended,
  safeExtend: extended,
  merge: extended,
  augment: extended,
  pick: (of, [names = UNKNOWN]) => kept(of, (one) => namesIn(names)?.includes(one) === true),
  omit: (of, [names = UNKNOWN]) => kept(of, (one) => namesIn(names)?.includes(one) !== true),
  partial: (of, [names = UNKNOWN]) =>
    requiring(
      of,
      requiredIn(of).filter((one) => namesIn(names)?.includes(one) === false),
    ),
  deepPartial: (of) => requiring(of, []),
  required: (of, [names = UNKNOWN]) =>
    requiring(of, [...requiredIn(of), ...(namesIn(names) ?? Object.keys(propertiesIn(of)))]),
};

/** `schema.name(…args)`; nothing where zod has no such method that is known. */
export function zodMethod(
  machine: Machine,
  of: SchemaValue,
  name: string,
  args: readonly Value[],
  at: At,
): Value | undefined {
  if (SAME.has(name) || WORDS.test(name)) return of;
  if (Object.hasOwn(BOUNDS, name)) return bounded(of, name, args[0] ?? UNKNOWN);
  if (Object.hasOwn(METHODS, name)) return METHODS[name]?.(of, args, machine, at);
  if (!Object.hasOwn(STRINGS, name)) return undefined;
  return schema({ ...of.schema, format: STRINGS[name] }, of.optional);
}

function bounded(of: SchemaValue, name: string, value: Value): SchemaValue {
  const at = { string: 0, array: 1 }[String(of.schema["type"])] ?? 2;
  const word = BOUNDS[name]?.[at] ?? "";
  if (word === "" || value.kind !== "plain" || typeof value.value !== "number") return of;
  return schema({ ...of.schema, [word]: value.value }, of.optional);
}

function described(of: SchemaValue, args: readonly Value[]): SchemaValue {
  const words = args.find(({ kind }) => kind === "record");
  const text = words?.kind === "record" ? textOf(words.fields.get("description")) : undefined;
  return text === undefined ? of : schema({ ...of.schema, description: text }, of.optional);
}

function propertiesIn({ schema: own }: SchemaValue): Json {
  return (own["properties"] as Json | undefined) ?? {};
}

function requiredIn({ schema: own }: SchemaValue): readonly string[] {
  return (own["required"] as readonly string[] | undefined) ?? [];
}

/** The keys of `{ a: true }`; nothing where nothing is named. */
function namesIn(names: Value): readonly string[] | undefined {
  return names.kind === "record" ? [...names.fields.keys()] : undefined;
}

function requiring(of: SchemaValue, required: readonly string[]): SchemaValue {
  return schema({ ...of.schema, required: [...new Set(required)] }, of.optional);
}

function kept(of: SchemaValue, isKept: (name: string) => boolean): SchemaValue {
  const properties = Object.entries(propertiesIn(of)).filter(([one]) => isKept(one));
  const required = requiredIn(of).filter(isKept);
  return schema(
    { ...of.schema, properties: Object.fromEntries(properties), required },
    of.optional,
  );
}

function extended(
  of: SchemaValue,
  [first = UNKNOWN]: readonly Value[],
  machine: Machine,
  at: At,
): SchemaValue {
  const more = first.kind === "schema" ? first : zodObject(machine, first, "object", at);
  const added = propertiesIn(more);
  const required = requiredIn(of).filter((one) => !Object.hasOwn(added, one));
  const properties = { ...propertiesIn(of), ...added };
  return requiring(schema({ ...of.schema, properties }, of.optional), [
    ...required,
    ...requiredIn(more),
  ]);
}

/** `schema.name`: the shape of a record, the inner one of a list. */
export function zodMember(of: SchemaValue, name: string): Value {
  if (name === "element") return schema((of.schema["items"] as Json | undefined) ?? {});
  if (name !== "shape") return UNKNOWN;
  const required = new Set(requiredIn(of));
  const fields = new Map<string, Value>();
  for (const [key, one] of Object.entries(propertiesIn(of))) {
    fields.set(key, schema(one as Json, !required.has(key)));
  }
  return { kind: "record", fields, open: false };
}
