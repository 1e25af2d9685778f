// What a tool's pagination asks of the rest of its file, and what of an answer it relies on.
import type { Field, Projection } from "../contract/projection.ts";
import { LINK } from "../contract/findings.ts";
import { neededFields } from "../contract/restrict.ts";
import { typesOf } from "../contract/schema-view.ts";
import type { Complain } from "./complain.ts";
import type { DeclarativeTool } from "./definition.ts";
import type { Followed } from "./pagination-file.ts";

export function followedIn({ pagination }: Pick<DeclarativeTool, "pagination">) {
  return pagination === "first_page" ? undefined : pagination;
}

/** The parameters that the broker sets itself. */
export function pagedBy(tool: Pick<DeclarativeTool, "pagination">): readonly string[] {
  const followed = followedIn(tool);
  if (followed === undefined) return [];
  return followed.style === "link" ? followed.parameters : [followed.parameter];
}

type Paged = Pick<DeclarativeTool, "method" | "effects" | "inputs" | "fixed" | "output"> &
  Pick<DeclarativeTool, "pagination">;

/** Where pages cannot be followed like this. */
export function checkPagination(tool: Paged, complain: Complain): void {
  const followed = followedIn(tool);
  if (followed === undefined) return;
  if (tool.method !== "GET" || !tool.effects.readOnly) {
    complain("/pagination", "only a GET that only reads is asked again", "remove it");
  }
  checkList(tool.output.get(followed.items), followed, complain);
  checkParameters(tool, complain);
  const within = pointersIn(followed);
  for (const [name, { from }] of tool.output) {
    if (!within.includes(from)) continue;
    const mend = "remove it from output: an agent gets the whole list";
    complain(`/output/${name}`, "pagination follows it to its end", mend);
  }
}

function checkList(list: Field | undefined, { items_max }: Followed, complain: Complain): void {
  const at = "/pagination/items";
  if (list?.kind === "list") return;
  const isList = list?.kind === "value" && typesOf(list.schema).join() === "array";
  if (!isList) return complain(at, "output has no list of this name", "name one");
  if ((list.schema.maxItems ?? items_max) >= items_max) return;
  complain("/pagination/items_max", "the list may not be as long", "say the list's maxItems");
}

// Two owners of one parameter, and an argument that was checked could be another's.
function checkParameters(tool: Paged, complain: Complain): void {
  const inputs = [...tool.inputs.values()].filter((input) => input.in === "query");
  for (const name of pagedBy(tool)) {
    const isTaken = inputs.some(({ as }) => as === name) || Object.hasOwn(tool.fixed.query, name);
    if (!isTaken) continue;
    const mend = `remove ${name} from input and fixed: the broker sets it`;
    complain("/pagination", `${name} has another owner`, mend);
  }
}

/** What of each answer says how it goes on, but for what is in its list. */
function pointersIn(followed: Followed): readonly string[] {
  switch (followed.style) {
    case "cursor":
      return [followed.next?.from, followed.more].filter((at) => at !== undefined);
    case "link":
      return followed.next === undefined ? [] : [followed.next.from];
    case "page":
      return [followed.pages, followed.more].filter((at) => at !== undefined);
  }
}

/** The fields of an answer that a tool cannot do without, those included that lead to the next. */
export function reliedOn(tool: Pick<DeclarativeTool, "output" | "pagination">): Projection {
  const followed = followedIn(tool);
  if (followed === undefined) return tool.output;
  const value = (from: string, optional = false): Field => {
    return { kind: "value", from, optional, schema: {}, ledger: "drop" };
  };
  const next = followed.style === "page" ? undefined : followed.next;
  const all = followed.style === "page" && followed.total !== undefined ? [followed.total] : [];
  const leads = [...pointersIn(followed), ...all].map((from, i): [string, Field] => [
    `pagination/${i}`,
    value(from, from === next?.from && next.optional),
  ]);
  return new Map([...tool.output, ...leads, ...lastIn(tool.output, followed, value)]);
}

function lastIn(output: Projection, followed: Followed, value: (from: string) => Field) {
  const list = output.get(followed.items);
  if (followed.style !== "cursor" || followed.last === undefined || list?.kind !== "list")
    return [];
  const items = new Map([["last", value(followed.last)]]);
  return [["pagination/last", { ...list, items }]] as const;
}

/** Of `reliedOn`, what leads on: if that goes, an answer would silently be a part. */
export function leadsOn(tool: Pick<DeclarativeTool, "output" | "pagination">): Set<string> {
  const relied = [...reliedOn(tool)].filter(([name]) => name.startsWith("pagination/"));
  const needed = new Map(relied.map(([name, field]) => [name, { ...field, optional: false }]));
  const leads = neededFields(needed);
  const followed = followedIn(tool);
  if (followed?.style === "link" && followed.next === undefined) leads.add(LINK);
  return leads;
}
