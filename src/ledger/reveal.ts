// From a record back to what was sealed in it, for an auditor with a recorded reason.
import { pointerTo } from "../kernel/json.ts";
import type { Sealer } from "./mark.ts";
import type { NamesOf } from "./query.ts";
import { isSealed, KeyErased } from "./seal.ts";

/** The parts of a record in which sealed values stand. */
const SEALED_PARTS = ["user", "tool", "args", "result"] as const;
type SealedPart = (typeof SEALED_PARTS)[number];

export type Revealed<R> = { readonly [K in keyof R]: K extends SealedPart ? unknown : R[K] };

/**
 * The record with its sealed values replaced by what they hold, or by `{ erased: true }`. Throws
 * `KeyUnknown` or `SealBroken` rather than show a record of which a part cannot be believed.
 */
export function revealRecord<R extends object>(
  record: R,
  sealer: Pick<Sealer, "reveal">,
): Revealed<R> {
  const parts = record as Readonly<Record<string, unknown>>;
  const revealed: Record<string, unknown> = { ...parts };
  for (const part of SEALED_PARTS) {
    if (Object.hasOwn(parts, part)) revealed[part] = opened(parts[part], `/${part}`, sealer);
  }
  return revealed as Revealed<R>;
}

/** What tools said in a call, as its `tool_log` events hold it; a line that was erased says so. */
export function revealToolLog(
  lines: readonly unknown[],
  sealer: Pick<Sealer, "reveal">,
): readonly unknown[] {
  return lines.map((line, i) => opened(line, `/detail/lines/${i}`, sealer));
}

function opened(value: unknown, path: string, sealer: Pick<Sealer, "reveal">): unknown {
  if (value === null || typeof value !== "object") return value;
  if (isSealed(value)) {
    try {
      return sealer.reveal(value, path);
    } catch (error) {
      if (error instanceof KeyErased) return { erased: true };
      throw error;
    }
  }
  if (Array.isArray(value)) {
    return value.map((item, i) => opened(item, pointerTo(path, String(i)), sealer));
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      opened(inner, pointerTo(path, name), sealer),
    ]),
  );
}

/** The readable names in lines' `user`; nothing where one was erased, or cannot be opened. */
export function namesFrom(sealer: Pick<Sealer, "reveal">): NamesOf {
  return (users) => Promise.resolve(users.map((user) => nameIn(user, sealer)));
}

function nameIn(user: unknown, sealer: Pick<Sealer, "reveal">): string | undefined {
  if (typeof user === "string") return user;
  if (!isSealed(user)) return undefined;
  try {
    const name = sealer.reveal(user, "/user");
    return typeof name === "string" ? name : undefined;
  } catch {
    return undefined;
  }
}
