// A document as it was parsed: nothing in it is believed, references are followed one at a time.
import { own } from "../kernel/own.ts";
import { valueAt } from "../kernel/json.ts";
import { SliceError } from "./slice-error.ts";

export type Raw = Readonly<Record<string, unknown>>;

const HOPS_MAX = 32;

export function isRaw(value: unknown): value is Raw {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

export function rawOf(parent: Raw, key: string): Raw {
  const value = own(parent, key);
  return isRaw(value) ? value : {};
}

export function listOf(parent: Raw, key: string): readonly unknown[] {
  const value = own(parent, key);
  return Array.isArray(value) ? value : [];
}

export function textOf(parent: Raw, key: string): string | undefined {
  const value = own(parent, key);
  return typeof value === "string" ? value : undefined;
}

/** What a local reference names. */
export function referenced(document: Raw, ref: string): unknown {
  if (ref !== "#" && !ref.startsWith("#/")) {
    const mend = "bundle the document into one file first";
    throw new SliceError("reference_external", `${quoted(ref)} is in another document: ${mend}`);
  }
  const target = valueAt(document, pointerIn(ref));
  if (target === undefined) {
    throw new SliceError("reference_not_found", `${quoted(ref)} names nothing in the document`);
  }
  return target;
}

// A fragment may be percent-encoded (RFC 6901 section 6); one that is not, is taken as it is.
function pointerIn(ref: string): string {
  try {
    return decodeURIComponent(ref.slice(1));
  } catch {
    return ref.slice(1);
  }
}

/** Follows a parameter's, body's, response's or header's references to the object itself. */
export function followed(document: Raw, value: unknown): Raw {
  let here = value;
  for (let hop = 0; hop < HOPS_MAX; hop++) {
    if (!isRaw(here)) break;
    const ref = textOf(here, "$ref");
    if (ref === undefined) return here;
    here = referenced(document, ref);
  }
  throw new SliceError("malformed", "a reference goes round in a circle, or names no object");
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}
