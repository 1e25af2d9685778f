// Result: how a step says "here it is" or "no, because" without throwing (DESIGN section 4).
import type { Refusal } from "./errors.ts";

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refusal: Refusal };

export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function no<T>(refusal: Refusal): Result<T> {
  return { ok: false, refusal };
}
