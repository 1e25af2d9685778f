// How long one request may take: until its deadline, or until whoever asked hangs up. One signal
// for both. (`AbortSignal.any` with `timeout` says the same, but its timer outlives the request,
// and holds everything that the request held until then.)

export class Patience {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly asked: AbortSignal;
  private ranOut = false;

  constructor(asked: AbortSignal, timeout_ms: number) {
    this.asked = asked;
    this.timer = setTimeout(() => {
      this.ranOut = true;
      this.controller.abort();
    }, timeout_ms);
    if (asked.aborted) this.controller.abort();
    else asked.addEventListener("abort", this.hungUp);
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
    this.asked.removeEventListener("abort", this.hungUp);
  }

  private readonly hungUp = (): void => this.controller.abort();
}
