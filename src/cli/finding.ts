// What `doctor` found: one line each, and what mends it where something is wrong.
import { ConfigError } from "../config/problem.ts";
import { paint, print } from "./output.ts";

export interface Finding {
  /** `wrong`: something does not work, or is not safe. `note`: it does, and is worth knowing. */
  readonly state: "ok" | "note" | "wrong";
  readonly about: string;
  readonly said: string;
  readonly mend?: string;
  /** True where it stops the start. */
  readonly is_mistake?: boolean;
}

export function fine(about: string, said: string): Finding {
  return { state: "ok", about, said };
}

export function noted(about: string, said: string, mend?: string): Finding {
  return { state: "note", about, said, ...(mend === undefined ? {} : { mend }) };
}

export function wrong(about: string, said: string, mend: string): Finding {
  return { state: "wrong", about, said, mend };
}

/** The mistakes of a file, each with its place; what is no `ConfigError` is thrown on. */
export function mistakesIn(about: string, error: unknown): readonly Finding[] {
  if (!(error instanceof ConfigError)) throw error;
  return error.problems.map(({ file, line, pointer, message, mend }) => {
    const at = line === undefined ? file : `${file}:${line}`;
    const said = `${at} ${pointer === "" ? "(the whole file)" : pointer}: ${message}`;
    return { ...wrong(about, said, mend), is_mistake: true };
  });
}

const COLOURS = { ok: "green", note: "yellow", wrong: "red" } as const;

export function show(findings: readonly Finding[]): void {
  const width = Math.max(...findings.map(({ about }) => about.length));
  const margin = " ".repeat("wrong".length + width + 4);
  for (const { state, about, said, mend } of findings) {
    print(`${paint(COLOURS[state], state.padEnd(5))}  ${about.padEnd(width)}  ${said}`);
    if (mend !== undefined) print(`${margin}${paint("dim", `mend: ${mend}`)}`);
  }
}
