// The local MCP servers there are: so many in all and per user. Each has one seat, and a seat is of
// one session and one connector: a process holds what its session told it, and serves no other.
import { refusal } from "../../kernel/errors.ts";
import type { Refusal } from "../../kernel/errors.ts";
import { no, ok } from "../../kernel/result.ts";
import type { Result } from "../../kernel/result.ts";
import type { StdioServer } from "./stdio-server.ts";
import { abortedBy } from "./stdio-server.ts";
import { STARTS_AT_ONCE_MAX, Turns } from "../turns.ts";

const TIDY_MS = 1000;

export interface ServersOptions {
  readonly servers_max: number;
  readonly servers_per_user_max: number;
  readonly idle_ms_max: number;
}

const ENDED = refusal("cancelled", { reason: "Its session ended." });

export class Servers {
  private readonly options: ServersOptions;
  private readonly seats = new Set<Seat>();
  private readonly turns = new Turns(STARTS_AT_ONCE_MAX);
  private readonly tidying: NodeJS.Timeout;
  private closed = false;

  constructor(options: ServersOptions) {
    this.options = options;
    this.tidying = setInterval(() => this.tidy(), TIDY_MS);
    this.tidying.unref();
  }

  /** Processes alive, or on their way. */
  get count(): number {
    return this.taken().length;
  }

  /** A seat for one session and one connector; no process yet. `user` is nobody's for a look. */
  seat(user: string | undefined, start: () => StdioServer): Seat {
    const seat: Seat = new Seat(user, start, {
      // A place is taken from here on, whoever has to wait for his turn.
      room: () => (this.closed ? ENDED : this.makeRoom(seat)),
      turn: () => this.turns.enter(),
      left: () => this.seats.delete(seat),
    });
    this.seats.add(seat);
    return seat;
  }

  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.tidying);
    await Promise.all([...this.seats].map((seat) => seat.close()));
  }

  private taken(): Seat[] {
    return [...this.seats].filter((seat) => seat.isTaken);
  }

  // The longest idle first; never one that is at work.
  private makeRoom({ user }: Seat): Refusal | undefined {
    const { servers_max, servers_per_user_max } = this.options;
    const theirs = this.taken().filter((seat) => user !== undefined && seat.user === user);
    if (theirs.length >= servers_per_user_max && !endIdle(theirs)) return tooMany("of this user");
    const all = this.taken();
    return all.length >= servers_max && !endIdle(all) ? tooMany("in all") : undefined;
  }

  private tidy(): void {
    const late_ms = performance.now() - this.options.idle_ms_max;
    for (const seat of this.taken()) if (seat.isIdle && seat.since_ms < late_ms) seat.end(ENDED);
  }
}

interface House {
  /** Nothing where there is room for one more process, or why there is none. */
  readonly room: () => Refusal | undefined;
  readonly turn: () => Promise<() => void>;
  readonly left: () => void;
}

export class Seat {
  readonly user: string | undefined;
  /** Since when nobody uses it. */
  since_ms = 0;
  private readonly start: () => StdioServer;
  private readonly house: House;
  private server: StdioServer | undefined;
  private coming: Promise<Result<StdioServer>> | undefined;
  private users = 0;
  private closed = false;

  constructor(user: string | undefined, start: () => StdioServer, house: House) {
    this.user = user;
    this.start = start;
    this.house = house;
  }

  get isTaken(): boolean {
    return this.coming !== undefined || this.server?.alive === true;
  }

  get isIdle(): boolean {
    return this.users === 0 && this.coming === undefined;
  }

  /** Its process, where it still has the one that it had; one that has not greeted is none yet. */
  get running(): StdioServer | undefined {
    return this.coming === undefined && this.server?.alive === true ? this.server : undefined;
  }

  /** Its process, a new one where there is none: greeted, and ready to be asked. */
  async started(signal: AbortSignal): Promise<Result<StdioServer>> {
    if (this.running !== undefined) return ok(this.running);
    if (signal.aborted) return no(abortedBy(signal));
    const coming = (this.coming ??= this.begin().finally(() => (this.coming = undefined)));
    // Somebody else may wait for it yet: who goes away does not end it.
    const aborted = Promise.withResolvers<Result<StdioServer>>();
    const abort = (): void => aborted.resolve(no(abortedBy(signal)));
    signal.addEventListener("abort", abort, { once: true });
    const first = await Promise.race([coming, aborted.promise]);
    signal.removeEventListener("abort", abort);
    return first;
  }

  /** Uses it for as long as `then` takes: it is not idle meanwhile. */
  async use<T>(then: () => Promise<T>): Promise<T> {
    this.users++;
    try {
      return await then();
    } finally {
      this.users--;
      this.since_ms = performance.now();
    }
  }

  end(why: Refusal): void {
    this.server?.destroy(why);
  }

  /** Its session is over: what runs ends at once, and nothing starts any more. */
  async close(): Promise<void> {
    this.closed = true;
    this.house.left();
    this.end(ENDED);
    await this.coming;
    await this.server?.gone;
  }

  private async begin(): Promise<Result<StdioServer>> {
    const full = this.house.room();
    if (full !== undefined) return no(full);
    const leave = await this.house.turn();
    try {
      if (this.closed) return no(ENDED);
      this.server = this.start();
      this.since_ms = performance.now();
      await this.server.ready;
      return ok(this.server);
    } catch (error) {
      if (this.closed) return no(ENDED);
      const cause = `the MCP server did not start: ${(error as Error).message}`;
      return no(refusal("isolation_unavailable", { cause }));
    } finally {
      leave();
    }
  }
}

function endIdle(seats: readonly Seat[]): boolean {
  const [oldest] = seats.filter((seat) => seat.isIdle).toSorted((a, b) => a.since_ms - b.since_ms);
  oldest?.end(ENDED);
  return oldest !== undefined;
}

function tooMany(which: string): Refusal {
  const reason = `As many MCP servers ${which} are busy as may be.`;
  return refusal("capacity", { reason, retry_after_ms: 500 });
}
