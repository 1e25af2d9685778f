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

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value));
}

export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

type Style = Parameters<typeof styleText>[0];

/** Coloured only on a terminal. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

// What came from outside must not move the cursor of whoever reads it.
function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, "\u{fffd}");
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
