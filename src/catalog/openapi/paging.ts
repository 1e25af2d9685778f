// How a list of a document goes on, where its own words make that plain: a proposal of `pagination`
// (ADR 22). An agent then asks for a list and not for its pages.
import {
  isAboutPages,
  isMoreField,
  isNextField,
  isPositionName,
  isSizeName,
  isTotalField,
  pagingWord,
} from "../../contract/paging.ts";
import { LIST_ITEMS_MAX } from "../../contract/projection.ts";
import { pointerTo } from "../../kernel/json.ts";
import type { Operation, Parameter } from "./operation.ts";
import type { DraftFields } from "./output.ts";
import type { Json } from "./read.ts";
import type { Shape } from "./shape.ts";
import type { Shapes } from "./shapes.ts";

export interface DraftPaging {
  readonly pagination: Readonly<Record<string, unknown>>;
  /** The largest page that the document allows. */
  readonly fixed: Readonly<Record<string, string>>;
  /** Parameters of the query that no agent has to do with. */
  readonly own: ReadonlySet<string>;
  readonly output: DraftFields;
}

/** A field of an answer that is about its pages. */
interface Told {
  readonly at: string;
  readonly name: string;
  /** The record that it stands in, where that is one of the next page. */
  readonly under: string;
  readonly shape: Shape;
  readonly always: boolean;
}

/** One shape for requests and one for answers, as the document says them on either side. */
interface Sides {
  readonly sent: Shapes;
  readonly answered: Shapes;
}

export function draftPaging(
  operation: Operation,
  output: DraftFields,
  sides: Sides,
): DraftPaging | undefined {
  const list = Object.entries(output).find(([, field]) => isList(field));
  if (operation.method !== "GET" || operation.answer === undefined || list === undefined) {
    return undefined;
  }
  const [items] = list;
  const query = operation.parameters.filter((one) => one.in === "query");
  const told = toldIn(operation.answer, sides.answered, "", "", 0);
  const size = query.find((one) => isSizeName(one.name) && isWhole(one, sides.sent));
  const positions = query.filter(({ name, required }) => isPositionName(name) && !required);
  const way =
    byCursor(positions, told) ??
    byLastItem(positions, told, list[1].items) ??
    byLink(positions, told, operation.links) ??
    byNumber(positions, told, size, sides.sent);
  if (way === undefined || size?.required === true) return undefined;
  const { own, ...rest } = way;
  const steps = positions.filter(({ name }) => own.includes(name) || PLAIN.test(pagingWord(name)));
  const also = query.filter(({ name }) => BACKWARDS.test(pagingWord(name)));
  const largest = size === undefined ? undefined : largestOf(size, sides.sent);
  return {
    pagination: { style: rest["style"], items, ...rest },
    fixed: size === undefined || largest === undefined ? {} : { [size.name]: String(largest) },
    own: new Set(
      [...steps, ...also, ...(size === undefined ? [] : [size])].map(({ name }) => name),
    ),
    output: Object.fromEntries(
      Object.entries(output).filter(([name, { from }]) => name === items || !leadsOn(from)),
    ),
  };
}

/** Names that mean a place in a list and nothing else. */
const PLAIN = /^(?:cursor|page|pagetoken|nextpagetoken|pagenumber|offset|startat|startingafter)$/;
const BACKWARDS = /^(?:endingbefore|previouscursor|prevcursor)$/;

type Way = Readonly<Record<string, unknown>> & { readonly own: readonly string[] };

function isList({ items, schema }: DraftFields[string]): boolean {
  return items !== undefined || schema?.["type"] === "array";
}

function leadsOn(from: string): boolean {
  const name = from.slice(1);
  return isNextField(name) || isMoreField(name) || isAboutPages(name) || /^\w*pages$/i.test(name);
}

// At the top of an answer, and in records that are about its pages.
function toldIn(node: Json, shapes: Shapes, at: string, under: string, depth: number): Told[] {
  const shape = shapes.find(node);
  if (shape === undefined || !shape.types.has("object")) return [];
  return [...shape.properties].flatMap(([name, inner]): Told[] => {
    const here = pointerTo(at, name);
    const one = shapes.find(inner);
    if (one === undefined || name.includes("/")) return [];
    const isRecord = one.types.has("object") && one.properties.size > 0;
    if (isRecord && depth < 2 && (isAboutPages(name) || isNextField(name))) {
      const next = isNextField(name) ? name : under;
      const isThere = shape.required.has(name) && !one.types.has("null");
      return toldIn(inner, shapes, here, next, depth + 1).map((told) => ({
        ...told,
        always: told.always && isThere,
      }));
    }
    const always = shape.required.has(name);
    return isRecord ? [] : [{ at: here, name, under, shape: one, always }];
  });
}

const STEM = /^(?:next|start)/;

/** `next_cursor` is for `cursor`, `paging.next.after` for `after`. */
function isFor({ name, under }: Told, parameter: Parameter): boolean {
  const [field, asked] = [pagingWord(name), pagingWord(parameter.name)];
  if (under !== "") return field === asked;
  return isNextField(name) && field.replace(STEM, "") === asked.replace(STEM, "");
}

function byCursor(positions: readonly Parameter[], told: readonly Told[]): Way | undefined {
  for (const one of told.filter((field) => isOf(field, ["string", "integer"]) && !isLink(field))) {
    const parameter = positions.find((position) => isFor(one, position));
    if (parameter === undefined) continue;
    const next = { from: one.at, ...(one.always ? {} : { optional: true }) };
    const more = told.find(isFlag);
    const flag = more === undefined ? {} : { more: more.at };
    return { style: "cursor", parameter: parameter.name, next, ...flag, own: [parameter.name] };
  }
  return undefined;
}

function byLastItem(
  positions: readonly Parameter[],
  told: readonly Told[],
  items: DraftFields | undefined,
): Way | undefined {
  const parameter = positions.find(({ name }) => pagingWord(name) === "startingafter");
  const more = told.find(isFlag);
  const last = Object.values(items ?? {}).find(({ from }) => from === "/id");
  if (parameter === undefined || more === undefined || last === undefined) return undefined;
  const { name } = parameter;
  return { style: "cursor", parameter: name, last: "/id", more: more.at, own: [name] };
}

function byLink(
  positions: readonly Parameter[],
  told: readonly Told[],
  header: boolean,
): Way | undefined {
  const parameters = positions.map(({ name }) => name).slice(0, 5);
  const link = told.find((one) => isNextField(one.name) && isOf(one, ["string"]) && isLink(one));
  if (parameters.length === 0 || (!header && link === undefined)) return undefined;
  const next = link && { from: link.at, ...(link.always ? {} : { optional: true }) };
  return {
    style: "link",
    parameters,
    ...(header || next === undefined ? {} : { next }),
    own: parameters,
  };
}

function byNumber(
  positions: readonly Parameter[],
  told: readonly Told[],
  size: Parameter | undefined,
  shapes: Shapes,
): Way | undefined {
  const parameter = positions.find(
    (one) => NUMBERS.test(pagingWord(one.name)) && isWhole(one, shapes),
  );
  if (parameter === undefined) return undefined;
  const { name, schema } = parameter;
  const counts = pagingWord(name).startsWith("page") ? "pages" : "items";
  const { preset, bounds } = shapes.of(schema);
  const usual = counts === "pages" ? 1 : 0;
  // The first request does not say it: then it is what the API takes for said.
  const first = [preset, bounds.minimum].find((one) => one === 0 || one === 1) ?? usual;
  const sure = told.filter(({ always }) => always);
  const total = sure.find((one) => isTotalField(one.name) && isOf(one, ["integer"]));
  // Counted from 0, the last page's number is one less than how many there are.
  const many = first === 0 ? COUNT : PAGES;
  const pages = sure.find((one) => many.test(pagingWord(one.name)) && isOf(one, ["integer"]));
  const more = sure.find((one) => isMoreField(one.name) && isOf(one, ["boolean"]));
  if (size === undefined && (total ?? pages ?? more) === undefined) return undefined;
  const [end] = Object.entries({ more, pages, total }).filter(([, one]) => one !== undefined);
  return {
    style: "page",
    parameter: name,
    ...(counts === "pages" ? {} : { counts }),
    ...(first === usual ? {} : { first }),
    ...(end?.[1] === undefined ? {} : { [end[0]]: end[1].at }),
    own: [name],
  };
}

const NUMBERS = /^(?:page|pagenumber|pageno|offset|startat|startindex|skip)$/;
const COUNT = /^(?:pages|totalpages|pagecount)$/;
const PAGES = /^(?:pages|totalpages|pagecount|lastpage)$/;

/** Whether each answer has it, and says by it that there is more. */
function isFlag(one: Told): boolean {
  return isMoreField(one.name) && one.always && one.under === "" && isOf(one, ["boolean"]);
}

function isOf({ shape }: Told, types: readonly string[]): boolean {
  const own = [...shape.types].filter((type) => type !== "null");
  return own.length > 0 && own.every((type) => types.includes(type));
}

function isLink({ name, shape }: Told): boolean {
  const word = pagingWord(name);
  const isNamed = word === "next" || /(?:link|url|uri)$/.test(word);
  return isNamed || (shape.format?.startsWith("uri") ?? false);
}

function isWhole({ schema }: Parameter, shapes: Shapes): boolean {
  return [...shapes.of(schema).types].every((type) => type === "integer" || type === "number");
}

/** Said in the schema, or in words, as "(max 100)" or "between 1 and 100". */
function largestOf({ schema, description = "" }: Parameter, shapes: Shapes): number | undefined {
  const shape = shapes.of(schema);
  const [, words] = LARGEST.exec(`${description} ${shape.description ?? ""}`) ?? [];
  const said = shape.bounds.maximum ?? (words === undefined ? undefined : Number(words));
  const least = Math.max(shape.bounds.minimum ?? 1, 1);
  if (said === undefined || !Number.isInteger(said) || said < least) return undefined;
  return Math.min(said, LIST_ITEMS_MAX);
}

const LARGEST = /\b(?:max(?:imum)?\b\D{0,20}?|between\s+1\s+and\s+)(\d{1,4})\b/i;
