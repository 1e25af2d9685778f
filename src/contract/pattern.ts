// `pattern`, as JSON Schema means it: anywhere in the text, by ECMA-262's words as far as RE2 has
// them, in time linear in the text. What RE2 does not have is refused when the file is read.
import { RE2JS } from "re2js";

/** Longer texts match nothing, so that one argument cannot hold up everybody's calls. */
const TEXT_CHARS_MAX = 65_536;
const PATTERNS_MAX = 10_000;
const patterns = new Map<string, RE2JS | string>();

/** Why it cannot be enforced; `undefined` where it can. */
export function patternFault(pattern: string): string | undefined {
  const compiled = compile(pattern);
  return typeof compiled === "string" ? compiled : undefined;
}

/** No text matches a pattern that cannot be enforced. */
export function matchesPattern(pattern: string, text: string): boolean {
  const compiled = compile(pattern);
  if (typeof compiled === "string" || text.length > TEXT_CHARS_MAX) return false;
  // Half a surrogate pair means something else to whoever decodes it.
  return text.isWellFormed() && compiled.matcher(text).find();
}

function compile(pattern: string): RE2JS | string {
  const known = patterns.get(pattern);
  if (known !== undefined) return known;
  const compiled = attempt(pattern);
  if (patterns.size < PATTERNS_MAX) patterns.set(pattern, compiled);
  return compiled;
}

function attempt(pattern: string): RE2JS | string {
  try {
    return RE2JS.compile(RE2JS.translateRegExp(pattern));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
