// How a test says which promise it is the evidence for.
import { test } from "vitest";
import type { TestContext } from "vitest";
import type { RequirementId } from "./requirements.ts";

export interface VerifiesOptions {
  readonly timeout_ms?: number;
  /** Why it cannot run on this machine; it is then shown as skipped, with the reason. */
  readonly skip?: string | undefined;
}

/**
 * Registers a vitest test named `[id] claim`. The claim is a sentence in the present tense. Ids
 * are literals at the call, so that the coverage test finds them without running anything.
 */
export function verifies(
  id: RequirementId | readonly RequirementId[],
  claim: string,
  body: (context: TestContext) => unknown,
  options: VerifiesOptions = {},
): void {
  const name = `[${[id].flat().join(", ")}] ${claim}`;
  const { skip, timeout_ms } = options;
  const timeout = timeout_ms === undefined ? {} : { timeout: timeout_ms };
  // The context skips, so that reporters print the reason beside the name.
  test(name, timeout, (context) => (skip === undefined ? body(context) : context.skip(skip)));
}
