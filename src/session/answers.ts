// What a session has been answered, as far as rules ask for it: "mail only to contacts of deals
// that this session has read". Held in memory and bounded. What is forgotten, by a bound, an
// ending or a restart, counts as never answered, and no rule can be written that allows more then.
import type { Clock } from "../kernel/clock.ts";
import { isReached, reachableOf } from "./reach.ts";
import type { Ending, Going, Reach, Reachable } from "./reach.ts";

export type Scalar = string | number | boolean;

/** The value, then what the rule asks of the record that it stood in. */
export type Row = readonly [value: Scalar, ...others: readonly unknown[]];

const ROWS_PER_USER_MAX = 10_000;
const ROWS_MAX = 500_000;
const ROWS_PER_VALUE_MAX = 100;
const TEXT_CHARS_MAX = 512;
const IDLE_MS_MAX = 12 * 3_600_000;

interface Held {
  readonly whose: Reachable;
  readonly user: string;
  readonly bySource: Map<string, Map<Scalar, Row[]>>;
  rows: number;
  used_ms: number;
}

const NOTHING: readonly Row[] = [];

export class Answers {
  private readonly clock: Clock;
  private readonly sessions = new Map<string, Held>();
  private readonly byUser = new Map<string, number>();
  private rows = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Keeps rows of one source; those that do not fit are as if they had not been read. */
  keep(going: Going, source: string, rows: readonly Row[]): void {
    for (const row of rows) {
      if (!isKept(row)) continue;
      const before = this.rowsWith(going.session.id, source, row[0]);
      if (before.length >= ROWS_PER_VALUE_MAX || before.some((one) => isSame(one, row))) continue;
      if (!this.hasRoom(going.session.user)) return;
      const held = this.heldBy(going);
      const known = held.bySource.get(source) ?? new Map<Scalar, Row[]>();
      held.bySource.set(source, known);
      if (before.length === 0) known.set(row[0], [row]);
      else known.get(row[0])?.push(row);
      held.rows++;
      this.count(held.user, 1);
    }
  }

  /** The records in which this session was answered this value; empty where in none. */
  rowsWith(session: string, source: string, value: unknown): readonly Row[] {
    const held = this.sessions.get(session);
    if (held === undefined) return NOTHING;
    const now_ms = this.clock.monotonic();
    if (isIdle(held, now_ms)) {
      this.drop(session, held);
      return NOTHING;
    }
    held.used_ms = now_ms;
    return held.bySource.get(source)?.get(value as Scalar) ?? NOTHING;
  }

  /** Whoever may not go on has read nothing, should she ever come back. */
  forget(reach: Reach | Ending): void {
    for (const [id, held] of this.sessions) {
      if (isReached(reach, held.whose)) this.drop(id, held);
    }
  }

  get size(): number {
    return this.rows;
  }

  private heldBy({ credential, session }: Going): Held {
    const used_ms = this.clock.monotonic();
    const known = this.sessions.get(session.id);
    if (known !== undefined) {
      known.used_ms = used_ms;
      return known;
    }
    const whose = reachableOf(credential);
    const made = { whose, user: session.user, bySource: new Map(), rows: 0, used_ms };
    this.sessions.set(session.id, made);
    return made;
  }

  private hasRoom(user: string): boolean {
    const isFull = (): boolean =>
      this.rows >= ROWS_MAX || (this.byUser.get(user) ?? 0) >= ROWS_PER_USER_MAX;
    if (isFull()) this.dropIdle();
    return !isFull();
  }

  private dropIdle(): void {
    const now_ms = this.clock.monotonic();
    for (const [id, held] of this.sessions) if (isIdle(held, now_ms)) this.drop(id, held);
  }

  private drop(id: string, held: Held): void {
    this.sessions.delete(id);
    this.count(held.user, -held.rows);
  }

  private count(user: string, by: number): void {
    this.rows += by;
    const left = (this.byUser.get(user) ?? 0) + by;
    if (left === 0) this.byUser.delete(user);
    else this.byUser.set(user, left);
  }
}

function isIdle({ used_ms }: Held, now_ms: number): boolean {
  return now_ms - used_ms > IDLE_MS_MAX;
}

// Two numbers beyond 2^53 may be one double: such a value names nothing.
function isKept(row: readonly unknown[]): boolean {
  return row.every((value) => {
    if (typeof value === "string") return value.length <= TEXT_CHARS_MAX;
    return typeof value !== "number" || !Number.isInteger(value) || Number.isSafeInteger(value);
  });
}

function isSame(one: Row, other: Row): boolean {
  return one.every((value, i) => value === other[i]);
}
