// A draft as the text of a file: one line for each input and field where it fits, so that a review
// reads as the demo's own tools do.
import { dump } from "js-yaml";

const LINE_CHARS_MAX = 160;

/** `about` stands above it as a comment. */
export function draftText(
  file: Readonly<Record<string, unknown>>,
  about: readonly string[],
): string {
  const lines = about.map((line) => `# ${line}`);
  for (const [key, value] of Object.entries(file)) lines.push(...entry(key, value, 0));
  return `${lines.join("\n")}\n`;
}

function entry(key: string, value: unknown, depth: number): string[] {
  const indent = "  ".repeat(depth);
  const flat = `${indent}${flow({ [key]: value })}`;
  const isMap = value !== null && typeof value === "object" && !Array.isArray(value);
  const inner = isMap ? Object.entries(value) : [];
  const isBlock = inner.length > 0 && (flat.length > LINE_CHARS_MAX || hasMaps(value, depth));
  if (!isBlock) return [flat];
  const name = flow({ [key]: "" }).replace(/\s*''$/, "");
  return [indent + name, ...inner.flatMap(([one, below]) => entry(one, below, depth + 1))];
}

// The maps of a file's own level have an entry for each thing that a reader looks for.
function hasMaps(value: unknown, depth: number): boolean {
  if (depth > 0) return false;
  return Object.values(value as object).some((one) => one !== null && typeof one === "object");
}

/** `key: {…}` in one line. */
function flow(value: object): string {
  return dump(value, { flowLevel: 1, lineWidth: -1, noRefs: true }).trimEnd();
}
