// Approvals: calls that wait for the yes of the human in whose name they are to run. Held in memory
// alone: what a crash can lose is a yes, and it brings back none that was used.
// @see docs/adr/0014-a-human-says-yes.md
import { randomBytes } from "node:crypto";
import type { LimitsConfig } from "../config/limits.ts";
import type { Clock } from "../kernel/clock.ts";
import { canonicalJson, digestOf } from "../kernel/ids.ts";
import { visibleText } from "../kernel/visible.ts";
import type { LedgerEvents } from "../ledger/events.ts";
import type { Who } from "../ledger/keyring.ts";
import { userKey } from "../session/session.ts";
import { isReached } from "../session/reach.ts";
import type { Ending, Reach, Reachable } from "../session/reach.ts";

/** What a yes is bound to. Anything else is another call, and needs another yes. */
export interface Bound {
  readonly who: Who;
  readonly agent: string;
  readonly client_id: string;
  readonly tool: string;
  readonly tool_hash: string;
  readonly policy: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** What a human reads before saying yes: the call as it would be made. */
export interface Shown {
  readonly agent: string;
  readonly client_id: string;
  readonly tool: string;
  readonly title: string;
  readonly destructive: boolean;
  /** The API, and where it is; nothing where code reaches only tools. */
  readonly connector: { readonly title: string; readonly origin: string } | undefined;
  readonly args: Readonly<Record<string, unknown>>;
  /** As the broker would send it; nothing where code decides what is sent. */
  readonly request:
    | { readonly method: string; readonly path: string; readonly body: string | undefined }
    | undefined;
  /** Where code decides: all the operations that it may use. */
  readonly uses: readonly string[];
}

/** A call that was asked for and needs a yes. */
export interface Question {
  readonly bound: Bound;
  readonly shown: Shown;
  readonly call_id: string;
  readonly session: string;
  readonly family: string | undefined;
  /** The arguments as the ledger keeps them. */
  readonly args_kept: Readonly<Record<string, unknown>>;
}

/** A yes that one call has taken for itself; given back where that call did not come to run. */
export interface Claim {
  readonly id: string;
  readonly by: string;
  spend(): void;
  giveBack(): void;
}

export type Asked =
  | { readonly kind: "approved"; readonly claim: Claim }
  | { readonly kind: "waiting"; readonly id: string; readonly left_ms: number }
  | { readonly kind: "declined"; readonly left_ms: number }
  | { readonly kind: "full"; readonly limit: keyof Bounds; readonly scope: string };

/** One that waits, as its person sees it. */
export interface Pending {
  readonly id: string;
  readonly shown: Shown;
  /** She has said yes, and it has not run yet. */
  readonly said_yes: boolean;
  readonly left_ms: number;
}

/** Where a human said it: on our page, or to a client that is trusted to ask. */
export type SaidWhere = "page" | "client";
type Detail = LedgerEvents["approval"];

interface Waiting extends Question {
  readonly id: string;
  readonly key: string;
  state: "waiting" | "deciding" | "approved" | "claimed" | "declined";
  ends_ms: number;
  readonly listeners: Set<() => void>;
}

type Bounds = Pick<LimitsConfig, "approvals_max" | "approvals_per_user_max">;

export interface ApprovalsOptions {
  readonly clock: Clock;
  readonly limits: Bounds & Pick<LimitsConfig, "approval_s">;
  /** Resolves only when it is durable. */
  readonly record: (detail: Detail) => Promise<void>;
  readonly onUnrecorded: (error: unknown) => void;
}

const LISTENERS_MAX = 16;
const LOOKED_EVERY_MS = 5000;

export class Approvals {
  private readonly options: ApprovalsOptions;
  private readonly byId = new Map<string, Waiting>();
  private readonly byKey = new Map<string, Waiting>();
  /** Each no, by what it was said to, whoever asked. */
  private readonly declined = new Map<string, Waiting>();
  private readonly timer: NodeJS.Timeout;

  constructor(options: ApprovalsOptions) {
    this.options = options;
    this.timer = setInterval(() => this.expire(), LOOKED_EVERY_MS).unref();
  }

  /** Takes the yes for exactly this call, or asks for one; the same question is asked once. */
  ask(bound: Bound, question: () => Question): Asked {
    this.expire();
    const no = this.declined.get(deedOf(bound));
    if (no !== undefined) return { kind: "declined", left_ms: this.left(no) };
    const key = keyOf(bound);
    const known = this.byKey.get(key);
    if (known?.state === "approved") return { kind: "approved", claim: this.claim(known) };
    if (known?.state === "declined") return { kind: "declined", left_ms: this.left(known) };
    if (known !== undefined) return { kind: "waiting", id: known.id, left_ms: this.left(known) };
    const full = this.fullFor(bound);
    if (full !== undefined) return { kind: "full", ...full };
    const id = randomBytes(32).toString("base64url");
    const ends_ms = this.now() + this.options.limits.approval_s * 1000;
    const fresh: Waiting = {
      ...question(),
      id,
      key,
      state: "waiting",
      ends_ms,
      listeners: new Set(),
    };
    this.byId.set(id, fresh);
    this.byKey.set(key, fresh);
    return { kind: "waiting", id, left_ms: this.left(fresh) };
  }

  // Taken before anything can wait: of two calls at once, one has it.
  private claim(waiting: Waiting): Claim {
    waiting.state = "claimed";
    return {
      id: waiting.id,
      by: waiting.bound.who.subject,
      spend: () => this.forget(waiting),
      giveBack: () => {
        if (waiting.state === "claimed") waiting.state = "approved";
      },
    };
  }

  /** The question of this name, for the person it is put to; for anybody else there is none. */
  look(id: string, isHers: (who: Who) => boolean): Pending | undefined {
    this.expire();
    const waiting = this.byId.get(id);
    if (waiting === undefined || !isHers(waiting.bound.who)) return undefined;
    return isOpen(waiting) ? this.pending(waiting) : undefined;
  }

  /** Whether there is such a question, whoever it is put to. */
  isOpen(id: string): boolean {
    const waiting = this.byId.get(id);
    return waiting !== undefined && isOpen(waiting);
  }

  /** All questions that are open to this person, oldest first. */
  list(isHers: (who: Who) => boolean): readonly Pending[] {
    this.expire();
    const hers = [...this.byId.values()].filter((one) => isOpen(one) && isHers(one.bound.who));
    return hers.map((one) => this.pending(one));
  }

  private pending(waiting: Waiting): Pending {
    const { id, shown, state } = waiting;
    return { id, shown, said_yes: state === "approved", left_ms: this.left(waiting) };
  }

  /** The question that stands for exactly this call. */
  find(bound: Bound): string | undefined {
    this.expire();
    return this.byKey.get(keyOf(bound))?.id;
  }

  /**
   * The human's word, durable before it counts. A no also takes a yes back that was not used. False
   * where there is nothing to decide any more.
   */
  async decide(id: string, yes: boolean, where: SaidWhere): Promise<boolean> {
    this.expire();
    const waiting = this.byId.get(id);
    if (waiting === undefined || !isOpen(waiting)) return false;
    const takesBack = waiting.state === "approved";
    if (takesBack && yes) return true;
    const before = waiting.state;
    waiting.state = "deciding";
    const decided = (state: Waiting["state"]): void => {
      waiting.state = state;
      // The last word counts, where two agents ask for the same.
      if (state === "declined") this.declined.set(deedOf(waiting.bound), waiting);
      if (state === "approved") this.declined.delete(deedOf(waiting.bound));
    };
    try {
      const what = yes ? "given" : takesBack ? "taken_back" : "declined";
      await this.options.record(detailOf(waiting, what, { where }));
    } catch (error) {
      // What could not be recorded was not said; a no holds all the same.
      decided(yes ? before : "declined");
      throw error;
    }
    decided(yes ? "approved" : "declined");
    waiting.ends_ms = this.now() + this.options.limits.approval_s * 1000;
    for (const tell of waiting.listeners) tell();
    waiting.listeners.clear();
    // It may have been voided while it was written: then there is nothing left to use.
    return this.byId.get(id) === waiting;
  }

  /** The question in words, for a client that puts it to its user. */
  textOf(id: string): string | undefined {
    const waiting = this.byId.get(id);
    return waiting === undefined ? undefined : wordsOf(waiting.shown);
  }

  /** Calls `tell` once, when it is decided. */
  whenDecided(id: string, tell: () => void): void {
    const listeners = this.byId.get(id)?.listeners;
    if (listeners !== undefined && listeners.size < LISTENERS_MAX) listeners.add(tell);
  }

  /** A lock or an ending takes back what it reaches, for good. A no stays. */
  stop(reach: Reach | Ending): void {
    this.voidEach((waiting) => isReached(reach, reachableIn(waiting)), "access ended");
  }

  /** What no longer means what was shown is void. */
  keepOnly(stands: (bound: Bound) => boolean): void {
    this.voidEach(({ bound }) => !stands(bound), "changed");
  }

  private voidEach(isOver: (waiting: Waiting) => boolean, why: string): void {
    this.expire();
    for (const waiting of this.byId.values()) {
      if (waiting.state !== "declined" && isOver(waiting)) this.end(waiting, "voided", { why });
    }
  }

  /** Ends what has waited too long; done before each use, and now and then. */
  expire(): void {
    const now_ms = this.now();
    for (const waiting of this.byId.values()) {
      if (waiting.ends_ms <= now_ms && !isBusy(waiting)) this.end(waiting, "expired", {});
    }
    // A no whose question was voided while it was written stands here alone.
    for (const [deed, { ends_ms }] of this.declined) {
      if (ends_ms <= now_ms) this.declined.delete(deed);
    }
  }

  /** What waits when the server stops is not there after it. */
  async close(): Promise<void> {
    clearInterval(this.timer);
    const open = [...this.byId.values()].filter((one) => one.state !== "declined");
    this.byId.clear();
    this.byKey.clear();
    this.declined.clear();
    const why = "the server stopped";
    await Promise.allSettled(
      open.map((one) => this.options.record(detailOf(one, "voided", { why }))),
    );
  }

  private end(waiting: Waiting, what: "expired" | "voided", more: Partial<Detail>): void {
    this.forget(waiting);
    // Its end was said when she declined.
    if (waiting.state === "declined") return;
    this.options.record(detailOf(waiting, what, more)).catch(this.options.onUnrecorded);
  }

  private forget(waiting: Waiting): void {
    this.byId.delete(waiting.id);
    if (this.byKey.get(waiting.key) === waiting) this.byKey.delete(waiting.key);
    const deed = deedOf(waiting.bound);
    if (this.declined.get(deed) === waiting) this.declined.delete(deed);
  }

  // A full table refuses: to make room would be to lose somebody's question. An agent has at most
  // as many as it leaves to the others, so that none of them can take all of a user's places.
  private fullFor(bound: Bound): { limit: keyof Bounds; scope: string } | undefined {
    const { approvals_max, approvals_per_user_max } = this.options.limits;
    if (this.byId.size >= approvals_max) return { limit: "approvals_max", scope: "server" };
    const user = userOf(bound);
    const hers = [...this.byId.values()].filter((one) => userOf(one.bound) === user);
    const left = approvals_per_user_max - hers.length;
    if (left <= 0) return { limit: "approvals_per_user_max", scope: "user" };
    const { agent, client_id } = bound;
    const its = hers.filter((one) => {
      return one.bound.agent === agent && one.bound.client_id === client_id;
    });
    const full = { limit: "approvals_per_user_max", scope: "user, agent and client" } as const;
    return its.length >= left ? full : undefined;
  }

  private left({ ends_ms }: Waiting): number {
    return Math.max(0, ends_ms - this.now());
  }

  private now(): number {
    return this.options.clock.monotonic();
  }
}

// Numbers are compared as what they are sent as: 80, 80.0 and 8e1 are one number, and one request.
// Text is compared code unit by code unit: what only looks alike is not the same.
function keyOf({ who, agent, client_id, tool, tool_hash, policy, args }: Bound): string {
  const tenant = JSON.stringify(who.tenant);
  const user = userKey(who.issuer, who.subject);
  const call = canonicalJson(args);
  return digestOf("approval-v1", user, tenant, agent, client_id, tool, tool_hash, policy, call);
}

// What a no is said to: it holds whichever agent, client or policy would do the same again.
function deedOf({ who, tool, args }: Bound): string {
  const user = userKey(who.issuer, who.subject);
  return digestOf("declined-v1", user, JSON.stringify(who.tenant), tool, canonicalJson(args));
}

function userOf({ who }: Bound): string {
  return userKey(who.issuer, who.subject);
}

function isOpen({ state }: Waiting): boolean {
  return state === "waiting" || state === "approved";
}

function isBusy({ state }: Waiting): boolean {
  return state === "deciding" || state === "claimed";
}

function reachableIn({ bound, session, family }: Waiting): Reachable {
  const { who, agent, tool } = bound;
  return { issuer: who.issuer, subject: who.subject, family, session, agent, tool };
}

function wordsOf({ agent, title, tool, connector, args, request }: Shown): string {
  const at = connector === undefined ? "" : ` at ${connector.title}`;
  const lines = Object.entries(args).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  const sent = request === undefined ? [] : [`${request.method} ${request.path}`];
  const all = [`${agent} asks to do this in your name, once: ${title} (${tool})${at}.`, ...lines];
  return visibleText([...all, ...sent].join("\n"));
}

function detailOf(
  { bound, id, call_id, session, args_kept }: Waiting,
  what: Detail["what"],
  { where, why }: Partial<Pick<Detail, "where" | "why">>,
): Detail {
  const { who, agent, client_id, tool, tool_hash, policy } = bound;
  const call = { call_id, agent, client_id, session, tool, tool_hash, policy, args: args_kept };
  const more = { ...(where && { where }), ...(why && { why }) };
  return { what, ...who, approval: id, ...call, ...more };
}
