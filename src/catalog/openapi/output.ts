// The fields of an answer that a draft proposes to return: scalars near the top, a few of each
// level. Only types are held to, for a live answer that misses an example's format has broken
// nothing that anybody relies on (research, section 3.3).
import { isPagingField, isTotalField } from "../../contract/paging.ts";
import { pointerTo } from "../../kernel/json.ts";
import type { Json } from "./read.ts";
import { SCALARS } from "./shape.ts";
import type { Shape } from "./shape.ts";
import type { Shapes } from "./shapes.ts";
import { markFor } from "./mark.ts";
import { isVisible } from "./text.ts";

interface DraftField {
  readonly from: string;
  readonly optional?: true;
  readonly schema?: Readonly<Record<string, unknown>>;
  readonly ledger?: string;
  readonly items?: DraftFields;
  readonly fields?: DraftFields;
}
export type DraftFields = Readonly<Record<string, DraftField>>;

const FIELDS_MAX = 6;
const ITEM_FIELDS_MAX = 5;
const INNER_FIELDS_MAX = 2;
const NAME_CHARS_MAX = 64;

export function draftOutput(answer: Json | undefined, shapes: Shapes): DraftFields {
  const shape = answer === undefined ? undefined : shapes.find(answer);
  if (answer === undefined || shape === undefined) return {};
  if (shape.types.has("array")) {
    const field = fieldOf("items", answer, shapes, 0);
    return field === undefined ? {} : { items: { ...field, from: "" } };
  }
  return shape.types.has("object") ? fieldsOf(shape, shapes, 0) : {};
}

function fieldsOf(shape: Shape, shapes: Shapes, depth: number): DraftFields {
  const found: [string, DraftField][] = [];
  const max = [FIELDS_MAX, ITEM_FIELDS_MAX][depth] ?? INNER_FIELDS_MAX;
  for (const [name, node] of ranked(shape)) {
    if (found.length >= max) break;
    if (depth > 1 && !NEAREST.test(name)) continue;
    if (name === "" || name.length > NAME_CHARS_MAX || !isVisible(name)) continue;
    const field = fieldOf(name, node, shapes, depth);
    if (field === undefined) continue;
    const optional = shape.required.has(name) ? {} : { optional: true as const };
    const { from, ...rest } = field;
    found.push([name, { from, ...optional, ...rest }]);
  }
  // In the order of the document again.
  const order = [...shape.properties.keys()];
  return Object.fromEntries(found.toSorted(([a], [b]) => order.indexOf(a) - order.indexOf(b)));
}

const NEAREST = /^(?:id|number|key|name|title|login|email|state|status|type|items|data|results)$/i;
const FARTHEST = /(?:_urls?|_links?|^url|^node_id|^_.*|^object|^avatar.*|^gravatar.*)$/i;

// Where not all of them fit: what names a record first, links to elsewhere last.
function ranked({ properties, required }: Shape): [string, Json][] {
  const rank = (name: string): number => {
    if (NEAREST.test(name)) return 0;
    // Whether that is all there is, an agent must be able to see.
    if (isPagingField(name) || isTotalField(name)) return 1;
    if (FARTHEST.test(name) && name !== "html_url") return 3;
    return required.has(name) ? 1 : 2;
  };
  return [...properties].toSorted(([a], [b]) => rank(a) - rank(b));
}

function fieldOf(name: string, node: Json, shapes: Shapes, depth: number): DraftField | undefined {
  const shape = shapes.find(node);
  if (shape === undefined || shape.write_only) return undefined;
  const from = pointerTo("", name);
  const types = [...shape.types].filter((type) => type !== "null");
  const nullable = types.length < shape.types.size;
  if (types.length > 0 && types.every((type) => SCALARS.has(type))) {
    const ledger = markFor(name, shape, "answer");
    if (ledger === "drop") return undefined;
    const type = nullable ? [...types, "null"] : types.length === 1 ? types[0] : types;
    return { from, schema: { type }, ...(ledger === undefined ? {} : { ledger }) };
  }
  // A list or a record that may be null is more than a projection can say.
  if (nullable || types.length !== 1 || depth > 1) return undefined;
  if (types[0] === "object") return inner(from, "fields", fieldsOf(shape, shapes, depth + 2));
  return listOf(from, shape, shapes, depth);
}

function inner(from: string, kind: "fields" | "items", of: DraftFields): DraftField | undefined {
  return Object.keys(of).length === 0 ? undefined : { from, [kind]: of };
}

function listOf(from: string, { items }: Shape, shapes: Shapes, depth: number) {
  const shape = items === undefined ? undefined : shapes.find(items);
  if (shape === undefined) return undefined;
  const types = [...shape.types];
  if (types.every((type) => SCALARS.has(type))) {
    const type = types.length === 1 ? types[0] : types;
    return { from, schema: { type: "array", items: { type } } };
  }
  if (types.length !== 1 || types[0] !== "object") return undefined;
  return inner(from, "items", fieldsOf(shape, shapes, depth + 1));
}
