// Who may start a worker now, and who waits.

/** A start costs the server's own thread some time, and a processor more: fifty come in turn. */
export const STARTS_AT_ONCE_MAX = 4;

/** So many places; whoever finds none waits his turn. */
export class Turns {
  private free: number;
  private readonly line: ((leave: () => void) => void)[] = [];

  constructor(places: number) {
    this.free = places;
  }

  enter(): Promise<() => void> {
    return new Promise((resolve) => {
      this.line.push(resolve);
      this.next();
    });
  }

  private next(): void {
    if (this.free === 0) return;
    const first = this.line.shift();
    if (first === undefined) return;
    this.free--;
    first(() => {
      this.free++;
      this.next();
    });
  }
}
