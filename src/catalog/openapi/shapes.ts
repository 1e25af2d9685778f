// The shapes of a document's schemas. References, `allOf`, `oneOf` and `anyOf` are put together
// here; what stands below is not looked at, so that a document whose answers are a hundred
// megabytes costs what a draft shows of it.
import { NotImportable } from "./reason.ts";
import type { ApiDocument } from "./document.ts";
import { isJson, listAt, objectAt, textAt } from "./read.ts";
import type { Json } from "./read.ts";
import { ANY, BOUNDS, intersection, SCALARS, typeOf, union } from "./shape.ts";
import type { Bound, JsonType, Shape } from "./shape.ts";

const NODES_MAX = 20_000;
const DEPTH_MAX = 60;
const BRANCHES_MAX = 12;

export type Side = "request" | "answer";

/** The shapes that one operation needs. */
export class Shapes {
  private readonly document: ApiDocument;
  private readonly side: Side;
  private readonly known = new Map<Json, Shape>();
  private readonly open = new Set<Json>();
  private readonly ids = new Map<Json, number>();
  private readonly made = new Map<string, Json>();
  private readonly members = new Map<Json, readonly Json[]>();

  constructor(document: ApiDocument, side: Side) {
    this.document = document;
    this.side = side;
  }

  /** The schema that `node` refers to, or itself. */
  target(node: Json): { readonly value: Json; readonly name: string } {
    return this.document.resolve(node);
  }

  /** Whether it says more beside its reference than what it is for. */
  hasSiblings(node: Json): boolean {
    return this.document.dialect === "3.1" && Object.keys(node).some((key) => !BESIDE.has(key));
  }

  /** Nothing where the document says it wrongly. */
  find(node: Json): Shape | undefined {
    try {
      return this.of(node);
    } catch (error) {
      if (error instanceof NotImportable) return undefined;
      throw error;
    }
  }

  of(node: Json): Shape {
    const known = this.known.get(node);
    if (known !== undefined) return known;
    if (this.known.size >= NODES_MAX) {
      throw new NotImportable("schema_too_large", `more than ${NODES_MAX} schemas`);
    }
    // What a schema says of itself by way of itself, it does not say.
    if (this.open.has(node)) return anything({}, this.document.dialect);
    if (this.open.size > DEPTH_MAX) {
      throw new NotImportable("schema_too_deep", `more than ${DEPTH_MAX} levels`);
    }
    this.open.add(node);
    try {
      const shape = this.combined(node);
      this.known.set(node, shape);
      return shape;
    } finally {
      this.open.delete(node);
    }
  }

  /** Two schemas of one property as one; of the same schemas it is always the same one. */
  readonly both = (word: "allOf" | "anyOf", a: Json, b: Json): Json => {
    const nodes = [a, b].flatMap((node) => this.membersOf(word, node));
    const found = new Map(nodes.map((node) => [this.id(this.target(node).value), node]));
    if (found.size === 1) return a;
    const key = `${word} ${[...found.keys()].toSorted((x, y) => x - y).join(" ")}`;
    const known = this.made.get(key);
    if (known !== undefined) return known;
    const node = { [word]: [...found.values()] };
    this.made.set(key, node);
    this.members.set(node, [...found.values()]);
    return node;
  };

  /** Whether `both` made it: then it can stand below itself, as a referred one can. */
  isMade(node: Json): boolean {
    return this.members.has(node);
  }

  private membersOf(word: string, node: Json): readonly Json[] {
    return Object.hasOwn(node, word) ? (this.members.get(node) ?? [node]) : [node];
  }

  private id(node: Json): number {
    const id = this.ids.get(node) ?? this.ids.size;
    this.ids.set(node, id);
    return id;
  }

  private combined(node: Json): Shape {
    const { dialect } = this.document;
    const refers = typeof node["$ref"] === "string";
    // Before 3.1 what stands beside a reference is ignored; everybody writes descriptions there.
    const own = refers && !this.hasSiblings(node) ? onlyWords(node) : node;
    let shape = anything(own, dialect);
    if (refers) shape = intersection(this.of(this.target(node).value), shape, this.both);
    for (const part of listAt(own, "allOf")) {
      if (isJson(part)) shape = intersection(this.of(part), shape, this.both);
    }
    for (const word of ["oneOf", "anyOf"]) {
      if (!Object.hasOwn(own, word)) continue;
      const parts = this.branches(listAt(own, word), word);
      // What an agent sends may be narrower than what the API takes; an answer is as it is.
      const offered = this.side === "request" ? plainest(parts) : parts;
      const some = union(
        offered.map(([, part]) => part),
        this.both,
      );
      const left = offered.length < parts.length ? ["a form that is not the plain one"] : [];
      const apart = areMany(offered) || (this.side === "request" && loseValues(offered));
      const branches = apart ? offered.map(([one]) => one) : undefined;
      const all = { ...some, branches, unsaid: [...some.unsaid, ...left] };
      shape = intersection(all, shape, this.both);
    }
    return isNullable(own) ? withNull(shape) : shape;
  }

  private branches(parts: readonly unknown[], word: string): Branch[] {
    const found = parts.filter(isJson);
    if (found.length === 0) throw new NotImportable("schema_empty", `${word} of nothing`);
    // One that is being looked at already adds nothing to what it is a part of.
    const others = found.filter((part) => !this.open.has(this.target(part).value));
    return (others.length === 0 ? [{}] : others).map((part) => [part, this.of(part)]);
  }
}

type Branch = readonly [Json, Shape];

// Where a place takes a word or a record, an agent is asked for the word; where it takes a record
// or the empty text that some APIs clear it with, for the record. An author may widen it again.
function plainest(branches: readonly Branch[]): readonly Branch[] {
  const full = branches.filter(([, { values }]) => values?.every((one) => one === "") !== true);
  const isWord = ({ types }: Shape): boolean =>
    types.size < ANY.length && [...types].some((type) => SCALARS.has(type));
  const hasWord = full.some(([, shape]) => isWord(shape));
  const plain = hasWord ? full.filter(([, { types }]) => !isOnly(types, "object")) : full;
  return plain.length === 0 ? branches : plain;
}

function isOnly(types: ReadonlySet<JsonType>, only: JsonType): boolean {
  return types.has(only) && [...types].every((type) => type === only || type === "null");
}

function areMany(branches: readonly Branch[]): boolean {
  const having = (type: JsonType): number =>
    branches.filter(([, { types }]) => types.has(type)).length;
  return branches.length <= BRANCHES_MAX && (having("object") > 1 || having("array") > 1);
}

// `now` or a number: together, the words that there are would be any text at all.
function loseValues(branches: readonly Branch[]): boolean {
  const types = branches.flatMap(([, shape]) =>
    shape.values === undefined ? [...shape.types] : [],
  );
  const open = new Set<JsonType>(types.map((type) => (type === "integer" ? "number" : type)));
  const values = branches.flatMap(([, shape]) => shape.values ?? []);
  return (
    branches.length <= BRANCHES_MAX &&
    types.some((type) => type !== "null") &&
    values.some((value) => value !== null && !open.has(typeOf(value)))
  );
}

const WORDS = ["description", "title", "readOnly", "writeOnly", "deprecated"];
const BESIDE = new Set(["$ref", "summary", ...WORDS]);

function onlyWords(node: Json): Json {
  const said = WORDS.filter((key) => Object.hasOwn(node, key)).map((key) => [key, node[key]]);
  return { ...(Object.fromEntries(said) as Json), nullable: node["nullable"] };
}

function isNullable(node: Json): boolean {
  return node["nullable"] === true || node["x-nullable"] === true;
}

function withNull(shape: Shape): Shape {
  const values = shape.values;
  return {
    ...shape,
    types: new Set([...shape.types, "null"]),
    values: values === undefined || values.includes(null) ? values : [...values, null],
  };
}

const UNSAID = [
  "not",
  "if",
  "dependentRequired",
  "dependentSchemas",
  "dependencies",
  "contains",
  "patternProperties",
  "propertyNames",
  "prefixItems",
  "unevaluatedProperties",
  "unevaluatedItems",
];

/** What the keywords of this one object say, without its references and parts. */
function anything(node: Json, dialect: string): Shape {
  const properties = Object.entries(objectAt(node, "properties") ?? {});
  return {
    types: typesOf(node),
    values: valuesOf(node),
    bounds: boundsOf(node, dialect),
    format: textAt(node, "format"),
    // `false` is a property that must not be there, `true` one of any kind.
    properties: new Map(
      properties.flatMap(([name, one]) =>
        isJson(one) ? [[name, one]] : one === true ? [[name, {}]] : [],
      ),
    ),
    required: new Set(listAt(node, "required").filter((one) => typeof one === "string")),
    others: othersOf(node),
    pattern: textAt(node, "pattern"),
    unique: node["uniqueItems"] === true,
    branches: undefined,
    items: objectAt(node, "items"),
    description: textAt(node, "description"),
    preset: node["default"],
    read_only: node["readOnly"] === true,
    write_only: node["writeOnly"] === true,
    deprecated: node["deprecated"] === true,
    unsaid: UNSAID.filter((key) => Object.hasOwn(node, key)),
  };
}

function othersOf(node: Json): Shape["others"] {
  const others = node["additionalProperties"];
  if (!isJson(others)) return others === true ? true : undefined;
  return Object.keys(others).length === 0 ? true : others;
}

function typesOf(node: Json): ReadonlySet<JsonType> {
  const said = [node["type"]].flat().filter((one) => typeof one === "string");
  if (said.length > 0) {
    const known = said.map((one) => (one === "file" ? "string" : one));
    const wrong = known.find((one) => one !== "integer" && !(ANY as string[]).includes(one));
    if (wrong !== undefined) {
      throw new NotImportable("schema_malformed", `type ${JSON.stringify(wrong.slice(0, 40))}`);
    }
    return new Set(known as JsonType[]);
  }
  const values = valuesOf(node);
  if (values !== undefined) return new Set(values.map(typeOf));
  if (["properties", "additionalProperties", "required"].some((key) => isKeyword(node, key))) {
    return new Set(["object"]);
  }
  if (Object.hasOwn(node, "items")) return new Set(["array"]);
  return new Set(ANY);
}

// A Swagger parameter is its own schema, and says `required: true` of itself.
function isKeyword(node: Json, key: string): boolean {
  return Object.hasOwn(node, key) && typeof node[key] !== "boolean";
}

function valuesOf(node: Json): readonly unknown[] | undefined {
  if (Object.hasOwn(node, "const")) return [node["const"]];
  const values = Object.hasOwn(node, "enum") ? node["enum"] : undefined;
  if (values === undefined) return undefined;
  if (!Array.isArray(values) || values.length === 0) {
    throw new NotImportable("schema_empty", "enum of nothing");
  }
  return [...new Set(values as unknown[])];
}

function boundsOf(node: Json, dialect: string): Shape["bounds"] {
  const found: Partial<Record<Bound, number>> = {};
  for (const [bound, of] of Object.entries(BOUNDS) as [Bound, string][]) {
    const value = node[bound];
    if (typeof value !== "number" || !Number.isFinite(value)) continue;
    const counts = of !== "number";
    if (counts && (!Number.isSafeInteger(value) || value < 0)) continue;
    if (bound === "multipleOf" && value <= 0) continue;
    found[bound] = value;
  }
  // JSON Schema before 2019: whether the bound itself is out, as a boolean beside it.
  if (dialect !== "3.1") {
    for (const [bound, out] of [
      ["minimum", "exclusiveMinimum"],
      ["maximum", "exclusiveMaximum"],
    ] as const) {
      if (node[out] !== true || found[bound] === undefined) continue;
      found[out] = found[bound];
      delete found[bound];
    }
  }
  return found;
}
