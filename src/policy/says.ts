// What conditions are made of: what they say, what they may ask, and where values were seen.
import type { ConditionFile } from "../config/rules.ts";
import type { Row } from "../session/answers.ts";
import type { Who } from "./who.ts";

export type Says = "yes" | "no" | "unclear";

/** What a decision depends on beside the arguments. */
export interface Facts {
  readonly who: Who;
  readonly now_ms: number;
  /** Rows of the session's earlier answers that hold this value. */
  readonly seen: (source: string, value: unknown) => readonly Row[];
}

export interface Condition {
  readonly file: ConditionFile;
  /** Of a value that was given. */
  says(value: unknown, facts: Facts): Says;
  /** What would be allowed, as an agent is told; nothing where that is confidential. */
  allowed(who: Who): string | undefined;
}

export interface Source {
  /** The same for the same words in any policy, so that a reload forgets nothing. */
  readonly id: string;
  readonly tool: string;
  readonly where: readonly Condition[];
  /** The rows of one answer of the tool. */
  rowsOf(result: Readonly<Record<string, unknown>>): readonly Row[];
  text(who: Who): string;
}
