// Ends a server in order on SIGTERM, SIGINT or SIGHUP; the launcher passes them on.

/** Resolves with the name of the first that asked for the end; a second changes nothing. */
export function untilAsked(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      // Not `once`: Ctrl+C arrives twice, from the terminal and from the launcher.
      process.on(signal, () => resolve(signal));
    }
  });
}
