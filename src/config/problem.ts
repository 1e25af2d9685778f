// A mistake in the configuration: where it stands, what was expected, how to mend it.

export interface Problem {
  readonly file: string;
  readonly pointer: string;
  readonly line?: number;
  readonly message: string;
  readonly mend: string;
}

/** Notes one mistake at a JSON pointer of the file being read. */
export type Report = (pointer: string, message: string, mend: string) => void;

/** Stops the start. Exit code 2. Carries every mistake found, not only the first. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}

export function formatProblem(problem: Problem): string {
  const line = problem.line === undefined ? "" : `:${problem.line}`;
  const pointer = problem.pointer === "" ? "(the whole file)" : problem.pointer;
  return `${problem.file}${line} ${pointer}: ${problem.message}\n    mend: ${problem.mend}`;
}
