// What one schema is made of, once references, allOf and choices of one are followed: a set of
// plain schemas that must all hold. Two spellings of one schema have the same set.
import { own } from "../kernel/own.ts";
import { isRaw, listOf, referenced, textOf } from "./raw.ts";
import type { Raw } from "./raw.ts";
import { SliceError } from "./slice-error.ts";

export interface Parts {
  readonly plain: readonly Raw[];
  /** The components that were followed, in order; none where all of it stands in place. */
  readonly via: readonly string[];
  /** null is allowed beside what the plain schemas say. */
  readonly nullable: boolean;
  readonly readOnly: boolean;
  readonly writeOnly: boolean;
}

const NEVER: Raw = Object.freeze({ not: Object.freeze({}) });
const PARTS_MAX = 500;
// What documents, what steers a reader, and what is followed here; `x-` goes too, but for one.
const SILENT = new Set(
  (
    "title description example examples externalDocs xml $comment $id $schema $anchor " +
    "$defs definitions $dynamicAnchor $recursiveAnchor id nullable readOnly writeOnly " +
    "$ref allOf"
  ).split(" "),
);

/** Whether the keyword says something about values. */
export function isTelling(key: string): boolean {
  return !SILENT.has(key) && (!key.startsWith("x-") || key === "x-extensible-enum");
}

const STEPS = new Set(["$ref", "allOf", "anyOf", "oneOf"]);

interface Gathered {
  readonly plain: Set<Raw>;
  readonly seen: Set<Raw>;
  readonly via: string[];
  nullable: boolean;
  readOnly: boolean;
  writeOnly: boolean;
}

export function partsOf(document: Raw, schemas: readonly unknown[]): Parts {
  const gathered: Gathered = {
    plain: new Set(),
    seen: new Set(),
    via: [],
    nullable: false,
    readOnly: false,
    writeOnly: false,
  };
  for (const schema of schemas) gather(document, schema, gathered);
  return { ...gathered, plain: [...gathered.plain] };
}

function gather(document: Raw, schema: unknown, into: Gathered): void {
  if (schema === false) into.plain.add(NEVER);
  if (!isRaw(schema) || into.seen.has(schema)) return;
  into.seen.add(schema);
  if (into.seen.size > PARTS_MAX) {
    throw new SliceError("too_large", `one schema is made of more than ${PARTS_MAX} others`);
  }
  into.readOnly ||= schema["readOnly"] === true;
  into.writeOnly ||= schema["writeOnly"] === true;
  into.nullable ||= schema["nullable"] === true && isOpen(schema);
  const telling = Object.keys(schema).some(
    (key) => isTelling(key) && loneBranch(document, schema, key) === undefined,
  );
  if (telling) into.plain.add(schema);
  gatherReferenced(document, schema, into);
  for (const branch of listOf(schema, "allOf")) gather(document, branch, into);
  for (const key of ["anyOf", "oneOf"]) {
    const lone = loneBranch(document, schema, key);
    if (lone === undefined) continue;
    const nulls = listOf(schema, key).filter((one) => isNull(document, one));
    into.nullable ||= nulls.length > 0 && !nulls.includes(lone.branch);
    gather(document, lone.branch, into);
  }
}

function gatherReferenced(document: Raw, schema: Raw, into: Gathered): void {
  const ref = textOf(schema, "$ref");
  if (ref === undefined) return;
  const target = referenced(document, ref);
  if (isRaw(target) && !into.seen.has(target)) into.via.push(ref.slice(ref.lastIndexOf("/") + 1));
  gather(document, target, into);
}

// OpenAPI 3.0 leaves `nullable` without a type of its own undefined; everybody means null by it.
function isOpen(schema: Raw): boolean {
  return own(schema, "type") === undefined || "$ref" in schema || "allOf" in schema;
}

/** The one branch of a choice that has no other, null aside: such a choice is none. */
export function loneBranch(
  document: Raw,
  schema: Raw,
  key: string,
): { readonly branch: unknown } | undefined {
  if (key !== "anyOf" && key !== "oneOf") return undefined;
  const all = listOf(schema, key);
  const telling = all.filter((one) => !isNull(document, one));
  const [branch, ...others] = telling.length === 0 ? all : telling;
  return branch === undefined || others.length > 0 ? undefined : { branch };
}

/** A schema that accepts null and nothing else, in place or by another's name. */
export function isNull(document: Raw, schema: unknown, hops = 8): boolean {
  if (!isRaw(schema)) return false;
  const type = own(schema, "type");
  if (type === "null" || (Array.isArray(type) && type.length === 1 && type[0] === "null")) {
    return true;
  }
  const values = own(schema, "enum");
  if (Array.isArray(values)) return values.length === 1 && values[0] === null;
  if (Object.hasOwn(schema, "const")) return schema["const"] === null;
  const other = soleStep(document, schema);
  return other !== undefined && hops > 0 && isNull(document, other, hops - 1);
}

// Where all that a schema says is what another one says.
function soleStep(document: Raw, schema: Raw): unknown {
  const [key, ...others] = Object.keys(schema).filter((one) => STEPS.has(one) || isTelling(one));
  if (key === undefined || others.length > 0 || !STEPS.has(key)) return undefined;
  if (key === "$ref") return referenced(document, textOf(schema, key) ?? "#");
  const [only, ...rest] = listOf(schema, key);
  return rest.length === 0 ? only : undefined;
}
