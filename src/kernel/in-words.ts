// What a schema or the operating system has to say, in words for whoever typed it.
import type { z } from "zod";

/** What was expected of a value, without the value and without its place. */
export function issueInWords(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "too_small":
      return `at least ${amount(issue.origin, issue.minimum)}`;
    case "too_big":
      return `at most ${amount(issue.origin, issue.maximum)}`;
    case "invalid_value":
      return `one of: ${issue.values.map(String).join(", ")}`;
    case "invalid_type":
      return `expected ${issue.expected}`;
    case "unrecognized_keys":
      return `unknown: ${issue.keys.join(", ")}`;
    default:
      return issue.message;
  }
}

function amount(origin: string, bound: number | bigint): string {
  const one = { string: "character", array: "item", set: "item" }[origin];
  return one === undefined ? String(bound) : `${bound} ${one}${bound === 1 ? "" : "s"}`;
}

const SYSTEM: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EISDIR: "it is a folder, not a file",
  ENOTDIR: "it lies in a file, not in a folder",
  EEXIST: "it is a file, not a folder",
  EACCES: "this user may not use it",
  EPERM: "this user may not use it",
  EROFS: "it cannot be written",
  ENOSPC: "the disk is full",
  ENAMETOOLONG: "the name is too long",
  EADDRINUSE: "something else listens there, perhaps another doorless",
  EADDRNOTAVAIL: "it is no address of this machine",
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "it broke off",
  ENOTFOUND: "there is no host of this name",
  EAI_AGAIN: "its name cannot be looked up now",
  ETIMEDOUT: "it does not answer",
  UND_ERR_CONNECT_TIMEOUT: "it does not answer",
};

/** What the operating system said no to, its own code for it behind; else the innermost message. */
export function systemErrorInWords(error: unknown): string {
  if (!(error instanceof Error)) return "unknown error";
  const { code } = error as NodeJS.ErrnoException;
  const known = code === undefined ? undefined : SYSTEM[code];
  if (known !== undefined) return `${known} (${code})`;
  return error.cause instanceof Error ? systemErrorInWords(error.cause) : error.message;
}
