// Stops: who and what may not go on, by an operator's lock or because the provider or an operator
// ended it; and what runs meanwhile hears of it. In memory for every request, and at once; durable
// when the store has it, which a full disk may put off.
import { digestOf } from "../kernel/ids.ts";
import { errorTable, refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { endingKey, keyOf } from "./reach.ts";
import type { Ending, Going, Reach } from "./reach.ts";
import type { Lock, StopStore } from "./stop-store.ts";

/** Something under way: a call or an open stream. */
export interface Watch extends Going {
  /** Where it is a call: the tool it calls. */
  readonly tool: string | undefined;
  readonly signal: AbortSignal;
  /** Why it may not go on, once it may not. */
  ended(): Refusal | undefined;
  /** It is over: nothing of it stays behind. */
  leave(): void;
}

/** What changed: whom it concerns, and whether they may go on again. */
export interface Change {
  readonly reach: Reach | Ending;
  readonly lifted: boolean;
  /** Others' surfaces may have changed, too: an ending changes nobody's but whose it is. */
  readonly isLock: boolean;
}

const KEPT_AGAIN_MS = 1000;

export class Stops {
  private readonly store: StopStore;
  /** What the store could not take yet. It holds, and is tried again. */
  private readonly owed = new Map<string, () => void>();
  private timer: NodeJS.Timeout | undefined;
  private readonly locked = new Map<string, Lock>();
  /** The newest second that an ending covers, by its key. */
  private readonly ended = new Map<string, number>();
  private readonly watching = new Set<Watching>();
  private readonly listeners: ((change: Change) => void)[] = [];

  constructor(store: StopStore) {
    this.store = store;
    for (const lock of store.locks()) this.locked.set(keyOf(lock.reach), lock);
    for (const { key, until_s } of store.endings()) this.ended.set(key, until_s);
  }

  /** Hears of every change after it holds. */
  onChange(listener: (change: Change) => void): void {
    this.listeners.push(listener);
  }

  locks(): readonly Lock[] {
    return [...this.locked.values()];
  }

  /** Holds when this returns, for new requests and for what runs; `keep` says whether durably. */
  lock(lock: Lock): void {
    const key = keyOf(lock.reach);
    this.owed.set(`lock ${key}`, () => this.store.lock(lock));
    this.locked.set(key, lock);
    this.changed({ reach: lock.reach, lifted: false, isLock: true });
    this.keep();
  }

  /** False where there was no such lock. */
  unlock(reach: Reach): boolean {
    const key = keyOf(reach);
    this.store.unlock(reach);
    this.owed.delete(`lock ${key}`);
    const had = this.locked.delete(key);
    if (had) this.changed({ reach, lifted: true, isLock: true });
    return had;
  }

  /** Holds when this returns, as `lock`. */
  end(ending: Ending, now_s: number): void {
    const key = endingKey(ending);
    const until_s = "until_s" in ending ? ending.until_s : 0;
    this.owed.set(`end ${key} ${until_s}`, () => this.store.end(ending, now_s));
    this.ended.set(key, Math.max(until_s, this.ended.get(key) ?? 0));
    this.changed({ reach: ending, lifted: false, isLock: false });
    this.keep();
  }

  /** Whether everything that holds is durable. What is not is tried now, and every second. */
  keep(): boolean {
    clearTimeout(this.timer);
    try {
      for (const [key, write] of this.owed) {
        write();
        this.owed.delete(key);
      }
    } catch {
      this.timer = setTimeout(() => this.keep(), KEPT_AGAIN_MS).unref();
    }
    return this.owed.size === 0;
  }

  /** Whether this credential was revoked, by the provider's word or an operator's. */
  hasEnded({ credential, session }: Going): boolean {
    if (this.ended.size === 0) return false;
    const { principal, issued_at_s, family } = credential;
    // iat counts whole seconds: a token of the very second of the ending is refused with the rest.
    if (issued_at_s <= this.until(`user:${session.user}`)) return true;
    const until_s = this.until(`session:${session.id}`);
    if (family === undefined) return issued_at_s <= until_s;
    if (until_s !== Number.NEGATIVE_INFINITY) return true;
    return this.ended.has(`family:${digestOf("family-v1", principal.issuer, family)}`);
  }

  private until(key: string): number {
    return this.ended.get(key) ?? Number.NEGATIVE_INFINITY;
  }

  /** The lock that stops this session altogether, as a refusal. */
  lockOn({ session }: Going): Refusal | undefined {
    if (this.locked.size === 0) return undefined;
    const lock =
      this.locked.get("all") ??
      this.locked.get(`user:${session.user}`) ??
      this.locked.get(`session:${session.id}`) ??
      this.locked.get(`agent:${session.agent}`);
    return lock === undefined ? undefined : lockedBy(lock);
  }

  /** Whether a lock stops this person wherever she is, pages included. */
  stopsPerson(issuer: string, subject: string): boolean {
    return this.locked.has("all") || this.locked.has(keyOf({ kind: "user", issuer, subject }));
  }

  /** The lock on a tool, as a refusal. */
  lockOnTool(tool: string): Refusal | undefined {
    const lock = this.locked.size === 0 ? undefined : this.locked.get(`tool:${tool}`);
    return lock === undefined ? undefined : lockedBy(lock);
  }

  /** Whether anything stands against this going on now; what runs is ended with this. */
  private standsAgainst(watch: Watching): Refusal | undefined {
    if (this.hasEnded(watch)) return refusal("access_revoked");
    const lock =
      this.lockOn(watch) ?? (watch.tool === undefined ? undefined : this.lockOnTool(watch.tool));
    if (lock === undefined) return undefined;
    return refusal("access_revoked", {
      mended: { retry: errorTable.locked.retry, who_can_fix: errorTable.locked.who_can_fix },
      ...(lock.reason === undefined ? {} : { reason: lock.reason }),
      ...(lock.details === undefined ? {} : { details: lock.details }),
    });
  }

  /** Watches what begins now; ended at once where something stands against it already. */
  watch(going: Going, tool?: string): Watch {
    const watch = new Watching(going, tool, (one) => this.watching.delete(one));
    const why = this.standsAgainst(watch);
    if (why === undefined) this.watching.add(watch);
    else watch.end(why);
    return watch;
  }

  /** Everything under way, for whoever asks the provider about it. */
  get underWay(): ReadonlySet<Watch> {
    return this.watching;
  }

  /** Ends what is under way with this token (its digest), as the provider's answer wants. */
  endWatches(digest: string, why: Refusal): void {
    for (const watch of this.watching) {
      if (watch.credential.token_digest === digest) watch.end(why);
    }
  }

  private changed(change: Change): void {
    if (!change.lifted) {
      for (const watch of this.watching) {
        const why = this.standsAgainst(watch);
        if (why !== undefined) watch.end(why);
      }
    }
    for (const listener of this.listeners) listener(change);
  }

  close(): void {
    this.keep();
    clearTimeout(this.timer);
    this.store.close();
  }
}

class Watching implements Watch {
  readonly credential: Going["credential"];
  readonly session: Going["session"];
  readonly tool: string | undefined;
  private why: Refusal | undefined;
  private readonly controller = new AbortController();
  private readonly forget: (watch: Watching) => void;

  constructor(going: Going, tool: string | undefined, forget: (watch: Watching) => void) {
    this.credential = going.credential;
    this.session = going.session;
    this.tool = tool;
    this.forget = forget;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  ended(): Refusal | undefined {
    return this.why;
  }

  end(why: Refusal): void {
    if (this.why !== undefined) return;
    this.why = why;
    this.forget(this);
    this.controller.abort();
  }

  leave(): void {
    this.forget(this);
  }
}

// The operator's reason stays in the ledger: whoever is stopped, or steers her agent, may be the
// one whom it is about.
function lockedBy({ reach }: Lock): Refusal {
  const what = reach.kind === "all" ? "Everything" : `This ${reach.kind}`;
  return refusal("locked", {
    reason: `${what} is locked by the operator.`,
    details: { scope: reach.kind },
  });
}
