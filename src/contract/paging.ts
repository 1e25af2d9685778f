// How APIs say that an answer is not all there is, as far as that can be told without knowing them.
import { pointerTo } from "../kernel/json.ts";

const words = (text: string): ReadonlySet<string> => new Set(text.split(" "));

const NEXT = words(
  "next nextpage nextcursor nexttoken nextlink nexturl nexturi nextpagetoken nextpageurl " +
    "nextmarker nextoffset continuationtoken continue odatanextlink",
);
const MORE = words("more hasmore hasnext hasnextpage hasmoreitems istruncated");
const TOTAL = words("total totalcount totalitems totalresults totalrecords totalsize");
const INSIDE = words(
  "meta metadata pagination paging pager pageinfo pages links responsemetadata cursors",
);
const OTHERS = words("cursor cursors pagetoken paging pagination endcursor startingafter");
const POSITION = words(
  "cursor nextcursor startcursor pagetoken nextpagetoken nexttoken continuationtoken continue " +
    "startingafter after marker page pagenumber pageno offset start startat startindex skip from",
);
const SIZE = words("limit perpage pagesize maxresults maxitems first top count size");

/** A name however it is written: `nextPageToken`, `next_page_token`, `@odata.nextLink`. */
export function pagingWord(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9]/g, "").toLowerCase();
}

/** Whether a field of this name leads to the next page, or says whether there is one. */
export function isPagingField(name: string): boolean {
  const word = pagingWord(name);
  return NEXT.has(word) || MORE.has(word) || OTHERS.has(word);
}

export function isNextField(name: string): boolean {
  return NEXT.has(pagingWord(name));
}

export function isMoreField(name: string): boolean {
  return MORE.has(pagingWord(name));
}

/** Whether a field of this name says how much there is in all. */
export function isTotalField(name: string): boolean {
  return TOTAL.has(pagingWord(name));
}

/** Whether a record of this name is about the list beside it. */
export function isAboutPages(name: string): boolean {
  return INSIDE.has(pagingWord(name));
}

/** Whether an argument of this name says which part of a list is meant. */
export function isPositionName(name: string): boolean {
  return POSITION.has(pagingWord(name));
}

export function isSizeName(name: string): boolean {
  return SIZE.has(pagingWord(name));
}

/** Where an answer says that there is more than it holds; nothing where it says no such thing. */
export function moreIn(answer: unknown): string | undefined {
  return moreAt(answer, "", true);
}

function moreAt(value: unknown, at: string, outer: boolean): string | undefined {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
  for (const [name, one] of Object.entries(value)) {
    const here = pointerTo(at, name);
    if (one === true && isMoreField(name)) return here;
    if (isNextField(name) && isSomething(one)) return here;
    const inside = outer && isAboutPages(name) ? moreAt(one, here, false) : undefined;
    if (inside !== undefined) return inside;
  }
  return undefined;
}

function isSomething(value: unknown): boolean {
  if (typeof value === "string") return value !== "";
  return typeof value === "number" || (typeof value === "object" && value !== null);
}

/** Targets of `Link` with `rel="next"`, as they are written (RFC 8288 section 3). */
export function nextLinks(header: string): readonly string[] {
  return [...header.matchAll(LINK)].flatMap(([, target = "", parameters = ""]) => {
    const all = [...parameters.matchAll(PARAMETER)];
    // Only the first `rel` of a link counts.
    const rel = all.find(([, name]) => name?.toLowerCase() === "rel");
    const relations = (rel?.[2] ?? rel?.[3] ?? "").toLowerCase().split(" ");
    return relations.includes("next") ? [target] : [];
  });
}

// `<target>` and its parameters, up to the comma that is in no quotes.
const LINK = /<([^<>]*)>((?:[^,"<]|"[^"]*")*)/g;
const PARAMETER = /;\s*([^\s=;,"]+)(?:\s*=\s*(?:"([^"]*)"|([^\s;,"]+)))?/g;
