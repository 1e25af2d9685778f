// What each level stops: one table, which the probe tries at every start, the threat model shows,
// and the tests in test/escape/ hold each level to.
import type { Level } from "./backend.ts";
import { NODE_DENIES_NETWORK } from "./node-flags.ts";

/** `stops`: claimed, and tried at each start. `gap`: known not to be stopped, and said so. */
export type Claim = "stops" | "gap";

export interface Attempt {
  /** What the code in the worker tries, in words that finish "a worker cannot …". */
  readonly what: string;
  /** Whether Node's permission model stops it; a jail stops every one. */
  readonly process: Claim;
  /** Node's permission model has rules for it only since Node 25. */
  readonly network?: true;
  /**
   * What stops it under a jail, where it is not the jail: Node's permission model inside; or our
   * filter, which a container of the operator's does not have and, for this, does not need.
   */
  readonly inside?: "permission" | "filter";
}

const NETWORK: Claim = NODE_DENIES_NETWORK ? "stops" : "gap";

/** Keys are the names of functions in worker/attempts.ts. */
export const ATTEMPTS = {
  own_environment: { what: "find anything in its own environment", process: "stops" },
  host_environment: { what: "read the server's environment or arguments", process: "stops" },
  any_environment: { what: "read the environment of any process", process: "stops" },
  host_memory: { what: "read the server's memory or open files", process: "stops" },
  read_file: { what: "read a file of the server", process: "stops" },
  read_password_file: { what: "read the machine's own files", process: "stops" },
  list_root: { what: "find a folder that its jail is not meant to have", process: "stops" },
  follow_link: { what: "make a symbolic link and read through it", process: "stops" },
  open_database: { what: "open a database by way of node:sqlite", process: "stops" },
  write_file: { what: "write a file, or over its own program", process: "stops" },
  connect_tcp: { what: "connect to a service on the machine", process: NETWORK, network: true },
  send_udp: {
    what: "exchange packets with a service on the machine",
    process: NETWORK,
    network: true,
  },
  reach_metadata: {
    what: "find a way to the cloud's metadata service",
    process: NETWORK,
    network: true,
  },
  connect_unix: {
    what: "connect to a socket of the machine, by path or by name",
    process: NETWORK,
    network: true,
  },
  list_sockets: { what: "see which sockets the machine has open", process: "stops" },
  run_program: { what: "start a program", process: "stops", inside: "filter" },
  load_native_code: {
    what: "load native code, or reach Node's internals",
    process: "stops",
    inside: "permission",
  },
  start_thread: { what: "start a thread of its own", process: "stops", inside: "permission" },
  signal_host: { what: "signal the server, or change its priority", process: "gap" },
} as const satisfies Record<string, Attempt>;

export type AttemptName = keyof typeof ATTEMPTS;
export const ATTEMPT_NAMES = Object.keys(ATTEMPTS) as AttemptName[];

/** Whether the jail of a level stops it with nothing else in its way. */
export function jailStops(level: Level, attempt: AttemptName): boolean {
  const { inside }: Attempt = ATTEMPTS[attempt];
  return inside === undefined || (inside === "filter" && level === "os");
}

export function claimOf(level: Level, attempt: AttemptName): Claim {
  return level === "process" ? ATTEMPTS[attempt].process : "stops";
}
