// The child's end of a `fork` channel: answers what the parent asks, one question at a time.

export type Message = Readonly<Record<string, unknown>>;

/** Says something to the parent, if there is one. */
export function tell(message: Message): void {
  process.send?.(message);
}

/** What this process has used so far: CPU in microseconds, resident memory in bytes. */
export interface Usage {
  readonly cpu_us: number;
  /** Of that, the main thread's. */
  readonly main_us: number;
  readonly rss_bytes: number;
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const main = process.threadCpuUsage();
  const main_us = main.user + main.system;
  return { cpu_us: user + system, main_us, rss_bytes: process.memoryUsage.rss() };
}

export type Verbs = Readonly<Record<string, (given: Message) => unknown>>;

/** Answers `{ ask: VERB, id, ... }` with `{ id, value }`; `usage` always; `stop` ends it all. */
export function serveParent(verbs: Verbs): void {
  const all: Readonly<Record<string, ((given: Message) => unknown) | undefined>> = {
    usage,
    ...verbs,
  };
  process.on("message", (message: Message) => {
    const { ask, id } = message;
    void (async () => {
      const verb = all[String(ask)];
      tell({ id, value: await verb?.(message) });
      if (ask === "stop") process.disconnect?.();
    })();
  });
  // Without its parent it has no purpose; a test runner that is killed leaves nothing behind.
  process.on("disconnect", () => process.exit());
}
