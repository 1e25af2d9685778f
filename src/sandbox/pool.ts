// The workers there are: a few that nobody has used, and those that belong to somebody. A worker
// is bound when it is claimed and never goes back: another session never gets a used one.
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import type { Credential } from "../kernel/principal.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import { STARTS_AT_ONCE_MAX, Turns } from "./turns.ts";
import type { Worker } from "./worker.ts";

const WATCH_MS = 1000;
/** What a worker may use while nobody asks it anything: timers that a tool left behind. */
const IDLE_CPU_MS_MAX = 200;

export type Kind = "tool" | "engine";

/** Whose a worker is. Two calls share one only where all of it is the same. */
export interface Owner {
  readonly credential: Credential;
  readonly user: string;
  readonly session: string;
  readonly tool: string;
  /** The tool's version, and what the session may do: with another of these, another worker. */
  readonly rights: string;
}

export interface PoolOptions {
  readonly start: (kind: Kind) => Worker;
  readonly workers_max: number;
  readonly workers_per_user_max: number;
  /** How many unused ones are kept ready, per kind. */
  readonly ready: Readonly<Record<Kind, number>>;
  readonly idle_ms_max: number;
}

interface Bound {
  readonly worker: Worker;
  readonly owner: Owner;
  busy: boolean;
  /** Set while idle: when it became so, and what it had used by then. */
  since_ms: number;
  cpu_ms: number;
}

/** A worker for the time of one call. */
export interface Lease {
  readonly worker: Worker;
  /** True where nobody has used it: it has no tool yet. */
  readonly fresh: boolean;
  /** Kept for its owner's next call, or ended. */
  readonly release: (keep: boolean) => void;
}

const ENDED = refusal("cancelled", { reason: "Its session ended." });
const REVOKED = refusal("access_revoked");

export class Pool {
  private readonly options: PoolOptions;
  private readonly unused: Record<Kind, Worker[]> = { tool: [], engine: [] };
  private readonly bound = new Set<Bound>();
  private readonly waiting = new Set<Owner>();
  private readonly turns = new Turns(STARTS_AT_ONCE_MAX);
  /** Unused ones that are on their way. */
  private readonly coming: Record<Kind, number> = { tool: 0, engine: 0 };
  private readonly watching: NodeJS.Timeout;
  private closed = false;

  constructor(options: PoolOptions) {
    this.options = options;
    this.watching = setInterval(() => this.tidy(), WATCH_MS);
    this.watching.unref();
    this.refill();
  }

  /** How many there are, the unused ones included. */
  get count(): number {
    const { unused, coming } = this;
    const ready = unused.tool.length + unused.engine.length + coming.tool + coming.engine;
    return this.bound.size + this.waiting.size + ready;
  }

  /** The owner's own idle worker, else an unused one, else a new one, else `capacity`. */
  async claim(kind: Kind, owner: Owner): Promise<Result<Lease>> {
    const mine = this.idle((one) => same(one.owner, owner)).at(-1);
    if (mine !== undefined) return ok(this.lease(mine, false));
    const room = this.makeRoom(owner);
    if (room !== undefined) return no(room);
    try {
      const unused = this.takeUnused(kind);
      const bound = this.bind(owner, unused ?? (await this.startFor(owner, kind)));
      await bound.worker.ready;
      return ok(this.lease(bound, true));
    } catch (error) {
      return no(refusal("isolation_unavailable", { cause: (error as Error).message }));
    }
  }

  private bind(owner: Owner, worker: Worker): Bound {
    const bound: Bound = { worker, owner, busy: true, since_ms: 0, cpu_ms: 0 };
    this.bound.add(bound);
    void worker.gone.then(() => this.bound.delete(bound));
    return bound;
  }

  // Whoever waits for a start has his place already: it counts as if he had the worker.
  private async startFor(owner: Owner, kind: Kind): Promise<Worker> {
    this.waiting.add(owner);
    try {
      return await this.start(kind);
    } finally {
      this.waiting.delete(owner);
    }
  }

  private async start(kind: Kind): Promise<Worker> {
    const leave = await this.turns.enter();
    if (this.closed) throw new Error("the server is stopping");
    const worker = this.options.start(kind);
    worker.ready.then(leave, leave);
    return worker;
  }

  /** Ends every worker of these people's sessions at once, with whatever runs in them. */
  endSessions(areTheirs: (credential: Credential) => boolean): void {
    for (const { owner, worker } of this.bound) {
      if (areTheirs(owner.credential)) worker.destroy(REVOKED);
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.watching);
    const { tool, engine } = this.unused;
    const all = [...tool, ...engine, ...[...this.bound].map((one) => one.worker)];
    for (const worker of all) worker.destroy(ENDED);
    await Promise.all(all.map((worker) => worker.gone));
  }

  private lease(bound: Bound, fresh: boolean): Lease {
    const { worker } = bound;
    bound.busy = true;
    return {
      worker,
      fresh,
      release: (keep) => {
        bound.busy = false;
        bound.since_ms = performance.now();
        bound.cpu_ms = worker.cpu_ms;
        if (!keep || this.closed) worker.destroy(ENDED);
        // Not before: a start would take from the call what it needs itself.
        this.refill();
      },
    };
  }

  // The longest idle first; never one that is at work.
  private makeRoom(owner: Owner): Refusal | undefined {
    const { workers_max, workers_per_user_max } = this.options;
    const stale = this.idle((one) => outdated(one.owner, owner));
    for (const one of stale) this.end(one);
    const owners = [...[...this.bound].map((one) => one.owner), ...this.waiting];
    if (owners.filter(({ user }) => user === owner.user).length >= workers_per_user_max) {
      const [oldest] = this.idle((one) => one.owner.user === owner.user);
      if (oldest === undefined) return tooMany("of this user");
      this.end(oldest);
    }
    if (this.bound.size + this.waiting.size >= workers_max) {
      const [oldest] = this.idle(() => true);
      if (oldest === undefined) return tooMany("in all");
      this.end(oldest);
    }
    return undefined;
  }

  private idle(which: (one: Bound) => boolean): Bound[] {
    const found = [...this.bound].filter((one) => !one.busy && one.worker.alive && which(one));
    return found.toSorted((a, b) => a.since_ms - b.since_ms);
  }

  private end(one: Bound): void {
    this.bound.delete(one);
    one.worker.destroy(ENDED);
  }

  private takeUnused(kind: Kind): Worker | undefined {
    for (
      let next = this.unused[kind].shift();
      next !== undefined;
      next = this.unused[kind].shift()
    ) {
      if (next.alive) return next;
    }
    return undefined;
  }

  // In the background; unused ones stand back where those in use need the room.
  private refill(): void {
    if (this.closed) return;
    for (const kind of ["tool", "engine"] as const) {
      while (this.unused[kind].length + this.coming[kind] < this.options.ready[kind]) {
        if (this.count >= this.options.workers_max) return;
        void this.addUnused(kind);
      }
    }
  }

  private async addUnused(kind: Kind): Promise<void> {
    this.coming[kind]++;
    try {
      const worker = await this.start(kind);
      if (this.closed) worker.destroy(ENDED);
      else this.unused[kind].push(worker);
    } catch {
      // Whoever claims one is told why there is none.
    } finally {
      this.coming[kind]--;
    }
  }

  private tidy(): void {
    const now_ms = performance.now();
    for (const one of this.idle(() => true)) {
      const late = now_ms - one.since_ms > this.options.idle_ms_max;
      if (late || one.worker.cpu_ms - one.cpu_ms > IDLE_CPU_MS_MAX) this.end(one);
    }
    for (const kind of ["tool", "engine"] as const) {
      this.unused[kind] = this.unused[kind].filter((worker) => worker.alive);
    }
    this.refill();
  }
}

function same(a: Owner, b: Owner): boolean {
  return a.user === b.user && a.session === b.session && a.tool === b.tool && a.rights === b.rights;
}

// The same tool for the same session, but of another version or with other rights.
function outdated(a: Owner, b: Owner): boolean {
  return a.session === b.session && a.tool === b.tool && a.rights !== b.rights;
}

function tooMany(which: string): Refusal {
  const reason = `As many workers ${which} are busy as may be.`;
  return refusal("capacity", { reason, retry_after_ms: 500 });
}
