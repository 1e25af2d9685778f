// The parser of the source: it makes a tree and runs nothing. It is not among doorless's own
// dependencies (ADR 23), so that it can be missing.
import type { Node, Source } from "./ast.ts";

/** Throws `Unparsable`. */
export type Parse = (file: string, text: string) => Source;

export class Unparsable extends Error {
  override readonly name = "Unparsable";
  readonly reason: "file_unparsable" | "file_too_deep";
  readonly line: number;
  constructor(reason: Unparsable["reason"], line: number, message: string) {
    super(message);
    this.reason = reason;
    this.line = line;
  }
}

export class ParserMissing extends Error {
  override readonly name = "ParserMissing";
}

export async function loadParser(): Promise<Parse> {
  const parseSync = await parserThere();
  return (file, text) => {
    mustBeShallow(text);
    const lang = /\.[cm]?tsx?$/.test(file) ? (file.endsWith("x") ? "tsx" : "ts") : "jsx";
    const sourceType = file.endsWith(".cjs") ? "commonjs" : "unambiguous";
    const parsed = parseSync(file, text, { lang, sourceType, preserveParens: false });
    const [error] = parsed.errors;
    if (error !== undefined && parsed.program.body.length === 0) {
      const at = error.labels[0]?.start ?? 0;
      throw new Unparsable("file_unparsable", text.slice(0, at).split("\n").length, error.message);
    }
    return { file, text, program: parsed.program as unknown as Node };
  };
}

async function parserThere() {
  try {
    return (await import("oxc-parser")).parseSync;
  } catch (error) {
    throw new ParserMissing((error as Error).message.split("\n", 1)[0]);
  }
}

const BRACKETS_MAX = 300;
const CHAIN_MAX = 2500;
const WORDS = "if|else|while|do|for|with|new|await|typeof|void|delete|yield|case";
const TOKENS = new RegExp(
  `[()[\\]{}]|[,;]|=>|[?:<=]|\\*\\*|\\b(?:${WORDS})\\b|([!~+*/%&|^-])`,
  "g",
);
// What the parser goes round for, not down, or has more room for.
const LIGHT = 0.1;

// A parser that descends has no more room than its stack, and ends the process without a word
// where that is used up: measured, at 1,700 functions in each other, 3,800 of anything else, 26,000
// signs. Strings and comments are counted too: what is refused so is refused by name.
function mustBeShallow(text: string): void {
  let [depth, chain] = [0, 0];
  for (const { 0: token, 1: light, index } of text.matchAll(TOKENS)) {
    if ("([{".includes(token)) depth += 1;
    else if (")]}".includes(token)) depth = Math.max(0, depth - 1);
    else if (token === ";" || token === ",") chain = 0;
    else chain += light === undefined ? 1 : LIGHT;
    if (depth <= BRACKETS_MAX && chain <= CHAIN_MAX) continue;
    const line = text.slice(0, index).split("\n").length;
    const what = depth > BRACKETS_MAX ? `${BRACKETS_MAX} brackets` : `${CHAIN_MAX} operators`;
    throw new Unparsable("file_too_deep", line, `more than ${what} in each other`);
  }
}
