// What several parts of the configuration are made of.
import { z } from "zod";

export const name = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,47}$/, "lower-case letters, digits, _ and -, at most 48");
export const origin = z.string().refine(isOrigin, "an origin: scheme, host and port, no path");
export const url = z.url({ protocol: /^https?$/ });
export const secretRef = z
  .string()
  .regex(/^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, "env:NAME or file:PATH, never the secret");

function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text && /^https?:/.test(text);
}

export const scopeName = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "one OAuth scope");
