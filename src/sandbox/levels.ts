// The way to each level, and what to do where a machine does not have it.
import type { IsolationConfig } from "../config/isolation.ts";
import { createBubblewrapBackend } from "./backend-bubblewrap.ts";
import { createExternalBackend } from "./backend-external.ts";
import { createProcessBackend } from "./backend-process.ts";
import { IsolationUnavailable } from "./backend.ts";
import type { IsolationBackend, Level } from "./backend.ts";
import type { Stage } from "./stage.ts";

/** Throws `IsolationUnavailable` where the machine lacks a part of it. */
export function createBackend(
  level: Level,
  { command = [] }: Pick<IsolationConfig, "command">,
  { aside }: Pick<Stage, "aside">,
): IsolationBackend {
  switch (level) {
    case "process":
      // Such a worker can signal us, and SIGUSR1 would open a debugger in this very process.
      if (process.execArgv.includes("--disable-sigusr1")) return createProcessBackend();
      throw new IsolationUnavailable("the server was started without --disable-sigusr1");
    case "os":
      return createBubblewrapBackend(aside);
    case "external":
      return createExternalBackend(command);
  }
}

const MENDS: readonly (readonly [RegExp, string])[] = [
  [
    /uid map|RTM_NEWADDR|namespace|Operation not permitted/i,
    "allow unprivileged user namespaces; on Ubuntu 24.04 and later, AppArmor forbids them until " +
      "/etc/apparmor.d/bwrap allows `userns`; in a container, its seccomp profile does",
  ],
  [/--disable-sigusr1/, "start it with bin/doorless.js, which sees to that"],
  [/install bubblewrap/, "apt-get install bubblewrap, or dnf install bubblewrap"],
  [
    /level os/,
    "see with `command -v bwrap` that the bwrap which comes first on PATH is the distribution's " +
      "bubblewrap, and nothing in its place",
  ],
];

/** Why a level cannot be had, and how it can. */
export function unavailableWhy(error: unknown): {
  readonly message: string;
  readonly mend: string;
} {
  const why = error instanceof Error ? error.message : String(error);
  const known = MENDS.find(([sign]) => sign.test(why))?.[1];
  const more = `docs/threat-model.md, "When a level cannot be had"; nothing runs at a lower one`;
  const mend = known === undefined ? `see ${more}` : `${known}; more: ${more}`;
  return { message: `isolation_unavailable: ${why}`, mend };
}
