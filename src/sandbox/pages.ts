// From page to page of one list (ADR 22). What an API says of the next page is a value for a
// parameter that the tool names; the broker is never handed an address, nor another argument.
import { followedIn } from "../catalog/pagination.ts";
import type { Followed } from "../catalog/pagination-file.ts";
import type { DeclarativeTool } from "../catalog/definition.ts";
import { isSizeName, moreIn, nextLinks } from "../contract/paging.ts";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { digestOf } from "../kernel/ids.ts";
import { valueAt } from "../kernel/json.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { BrokerAnswer } from "./broker.ts";
import { withParameters } from "./request.ts";
import type { BrokerRequest } from "./request.ts";

type Page = Pick<BrokerAnswer, "body" | "link">;
type Values = Readonly<Record<string, string>>;
type Of<S extends Followed["style"]> = Extract<Followed, { style: S }>;

const CURSOR_CHARS_MAX = 4096;

/** Why a page leads nowhere. */
class Astray extends Error {
  readonly refusal: Refusal;
  constructor(why: Refusal) {
    super(why.reason);
    this.refusal = why;
  }
}

export class Pages {
  /** The bodies so far. */
  readonly bodies: unknown[] = [];
  private readonly followed: Followed;
  private readonly first: BrokerRequest;
  /** Where the first was asked for: a link may be relative to it. */
  private readonly base: string;
  private readonly list: string;
  private readonly seen: Set<string>;
  /** How many items each page was asked for, where that is said. */
  private readonly size: number | undefined;
  private last = "";
  private items = 0;

  constructor(tool: DeclarativeTool, request: BrokerRequest, origin: string) {
    const followed = followedIn(tool);
    const list = followed && tool.output.get(followed.items);
    if (followed === undefined || list === undefined) throw new Error("a tool without pages");
    this.followed = followed;
    this.first = request;
    this.base = origin + request.path;
    this.list = list.from;
    this.seen = new Set([request.path]);
    const size = Object.entries(tool.fixed.query).find(([name]) => isSizeName(name))?.[1];
    this.size = size === undefined ? undefined : Number(size);
  }

  /** Takes one page: the request for the one after it, or nothing where it was the last. */
  take(page: Page): Result<BrokerRequest | undefined> {
    try {
      return ok(this.after(page));
    } catch (error) {
      if (error instanceof Astray) return no(error.refusal);
      throw error;
    }
  }

  private after(page: Page): BrokerRequest | undefined {
    const { items_max, pages_max } = this.followed;
    const list = valueAt(page.body, this.list);
    if (!Array.isArray(list)) throw drifted(this.list, "a list");
    if (this.followed.style === "page" && this.isAgain(this.followed, list)) return undefined;
    this.bodies.push(page.body);
    this.items += list.length;
    if (this.items > items_max) throw tooMany("items", items_max);
    const values = this.valuesAfter(page, list);
    if (values === undefined) return this.end(page);
    if (this.bodies.length >= pages_max) throw tooMany("pages", pages_max);
    const next = withParameters(this.first, values);
    if (next === undefined) throw drifted("", "a next page that can be asked for");
    if (this.seen.has(next.path)) throw broken("Its pages lead back to one that was read.");
    this.seen.add(next.path);
    return next;
  }

  // What is agreed says that this was all: an answer that says otherwise has changed.
  private end({ body, link = "" }: Page): undefined {
    if (this.followed.style === "page") return undefined;
    const more = nextLinks(link).length > 0 ? "" : moreIn(body);
    if (more !== undefined) throw drifted(more, "no word of more where its pages end");
    return undefined;
  }

  private valuesAfter(page: Page, list: readonly unknown[]): Values | undefined {
    switch (this.followed.style) {
      case "cursor":
        return byCursor(this.followed, page.body, list);
      case "link":
        return this.byLink(this.followed, page);
      case "page":
        return this.byPage(this.followed, page.body, list);
    }
  }

  private byLink({ next, parameters }: Of<"link">, page: Page): Values | undefined {
    const target = next === undefined ? linkIn(page.link) : textAt(page.body, next);
    if (target === undefined) return undefined;
    const url = URL.parse(target, this.base);
    if (url === null) throw drifted(next?.from ?? "", "a link to the next page");
    // It is not dialled in any case; who points there means no page of this list.
    if (url.origin !== new URL(this.base).origin) {
      const reason = "The link to the next page leads to another origin.";
      throw new Astray(refusal("egress_refused", { reason }));
    }
    const values = parameters.flatMap((name) => {
      const all = url.searchParams.getAll(name);
      return all.length === 1 ? [[name, all[0] ?? ""] as const] : [];
    });
    if (values.length > 0) return Object.fromEntries(values);
    throw drifted(next?.from ?? "", `a link with ${parameters.join(" or ")} in its query`);
  }

  /**
   * Whether this is the page before again, as some APIs answer beyond their last. One that does not
   * know the parameter answers with its first page for ever, which may be a part.
   */
  private isAgain({ total, pages, more }: Of<"page">, list: readonly unknown[]): boolean {
    if (list.length === 0) return false;
    const before = this.last;
    this.last = digestOf("page-v1", JSON.stringify(list));
    const isKnown = this.seen.has(this.last);
    this.seen.add(this.last);
    if (!isKnown) return false;
    const isShort = this.size !== undefined && list.length < this.size;
    const isLast = this.last === before && (this.bodies.length > 1 || isShort);
    if (isLast && (total ?? pages ?? more) === undefined) return true;
    throw broken("It answered with a page that was read before.");
  }

  private byPage(followed: Of<"page">, body: unknown, list: readonly unknown[]) {
    const { parameter, counts, first = counts === "pages" ? 1 : 0 } = followed;
    const { total, pages, more } = followed;
    const isEmpty = list.length === 0;
    if (total !== undefined && this.items < numberAt(body, total)) {
      if (isEmpty) throw broken("It gave fewer items than it says that there are.");
    } else if (total !== undefined) return undefined;
    if (pages !== undefined && this.bodies.length >= numberAt(body, pages)) return undefined;
    if (more !== undefined && !flagAt(body, more)) return undefined;
    if (isEmpty) {
      if ((pages ?? more) === undefined) return undefined;
      throw drifted(this.list, "items, since it says that there are more");
    }
    return { [parameter]: String(first + (counts === "pages" ? this.bodies.length : this.items)) };
  }
}

function byCursor(followed: Of<"cursor">, body: unknown, list: readonly unknown[]) {
  const { parameter, next, last, more } = followed;
  const goesOn = more === undefined ? undefined : flagAt(body, more);
  if (goesOn === false) return undefined;
  const at = next?.from ?? last ?? "";
  const value = valueAt(next === undefined ? list.at(-1) : body, at);
  if (goesOn === undefined && isEnd(value, next?.optional)) return undefined;
  if (!isCursor(value)) throw drifted(at, "what leads to the next page");
  return { [parameter]: String(value) };
}

function isEnd(value: unknown, optional = false): boolean {
  return value === null || value === "" || (optional && value === undefined);
}

function isCursor(value: unknown): value is string | number {
  if (typeof value === "number") return Number.isSafeInteger(value);
  return typeof value === "string" && value !== "" && value.length <= CURSOR_CHARS_MAX;
}

function linkIn(header = ""): string | undefined {
  const [target, another] = nextLinks(header);
  if (another !== undefined && another !== target) throw drifted("", "one link to the next page");
  return target;
}

function textAt(body: unknown, { from, optional }: { from: string; optional: boolean }) {
  const value = valueAt(body, from);
  if (isEnd(value, optional)) return undefined;
  if (typeof value !== "string") throw drifted(from, "a link to the next page, or null");
  return value;
}

function numberAt(body: unknown, at: string): number {
  const value = valueAt(body, at);
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw drifted(at, "a whole number");
}

function flagAt(body: unknown, at: string): boolean {
  const value = valueAt(body, at);
  if (typeof value === "boolean") return value;
  throw drifted(at, "true or false");
}

function drifted(path: string, expected: string): Astray {
  const details = { answer: [{ path, expected }] };
  return new Astray(refusal("contract_drift", { effect: "none", details }));
}

function broken(reason: string): Astray {
  return new Astray(refusal("contract_drift", { effect: "none", reason }));
}

function tooMany(what: "items" | "pages", max: number): Astray {
  const details = { limit: `${what}_max`, max };
  const reason = `It has more than ${max} ${what}.`;
  return new Astray(refusal("result_too_large", { effect: "none", reason, details }));
}
