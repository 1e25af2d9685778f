// Turns: the sessions of one user take from one bucket, and one that hammers would get each call
// that comes back. Whoever waited as told, and found it taken, is next; others queue behind.

interface Waiting {
  readonly session: string;
  until_ms: number;
}

/** How long a call is kept for whom it is promised, beyond the moment when it is there. */
const GRACE_MS = 1000;
const SESSIONS_MAX = 10_000;
const QUEUE_MAX = 64;

export class Turns {
  /** When each session was told to come back. */
  private readonly told = new Map<string, number>();
  /** Of each user: the sessions whose turn it is, one after the other. Never empty. */
  private readonly queues = new Map<string, Waiting[]>();

  /** How long a call is kept for another session of this user; 0 where none is. */
  kept(user: string, session: string, now_ms: number): number {
    const queue = this.queues.get(user);
    if (queue === undefined) return 0;
    while (queue[0] !== undefined && queue[0].until_ms < now_ms) queue.shift();
    const [next] = queue;
    if (next === undefined) this.queues.delete(user);
    return next === undefined || next.session === session ? 0 : next.until_ms - now_ms + 1;
  }

  refused(user: string, session: string, retry_after_ms: number, now_ms: number): void {
    const told_ms = this.told.get(session);
    this.told.delete(session);
    // Beyond a bound somebody has no turn: nobody has more than the limit.
    const [oldest] = this.told.keys();
    if (this.told.size >= SESSIONS_MAX && oldest !== undefined) this.told.delete(oldest);
    this.told.set(session, now_ms + retry_after_ms);
    if (told_ms === undefined || now_ms < told_ms) return;
    const until_ms = now_ms + retry_after_ms + GRACE_MS;
    const queue = this.queues.get(user);
    const mine = queue?.find((one) => one.session === session);
    if (mine !== undefined) mine.until_ms = until_ms;
    else if (queue === undefined && this.queues.size < SESSIONS_MAX) {
      this.queues.set(user, [{ session, until_ms }]);
    } else if (queue !== undefined && queue.length < QUEUE_MAX) queue.push({ session, until_ms });
  }

  took(user: string, session: string): void {
    this.told.delete(session);
    const queue = this.queues.get(user);
    if (queue === undefined) return;
    const left = queue.filter((one) => one.session !== session);
    if (left.length === 0) this.queues.delete(user);
    else this.queues.set(user, left);
  }
}
