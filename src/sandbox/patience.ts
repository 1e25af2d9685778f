// How long one request may take: until its deadline, or until whoever asked hangs up or loses
// access. One signal for all. (`AbortSignal.any` with `timeout` says the same, but its timer
// outlives the request, and holds everything that the request held until then.)

export class Patience {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly asked: readonly AbortSignal[];
  private ranOut = false;

  constructor(asked: readonly AbortSignal[], timeout_ms: number) {
    this.asked = asked;
    this.timer = setTimeout(() => {
      this.ranOut = true;
      this.controller.abort();
    }, timeout_ms);
    for (const signal of asked) {
      if (signal.aborted) this.controller.abort();
      else signal.addEventListener("abort", this.hungUp);
    }
  }

  /** Aborted when it is over. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** The deadline passed before the end came. */
  get late(): boolean {
    return this.ranOut;
  }

  /** The request is through, well or badly: nothing of it stays behind. */
  end(): void {
    clearTimeout(this.timer);
    for (const signal of this.asked) signal.removeEventListener("abort", this.hungUp);
  }

  private readonly hungUp = (): void => this.controller.abort();
}
