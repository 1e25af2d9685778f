// Ends a server in order on SIGTERM or SIGINT; the launcher passes them on. SIGHUP asks for the
// configuration anew, but ends what somebody runs in a terminal, which is then gone.
import { isatty } from "node:tty";

/** Resolves with the name of the first that asked for the end; a second changes nothing. */
export function untilAsked(): Promise<string> {
  return new Promise((resolve) => {
    const ends = ["SIGTERM", "SIGINT", ...(isatty(0) ? ["SIGHUP"] : [])];
    for (const signal of ends) {
      // Not `once`: Ctrl+C arrives twice, from the terminal and from the launcher.
      process.on(signal, () => resolve(signal));
    }
  });
}

/** Calls `reload` for each SIGHUP that is no end; returns the way to stop. */
export function onHangup(reload: () => void): () => void {
  if (isatty(0)) return () => undefined;
  process.on("SIGHUP", reload);
  return () => process.off("SIGHUP", reload);
}
