// Choosing operations: by name, or from a list that can be searched. Nothing is chosen by itself.
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Listed } from "../catalog/openapi/listing.ts";
import { table } from "./output.ts";

const SHOWN_MAX = 40;
const NEAR_MAX = 3;

export interface Unknown {
  readonly asked: string;
  readonly near: readonly string[];
}

/** Operations by `METHOD /path`, or by what the document calls them. */
export function namedAmong(
  listed: readonly Listed[],
  named: readonly string[],
): { found: Listed[]; unknown: Unknown[] } {
  const byKey = new Map(listed.map((one) => [one.key, one]));
  const byId = new Map(listed.map((one) => [one.node["operationId"], one]));
  const found = new Set<Listed>();
  const unknown: Unknown[] = [];
  for (const asked of named) {
    const [method = "", ...path] = asked.trim().split(/\s+/);
    const one = byKey.get(`${method.toUpperCase()} ${path.join(" ")}`) ?? byId.get(asked);
    if (one === undefined) unknown.push({ asked, near: nearest(listed, asked) });
    else found.add(one);
  }
  return { found: [...found], unknown };
}

function nearest(listed: readonly Listed[], asked: string): string[] {
  const words = wordsIn(asked);
  const score = ({ key }: Listed): number => {
    const own = new Set(wordsIn(key));
    return words.filter((word) => own.has(word)).length;
  };
  return listed
    .map((one) => ({ key: one.key, score: score(one) }))
    .filter(({ score: shared }) => shared > 1 || (shared > 0 && words.length < 3))
    .toSorted((a, b) => b.score - a.score)
    .slice(0, NEAR_MAX)
    .map(({ key }) => key);
}

function wordsIn(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

/** Each tag and how many operations it has, in the document's order. */
export function tagsOf(listed: readonly Listed[]): string[][] {
  const counts = new Map<string, number>();
  for (const { tag } of listed) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  return [...counts].map(([tag, count]) => [tag, String(count)]);
}

const HOW = `a word searches, numbers such as "3 5-7" choose or drop, "list" shows what is chosen,
"done" writes the drafts, "quit" writes nothing`;

/** Asks until the person is done; `undefined` where nothing was chosen. */
export async function chosenFrom(
  listed: readonly Listed[],
  input: Readable,
  output: Writable,
): Promise<readonly Listed[] | undefined> {
  const chosen = new Set<number>();
  const say = (text: string): void => void output.write(`${text}\n`);
  const lines = createInterface({ input, output, prompt: "> " });
  say(`${listed.length} operations\n${table(["tag", "operations"], tagsOf(listed))}\n${HOW}`);
  // Lines may be left to read after the input has ended; nobody is there to be asked then.
  let isOpen = true;
  lines.once("close", () => (isOpen = false)).prompt();
  try {
    for await (const line of lines) {
      const asked = line.trim();
      if (asked === "quit") return undefined;
      if (asked === "done") break;
      answer(listed, chosen, asked, say);
      lines.setPrompt(chosen.size === 0 ? "> " : `${chosen.size} chosen > `);
      if (isOpen) lines.prompt();
    }
  } finally {
    lines.close();
  }
  const found = listed.filter((_one, i) => chosen.has(i));
  return found.length === 0 ? undefined : found;
}

function answer(
  listed: readonly Listed[],
  chosen: Set<number>,
  asked: string,
  say: (text: string) => void,
): void {
  if (asked === "") return say(table(["tag", "operations"], tagsOf(listed)));
  if (/^[\d\s,-]+$/.test(asked)) {
    const numbers = numbersIn(asked, listed.length);
    if (numbers === undefined) return say(`numbers from 1 to ${listed.length}, such as "3 5-7"`);
    for (const number of numbers) if (!chosen.delete(number)) chosen.add(number);
    return say(rows(listed, numbers, chosen));
  }
  const wanted = asked === "list" ? undefined : asked.toLowerCase().split(/\s+/);
  const found = listed.flatMap((one, i) => {
    const text = `${one.key} ${one.tag} ${one.summary}`.toLowerCase();
    const fits = wanted === undefined ? chosen.has(i) : wanted.every((word) => text.includes(word));
    return fits ? [i] : [];
  });
  say(found.length === 0 ? `nothing; ${HOW}` : rows(listed, found, chosen));
}

/** From 0; nothing where one of them is no operation's. */
function numbersIn(text: string, count: number): number[] | undefined {
  const found: number[] = [];
  for (const part of text.split(/[\s,]+/).filter((one) => one !== "")) {
    const [, from = "", to = from] = /^(\d{1,7})(?:-(\d{1,7}))?$/.exec(part) ?? [];
    const [low, high] = [Number(from), Number(to)];
    if (from === "" || low < 1 || high > count || low > high) return undefined;
    for (let n = low; n <= high; n++) found.push(n - 1);
  }
  return found;
}

function rows(listed: readonly Listed[], which: readonly number[], chosen: Set<number>): string {
  const lines = which.slice(0, SHOWN_MAX).map((i) => {
    const one = listed[i];
    const mark = `${chosen.has(i) ? "*" : " "}${i + 1}`;
    const summary = one?.deprecated === true ? `deprecated: ${one.summary}` : (one?.summary ?? "");
    return [mark, one?.tag ?? "", one?.key ?? "", summary.slice(0, 60)];
  });
  const more = which.length - SHOWN_MAX;
  const end = more > 0 ? `\nand ${more} more: add a word to the search` : "";
  return table(["", "tag", "operation", "summary"], lines) + end;
}
