// Writes that may come again: sent twice, each runs once, and is answered twice alike. What ran,
// the ledger knows from before it ran; what it answered is kept for minutes, sealed and bounded.
import { KEPT_FRAME_BYTES, keptBytesMax } from "../config/limits.ts";
import type { LimitsConfig } from "../config/limits.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Effect, Refusal } from "../kernel/errors.ts";
import type { Who } from "../ledger/keyring.ts";
import type { Sealer } from "../ledger/mark.ts";
import type { Marks } from "../ledger/record.ts";
import { isReached } from "../session/reach.ts";
import type { Reachable } from "../session/reach.ts";
import { userKey } from "../session/session.ts";
import type { Change } from "../session/stops.ts";
import type { Logger } from "../telemetry/log.ts";

/** Sealed texts by call. */
export interface AnswerStore {
  /** How long each one is. */
  sizes(): ReadonlyMap<string, number>;
  put(call_id: string, sealed: string): void;
  find(call_id: string): string | undefined;
  remove(call_id: string): void;
  close(): void;
}

export interface ResendsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: LimitsConfig;
  readonly sealer: Pick<Sealer, "sealWhole" | "reveal">;
  readonly store: AnswerStore;
}

/** A write, as it is known when it comes again. */
export interface Sent {
  readonly call_id: string;
  readonly tool: string;
  readonly tool_hash: string;
  readonly marks: Marks;
  readonly who: Who;
  readonly whose: Reachable;
}

/** How a call ended that ran, or may have. */
export type Ended =
  | { readonly result: Record<string, unknown> }
  | { readonly refusal: Refusal & { readonly effect: Effect } };

/** The first of its kind. It must be ended, once: waiting for it is whoever sent it again. */
export interface First {
  /** Nothing where nothing ran: then the next one is the first. */
  end(ended: Ended | undefined): void;
}

/** One that was sent before. */
export interface Again {
  readonly call_id: string;
  /** When the first one has ended. */
  readonly over: Promise<void>;
  /** What that was answered, after `over`; nothing where nothing ran. */
  answer(tool_hash: string): Ended | Lost | undefined;
  /** It is answered, too; or it was refused, and the answer stays for the next one. */
  leave(answered: boolean): void;
}

export interface Lost {
  /** Of what ran, whose answer is not there any more, or must not be given. */
  readonly lost: Effect;
}

interface Full {
  readonly limit: "resend_bytes_per_user_max" | "resend_bytes_max";
  readonly scope: "user" | "server";
}

export type Claimed =
  | { readonly kind: "first"; readonly first: First }
  | { readonly kind: "again"; readonly again: Again }
  | { readonly kind: "other_arguments"; readonly call_id: string }
  | ({ readonly kind: "full" } & Full);

/** A write of before this start, as the ledger has it. */
export interface Recalled extends Sent {
  readonly effect: Effect;
  /** Whether it was cut off: then nobody was answered. */
  readonly cut_off: boolean;
  readonly age_ms: number;
}

interface Held {
  readonly id: string;
  readonly sent: Sent;
  readonly user: string;
  readonly over: PromiseWithResolvers<void>;
  state: "running" | "nothing_ran" | "kept" | "lost";
  effect: Effect;
  /** Without a key: its answer did not reach its client: the same call is that one again. */
  unheard: boolean;
  /** Without a key: one that came again is being answered with it. */
  taken: boolean;
  bytes: number;
  until_ms: number;
}

/** Whether an answer reached its client; where nobody can tell, it did. */
type Delivered = Promise<boolean> | undefined;

const SWEPT_EVERY_MS = 10_000;

export class Resends {
  private readonly options: ResendsOptions;
  private readonly answer_bytes_max: number;
  /** With a key one at most; without, as many as run at once. */
  private readonly held = new Map<string, Set<Held>>();
  /** In the order in which they are forgotten. */
  private readonly ended = new Set<Held>();
  private readonly bytes_of = new Map<string, number>();
  private bytes = 0;
  private readonly timer: NodeJS.Timeout;

  constructor(options: ResendsOptions) {
    this.options = options;
    this.answer_bytes_max = keptBytesMax(options.limits);
    this.timer = setInterval(() => this.sweep(), SWEPT_EVERY_MS).unref();
  }

  /** Whether this call is one that came before; else it is the first, and holds what it needs. */
  claim(sent: Sent, delivered: Delivered): Claimed {
    this.sweep();
    const id = idOf(sent);
    const hasKey = sent.marks.key !== null;
    const same = [...(this.held.get(id) ?? [])].filter(({ unheard }) => hasKey || unheard);
    // Of several that nobody heard, each is for one; but none runs while there is one.
    const before = same.find(({ taken }) => !taken) ?? same[0];
    if (before !== undefined && before.sent.marks.args !== sent.marks.args) {
      return { kind: "other_arguments", call_id: before.sent.call_id };
    }
    if (before !== undefined) return { kind: "again", again: this.again(before, delivered) };
    const bytes = hasKey ? this.answer_bytes_max : 0;
    const user = userKey(sent.who.issuer, sent.who.subject);
    const full = this.fullFor(user, bytes);
    if (full !== undefined) return { kind: "full", ...full };
    const held = this.hold(id, sent, user, bytes);
    if (!hasKey) void delivered?.then((got) => void (held.unheard = !got));
    return { kind: "first", first: { end: (ended) => void this.end(held, ended, delivered) } };
  }

  private again(held: Held, delivered: Delivered): Again {
    held.taken = true;
    const giveBack = (): void => void (held.taken = false);
    // Whoever hangs up once more has not heard it either.
    void delivered?.then((got) => got || giveBack());
    return {
      call_id: held.sent.call_id,
      over: held.over.promise,
      answer: (tool_hash) => this.answerOf(held, tool_hash),
      leave: (answered) => {
        if (held.sent.marks.key !== null) return;
        if (!answered) return giveBack();
        void (delivered ?? Promise.resolve(true)).then((got) => got && this.forget(held));
      },
    };
  }

  private answerOf(held: Held, tool_hash: string): Ended | Lost | undefined {
    if (held.state === "nothing_ran") return undefined;
    const lost = { lost: held.effect };
    // A tool that is another one by now might not say so much.
    if (held.state !== "kept" || held.sent.tool_hash !== tool_hash) return lost;
    const { store, sealer, log } = this.options;
    const { call_id } = held.sent;
    try {
      const sealed = store.find(call_id);
      return sealed === undefined ? lost : (sealer.reveal({ sealed }, pathOf(call_id)) as Ended);
    } catch (err) {
      // Erased, damaged, or another call's: in no case is it given.
      log.warn({ err, call_id }, "a kept answer does not open");
      return lost;
    }
  }

  private async end(held: Held, ended: Ended | undefined, delivered: Delivered): Promise<void> {
    const hasKey = held.sent.marks.key !== null;
    if (ended === undefined) held.state = "nothing_ran";
    const isDone = ended === undefined || (!hasKey && (await (delivered ?? true)));
    if (isDone) this.forget(held);
    else this.keep(held, ended);
    held.over.resolve();
  }

  private keep(held: Held, ended: Ended): void {
    const { sealer, store, log, clock, limits } = this.options;
    const { call_id, who } = held.sent;
    held.effect = "refusal" in ended ? ended.refusal.effect : "done";
    const mayKeep = held.state === "running";
    held.state = "lost";
    held.until_ms = clock.monotonic() + limits.resend_s * 1000;
    this.ended.add(held);
    try {
      const sealed = sealer.sealWhole(who, pathOf(call_id), ended);
      const bytes = KEPT_FRAME_BYTES + sealed.length;
      if (mayKeep && this.fullFor(held.user, bytes - held.bytes) === undefined) {
        store.put(call_id, sealed);
        held.state = "kept";
        return this.count(held, bytes);
      }
    } catch (err) {
      log.error({ err, call_id }, "an answer could not be kept");
    }
    // With a key it is never run again; without one nothing was promised, and no room held.
    if (held.bytes === 0) this.forget(held);
    else this.count(held, KEPT_FRAME_BYTES);
  }

  /** Takes over what ran before this start; call it before anything is claimed. */
  recall(calls: readonly Recalled[]): void {
    const { store, limits, clock } = this.options;
    const sizes = store.sizes();
    const window_ms = limits.resend_s * 1000;
    const oldest_first = calls.toSorted((a, b) => b.age_ms - a.age_ms);
    for (const { effect, cut_off, age_ms, ...sent } of oldest_first) {
      const size = sizes.get(sent.call_id);
      // Without a key, of what was answered only what nobody heard is kept.
      if (sent.marks.key === null && !cut_off && size === undefined) continue;
      const user = userKey(sent.who.issuer, sent.who.subject);
      const held = this.hold(idOf(sent), sent, user, KEPT_FRAME_BYTES + (size ?? 0));
      held.state = size === undefined ? "lost" : "kept";
      held.effect = effect;
      held.unheard = sent.marks.key === null;
      // A clock that was set back makes nothing come from the future.
      held.until_ms = clock.monotonic() + window_ms - Math.max(0, age_ms);
      held.over.resolve();
      this.ended.add(held);
    }
    const known = new Set(calls.map(({ call_id }) => call_id));
    for (const call_id of sizes.keys()) if (!known.has(call_id)) store.remove(call_id);
    this.sweep();
  }

  /**
   * Whoever may not come back gets nothing: what was kept for her goes, and of what runs nothing
   * will be. A lock may be lifted.
   */
  heed({ reach, lifted, isLock }: Change): void {
    if (lifted || isLock) return;
    for (const held of [...this.held.values()].flatMap((same) => [...same])) {
      if (!isReached(reach, held.sent.whose)) continue;
      const wasKept = held.state === "kept";
      held.state = "lost";
      if (!wasKept) continue;
      this.remove(held);
      this.count(held, KEPT_FRAME_BYTES);
    }
  }

  close(): void {
    clearInterval(this.timer);
    this.options.store.close();
  }

  private hold(id: string, sent: Sent, user: string, bytes: number): Held {
    const over = Promise.withResolvers<void>();
    const rest = { state: "running", effect: "unknown", unheard: false, taken: false } as const;
    const held: Held = { id, sent, user, over, ...rest, bytes: 0, until_ms: Infinity };
    this.count(held, bytes);
    const others = this.held.get(id);
    if (others === undefined) this.held.set(id, new Set([held]));
    else others.add(held);
    return held;
  }

  private forget(held: Held): void {
    const others = this.held.get(held.id);
    others?.delete(held);
    if (others?.size === 0) this.held.delete(held.id);
    this.ended.delete(held);
    this.count(held, 0);
    if (held.state === "kept") this.remove(held);
  }

  private remove({ sent }: Held): void {
    try {
      this.options.store.remove(sent.call_id);
    } catch (err) {
      // It is sealed, and gone with the next start.
      this.options.log.error({ err, call_id: sent.call_id }, "a kept answer could not be removed");
    }
  }

  private sweep(): void {
    const now_ms = this.options.clock.monotonic();
    for (const held of this.ended) {
      if (held.until_ms > now_ms) break;
      this.forget(held);
    }
  }

  private fullFor(user: string, more: number): Full | undefined {
    const { resend_bytes_per_user_max, resend_bytes_max } = this.options.limits;
    if (more <= 0) return undefined;
    if ((this.bytes_of.get(user) ?? 0) + more > resend_bytes_per_user_max) {
      return { limit: "resend_bytes_per_user_max", scope: "user" };
    }
    if (this.bytes + more <= resend_bytes_max) return undefined;
    return { limit: "resend_bytes_max", scope: "server" };
  }

  private count(held: Held, bytes: number): void {
    const by = bytes - held.bytes;
    held.bytes = bytes;
    this.bytes += by;
    const left = (this.bytes_of.get(held.user) ?? 0) + by;
    if (left === 0) this.bytes_of.delete(held.user);
    else this.bytes_of.set(held.user, left);
  }
}

// One session's, of one tool: another's key is another key.
function idOf({ tool, marks, whose }: Sent): string {
  const { key, args } = marks;
  return key === null ? `${whose.session} ${tool} = ${args}` : `${whose.session} ${tool} ${key}`;
}

/** Bound to its call: a row that is put in another's place does not open. */
function pathOf(call_id: string): string {
  return `/answers/${call_id}`;
}
