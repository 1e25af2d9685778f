// How a draft proposes to keep a value in the ledger: what the type alone does not say.
import type { LedgerMark } from "../../contract/projection.ts";
import { snake } from "./names.ts";
import type { Shape } from "./shape.ts";
import type { Side } from "./shapes.ts";

const SECRET = /(?:^|_)(?:password|passwd|secret|token|api_key|private_key|otp|pin|cvc|cvv)$/;
const IDENTITY = /(?:^|_)(?:id|uuid|number|key|slug|sha|cursor|status|state)$/;
const READABLE = new Set(["date", "date-time", "uuid"]);

/**
 * A secret is dropped, an id is readable; for all else its type says it (catalog/build.ts), where
 * that still stands: a field of an answer keeps neither values nor format.
 */
export function markFor(wire: string, shape: Shape, side: Side): LedgerMark | undefined {
  if (!shape.types.has("string")) return undefined;
  const name = snake(wire);
  if (shape.format === "password" || SECRET.test(name)) return "drop";
  if (shape.values !== undefined || READABLE.has(shape.format ?? "")) {
    return side === "answer" ? "plain" : undefined;
  }
  return IDENTITY.test(name) && shape.types.size === 1 ? "plain" : undefined;
}
