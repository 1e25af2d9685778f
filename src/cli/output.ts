// Results on stdout, everything else on stderr; exit codes as INTERFACE lists them.
import { styleText } from "node:util";

export const EXIT = Object.freeze({
  ok: 0,
  no: 1,
  usage: 2,
  sign_in: 3,
  unreachable: 4,
  tool_failed: 5,
});

/** Ends a verb with an exit code and a sentence for stderr. */
export class Stop extends Error {
  override readonly name = "Stop";
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

// What came from an API or a token must not move the cursor, hide text or turn its direction.
// Written as \uXXXX it stays valid JSON; colours are ours and stay.
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /\u001b\[\d{1,3}m|(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function escaped(text: string): string {
  return text.replaceAll(UNPRINTABLE, (found) => {
    if (found.length > 2) return found;
    const units = Array.from({ length: found.length }, (_, i) => found.charCodeAt(i));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
  });
}

export function print(text: string): void {
  process.stdout.write(`${escaped(text)}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value));
}

export function note(text: string): void {
  process.stderr.write(`${escaped(text)}\n`);
}

type Style = Parameters<typeof styleText>[0];

/** Coloured only on a terminal. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

// A cell is one line, whatever is in it.
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\u{fffd}");
}

/** Columns as wide as their widest cell; the last one runs free. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = rows.map((row) => row.map(printable));
  const widths = head.map((title, i) =>
    Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  return [paint("bold", line(head)), ...cells.map(line)].join("\n");
}
