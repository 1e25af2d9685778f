// From TypeScript to JavaScript by taking the types away: nothing moves, nothing runs.
import { stripTypeScriptTypes } from "node:module";

/** Throws a SyntaxError where it is no TypeScript, or needs more than its types taken away. */
export function javascriptOf(source: string): string {
  // Node says once per process that this is new. The operator can do nothing with that.
  const emitWarning = process.emitWarning.bind(process);
  process.emitWarning = () => undefined;
  try {
    return stripTypeScriptTypes(source);
  } finally {
    process.emitWarning = emitWarning;
  }
}
