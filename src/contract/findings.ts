// What a comparison found, and what a tool's own use of the API makes of it.
import { createHash } from "node:crypto";
import { canonicalJson } from "../kernel/ids.ts";
import { own } from "../kernel/own.ts";
import { RULES } from "./rules.ts";
import type { Severity } from "./rules.ts";
import type { Schema } from "./schema.ts";

export interface Finding {
  readonly rule: string;
  readonly severity: Severity;
  readonly side: "request" | "response" | "server" | "security" | "operation";
  /** Where: `/query/limit`, `/body/title`, `/200/body/id`; a token `*` is every item. */
  readonly pointer: string;
  readonly text: string;
  /**
   * Names this change: rule, place and the values before and after, where it has any; what has none
   * is of every such change there. `contracts accept` takes it.
   */
  readonly fingerprint: string;
}

/** What one tool does with its operation. Absent: nothing is known, so everything counts. */
export interface Use {
  /** Pointer of each value that it sends -> how. */
  readonly sends?: ReadonlyMap<string, Sent>;
  /** Fields of the answer that it cannot do without (`neededFields`). */
  readonly needs?: ReadonlySet<string>;
  /** By what of an answer it finds the next page: pointers, or `Link` for that header. */
  readonly follows?: ReadonlySet<string>;
  /** Today, `YYYY-MM-DD`: an announced end may have passed. */
  readonly today?: string;
}

export interface Sent {
  readonly always: boolean;
  /** What the tool lets through. */
  readonly schema?: Schema;
}

export interface Place {
  readonly side: Finding["side"];
  /** What a rule's name calls it. */
  readonly kind: "parameter" | "body" | "property" | "";
  readonly pointer: string;
  /** The same without the steps into alternatives: where the value stands in the data. */
  readonly path: string;
}

export interface Change {
  readonly from?: unknown;
  readonly to?: unknown;
  /** Where the tool's use makes it graver or milder than the table. */
  readonly severity?: Severity | undefined;
}

/** Among what a tool follows: the header. */
export const LINK = "Link";
const FINDINGS_MAX = 500;
/** It stands for changes that nobody was shown, so nobody can accept it. */
export const TOO_MANY = "too-many-changes";
const SAID_MAX = 80;
const ORDER: readonly Severity[] = ["critical", "break", "warn", "info"];

export class Findings {
  private readonly operation: string;
  private readonly found = new Map<string, Finding>();
  readonly use: Use;

  constructor(operation: string, use: Use) {
    this.operation = operation;
    this.use = use;
  }

  /** `rule` as the table has it, with `{}` for what the place is. */
  add(rule: string, place: Place, change: Change = {}): void {
    const id = rule.replace("{}", place.kind);
    const row = own(RULES, id) ?? own(RULES, rule);
    if (row === undefined) throw new Error(`no such rule: ${rule}`);
    const [severity, says] = row;
    if (this.found.size >= FINDINGS_MAX && id !== TOO_MANY) return this.overflow();
    const { from, to } = change;
    const parts = [id, this.operation, place.pointer, canonicalJson({ from, to })];
    const fingerprint = createHash("sha256").update(parts.join("\n")).digest("hex").slice(0, 12);
    this.found.set(fingerprint, {
      rule: id,
      severity: change.severity ?? severity,
      side: place.side,
      pointer: place.pointer,
      text: says + said(from, to),
      fingerprint,
    });
  }

  private overflow(): void {
    this.add(TOO_MANY, { side: "operation", kind: "", pointer: "", path: "" });
  }

  all(): readonly Finding[] {
    return gravestFirst([...this.found.values()]);
  }

  /** How the tool sends what stands here: `undefined` where nothing is known or sent. */
  sent(path: string): Sent | undefined {
    const { sends } = this.use;
    if (sends === undefined) return undefined;
    const exact = sends.get(path);
    if (exact !== undefined) return exact;
    for (const [at, { always }] of sends) {
      if (at.startsWith(`${path}/`)) return { always };
      if (path.startsWith(`${at}/`)) return { always: false };
    }
    return undefined;
  }

  /** What it weighs that the API does not take this any more. */
  weightOfLoss(path: string): Severity | undefined {
    if (this.use.sends === undefined) return undefined;
    return this.sent(path) === undefined ? "info" : "break";
  }

  /** What stands here, or a part of it, is an argument of the tool: no other place weighs alike. */
  holdsSent(path: string): boolean {
    const all = [...(this.use.sends?.keys() ?? [])];
    return all.some((at) => at === path || at.startsWith(`${path}/`));
  }

  /** It is known that the tool never sends it. */
  unsent(path: string): boolean {
    return this.use.sends !== undefined && this.sent(path) === undefined;
  }

  /** It leads to the next page of an answer. */
  follows(what: string): boolean {
    return this.use.follows?.has(what === LINK ? what : anyItem(what)) ?? false;
  }

  /** It is known that the tool can do without it. */
  spare(path: string): boolean {
    return this.use.needs !== undefined && !this.use.needs.has(anyItem(path));
  }
}

export function gravestFirst<F extends Finding>(findings: readonly F[]): readonly F[] {
  const key = ({ severity, pointer, rule }: F): string =>
    `${ORDER.indexOf(severity)} ${pointer} ${rule}`;
  return findings.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** A number in a pointer is an item's, and all items have one schema. */
export function anyItem(pointer: string): string {
  return pointer.replaceAll(/\/\d+(?=\/|$)/g, "/*");
}

function said(from: unknown, to: unknown): string {
  if (from === undefined && to === undefined) return "";
  if (from === undefined) return ` (${short(to)})`;
  return to === undefined ? ` (was ${short(from)})` : ` (${short(from)} → ${short(to)})`;
}

function short(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > SAID_MAX ? `${text.slice(0, SAID_MAX - 1)}…` : text;
}
