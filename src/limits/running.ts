// Places for what runs at once. Held in memory: they end with the process, as what ran does.

/** How many calls run at once, in all and per user. */
export class Running {
  private readonly perUser = new Map<string, number>();
  private all = 0;
  private onIdle: (() => void) | undefined;
  private readonly all_max: number;
  private readonly per_user_max: number;

  constructor(all_max: number, per_user_max: number) {
    this.all_max = all_max;
    this.per_user_max = per_user_max;
  }

  get count(): number {
    return this.all;
  }

  /** What is full, as the configuration calls the two. */
  fullFor(user: string): "user" | "all" | undefined {
    if ((this.perUser.get(user) ?? 0) >= this.per_user_max) return "user";
    return this.all >= this.all_max ? "all" : undefined;
  }

  /** Resolves when nothing runs, or after `ms_max`. */
  async drained(ms_max: number): Promise<void> {
    if (this.all === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms_max);
      this.onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** The way to give the place back, or nothing where there is no place. Idempotent. */
  enter(user: string): (() => void) | undefined {
    if (this.fullFor(user) !== undefined) return undefined;
    this.all++;
    this.perUser.set(user, (this.perUser.get(user) ?? 0) + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.all--;
      const now = (this.perUser.get(user) ?? 1) - 1;
      if (now === 0) this.perUser.delete(user);
      else this.perUser.set(user, now);
      if (this.all === 0) this.onIdle?.();
    };
  }
}
