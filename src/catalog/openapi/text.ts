// What an API's document says in words, as a draft may repeat it: plain, short, and all of it to be
// seen. A human reads it before any agent does; the lint of `tools approve` looks at it again.
import { piecesOf } from "../../kernel/visible.ts";

/** The first sentences that fit; cut between words where even the first does not. */
export function trimmed(text: string, chars_max: number): string {
  const plain = plainOf(text);
  if (plain.length <= chars_max) return plain;
  const ends = [...plain.matchAll(/[.!?](?= )/g)].map(({ index }) => index + 1);
  const end = ends.findLast((at) => at <= chars_max && at >= chars_max / 4);
  if (end !== undefined) return plain.slice(0, end);
  const cut = plain.slice(0, chars_max - 1);
  return `${cut.slice(0, Math.max(cut.lastIndexOf(" "), chars_max / 2)).toWellFormed()}…`;
}

/** Its first sentence alone: what a name wants beside it. */
export function firstSentence(text: string, chars_max: number): string {
  const whole = trimmed(text, 4000);
  const end = /[.!?](?= \p{Lu})/u.exec(whole)?.index;
  return trimmed(end === undefined ? whole : whole.slice(0, end), chars_max).replace(/\.$/, "");
}

const EMPTY_WORDS = new Set(
  (
    "a an the of to for this that these is are be in on by with from at as and or its it " +
    "which you your given specify want identifies identifier unique value field parameter object " +
    "name names number id key account content contents type kind associate associated set list " +
    "array returns return result results fetch get"
  ).split(" "),
);

/** Whether a description says anything that the names around it do not. */
export function saysMore(description: string, names: string): boolean {
  const words = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const known = words(names.replaceAll("_", " "));
  return words(description).some(
    (word) =>
      !EMPTY_WORDS.has(word) &&
      !known.some((one) => word === one || (one.length > 2 && word.startsWith(one.slice(0, 6)))),
  );
}

// Links by their words, no markup, one line, the first paragraph that says something.
function plainOf(text: string): string {
  const shown = piecesOf(text.slice(0, 4000))
    .map(({ text: part, hidden }) => (hidden ? " " : part))
    .join("");
  const [first = ""] = shown
    .replaceAll(/```[^`]*```/g, " ")
    .replaceAll(/<[^<>]{1,200}>/g, " ")
    .split(/\n\s*\n/)
    .filter((paragraph) => /\p{L}/u.test(paragraph));
  return first
    .replaceAll(/!?\[([^\][]*)\]\([^()]*\)/g, "$1")
    .replaceAll(/[*`]+|^#+ /gm, "")
    .replaceAll(/(?<=^|\s)_([^_]*\s[^_]*)_(?=\s|$)/g, "$1")
    .replaceAll(/\s+/g, " ")
    .trim();
}

/** Whether a reader sees each character of a name. */
export function isVisible(text: string): boolean {
  return piecesOf(text).every(({ hidden }) => !hidden) && !text.includes("\n");
}
