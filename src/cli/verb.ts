// A verb: its words, its options and what it does. One file each; the table is in index.ts.
import { parseArgs } from "node:util";
import type { ParseArgsOptionsConfig } from "node:util";
import { JsonError, parseJson } from "../kernel/json.ts";
import { EXIT, Stop } from "./output.ts";

const JSON_BOUNDS = { depth_max: 64, keys_max: 100_000 };

export interface Verb {
  readonly name: string;
  readonly usage: string;
  readonly summary: string;
  /** Lines under the usage: one per option. */
  readonly help?: readonly string[];
  readonly options?: ParseArgsOptionsConfig;
  /** Resolves with the exit code. */
  readonly run: (given: Given) => Promise<number>;
}

export interface Given {
  readonly words: readonly string[];
  text(option: string): string | undefined;
  flag(option: string): boolean;
}

/** Parses strictly: an unknown option is a usage error, exit code 2. */
export function parseGiven(verb: Verb, args: readonly string[]): Given {
  const json = { json: { type: "boolean" }, help: { type: "boolean", short: "h" } } as const;
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { ...json, ...verb.options },
      allowPositionals: true,
      strict: true,
    });
    const given = values as Record<string, unknown>;
    return {
      words: positionals,
      text: (option) => (typeof given[option] === "string" ? given[option] : undefined),
      flag: (option) => given[option] === true,
    };
  } catch (error) {
    throw usageError(verb, (error as Error).message);
  }
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
  return [...given.words];
}

/** As strict as the server is with a client's: what it refuses here would not pass there. */
export function jsonOf(verb: Verb, option: string, text: string): unknown {
  try {
    return parseJson(text, JSON_BOUNDS);
  } catch (error) {
    const why = error instanceof JsonError ? `: ${error.message}` : "";
    throw usageError(verb, `${option} is not JSON${why}`);
  }
}

export function wholeOf(verb: Verb, option: string, text: string, min: number, max: number) {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw usageError(verb, `${option} is a whole number from ${min} to ${max}`);
}
