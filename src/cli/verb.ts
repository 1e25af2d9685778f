// A verb: its words, its options and what it does. One file each; the table is in index.ts.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { ParseArgsOptionsConfig } from "node:util";
import { systemErrorInWords } from "../kernel/in-words.ts";
import { JsonError, parseJson } from "../kernel/json.ts";
import { EXIT, Stop } from "./output.ts";

/** What `--json` prints, for verbs that print a list. */
export const JSON_LINES = "one JSON object a line";

const JSON_BOUNDS = { depth_max: 64, keys_max: 100_000 };

export interface Verb {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  /** Lines under the usage: one per option. */
  readonly help?: readonly string[];
  /** What `--json` prints (unsaid: one JSON object); `null` for a verb that prints no data. */
  readonly json?: string | null;
  readonly options?: ParseArgsOptionsConfig;
  /** Resolves with the exit code. */
  readonly run: (given: Given) => Promise<number>;
}

export interface Given {
  readonly words: readonly string[];
  text(option: string): string | undefined;
  flag(option: string): boolean;
  /** Of an option that may be given several times. */
  list(option: string): readonly string[];
}

const HELP = { help: { type: "boolean", short: "h" } } as const;
const JSON_OPTION = { json: { type: "boolean" } } as const;

/** Parses strictly: an unknown option, or one that is empty, is a usage error, exit code 2. */
export function parseGiven(verb: Verb, args: readonly string[]): Given {
  const { values, positionals } = parsed(verb, args);
  // What was meant to be there is not: as when a script's variable is unset.
  const empty = Object.entries(values).find(([, value]) => [value].flat().includes(""));
  if (empty !== undefined) throw usageError(verb, `--${empty[0]} is empty`);
  return {
    words: positionals,
    text: (option) => (typeof values[option] === "string" ? values[option] : undefined),
    flag: (option) => values[option] === true,
    list: (option) => [values[option] ?? []].flat().filter((one) => typeof one === "string"),
  };
}

function parsed(verb: Verb, args: readonly string[]) {
  const json = verb.json === null ? {} : JSON_OPTION;
  const options: ParseArgsOptionsConfig = { ...HELP, ...json, ...verb.options };
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw usageError(verb, (error as Error).message);
  }
}

export function helpOf({ usage, summary, help = [], json = "one JSON object" }: Verb): string {
  const lines = json === null ? help : [...help, `--json          ${json}`];
  return [`usage: doorless ${usage}`, "", summary, ...lines.map((line) => `  ${line}`)].join("\n");
}

export function usageError(verb: Verb, message: string): Stop {
  return new Stop(EXIT.usage, `${message}\nusage: doorless ${verb.usage}`);
}

/** The words after the verb: exactly those named, optional ones in the end with a `?`. */
export function wordsOf(verb: Verb, given: Given, ...names: readonly string[]): string[] {
  const needed = names.filter((name) => !name.endsWith("?")).length;
  if (given.words.length < needed) {
    throw usageError(verb, `${names[given.words.length] ?? "a word"} is missing`);
  }
  if (given.words.length > names.length) {
    throw usageError(verb, `unexpected ${JSON.stringify(given.words[names.length])}`);
  }
  const empty = names.find((_, i) => given.words[i] === "");
  if (empty !== undefined) throw usageError(verb, `${empty.replace("?", "")} is empty`);
  return [...given.words];
}

/**
 * As strict as the server is with a client's: what it refuses here would not pass there. The
 * sentence that says so begins with `it_is`, such as "--args is".
 */
export function jsonOf(verb: Verb, it_is: string, text: string): unknown {
  try {
    return parseJson(text, JSON_BOUNDS);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw usageError(verb, `${it_is} not JSON: ${error.message}`);
  }
}

/** A file that was named: its text, or a usage error that says what is in the way. */
export function readNamed(verb: Verb, option: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw usageError(verb, `${option} ${file}: ${systemErrorInWords(error)}`);
  }
}

export function wholeOf(verb: Verb, option: string, text: string, min: number, max: number) {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw usageError(verb, `${option} is a whole number from ${min} to ${max}`);
}
