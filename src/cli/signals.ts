// Ends a server in order on SIGTERM, SIGINT, or when the launcher that started it is gone.

/** Resolves with the name of what asked for the end. */
export function untilAsked(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      process.once(signal, () => resolve(signal));
    }
  });
}
