// What a hostile tool would try, one function each: it resolves with the evidence where it got
// through, and throws where it was refused. Node's own modules are all there; only the level is
// not.
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import {
  readdirSync,
  readFileSync,
  openSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { readSync } from "node:fs";
import { createConnection } from "node:net";
import { getPriority, setPriority, tmpdir } from "node:os";
import type { AttemptName } from "../claims.ts";

const PATIENCE_MS = 1000;
/** Not imported: at every level it is meant to be missing. */
const SQLITE = "node:sqlite";

/** Where the canaries are. */
export interface Targets {
  readonly host_pid: number;
  /** A file of the server's, by its path. */
  readonly file: string;
  readonly database: string;
  /** Each answers whoever connects. */
  readonly tcp_port: number;
  readonly udp_port: number;
  readonly unix_path: string;
  /** In Linux's abstract namespace; empty elsewhere. */
  readonly unix_name: string;
  /** What `/` holds in the jail. */
  readonly root: readonly string[];
}

interface Sqlite {
  readonly DatabaseSync: new (path: string) => { prepare(sql: string): { all(): unknown } };
}

type Try = (targets: Targets) => string | Promise<string>;

const refused = (why: string): never => {
  throw new Error(why);
};

/** The first of them that gets through; refused where none does. */
async function firstOf(
  tries: Readonly<Record<string, () => string | Promise<string>>>,
): Promise<string> {
  const refusals: string[] = [];
  for (const [name, attempt] of Object.entries(tries)) {
    try {
      return `${name}: ${await attempt()}`;
    } catch (error) {
      refusals.push(`${name} ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`);
    }
  }
  return refused(refusals.join(", "));
}

function read(path: string): string {
  const text = readFileSync(path, "latin1");
  return text === "" ? refused("empty") : text.slice(0, 200);
}

function connection(options: { port: number; host: string } | { path: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(options);
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error("timeout")));
    socket.once("data", (chunk: Buffer) => {
      resolve(chunk.toString("latin1"));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

function packet(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      socket.close();
      settle();
    };
    const timer = setTimeout(() => end(() => reject(new Error("timeout"))), PATIENCE_MS);
    socket.once("message", (message) => end(() => resolve(message.toString("latin1"))));
    socket.once("error", (error) => end(() => reject(error)));
    socket.send("canary?", port, "127.0.0.1");
  });
}

function others(): string[] {
  const isOther = (name: string): boolean => /^\d+$/.test(name) && name !== String(process.pid);
  return readdirSync("/proc").filter(isOther);
}

export const attempts: Readonly<Record<AttemptName, Try>> = {
  // A shell and bubblewrap say where they are; that is all there may be.
  own_environment: () => {
    const names = Object.keys(process.env).filter((name) => name !== "PWD");
    return names.join(" ") || refused("empty");
  },
  host_environment: ({ host_pid }) =>
    firstOf({
      environ: () => read(`/proc/${host_pid}/environ`),
      "parent's environ": () => read(`/proc/${process.ppid}/environ`),
      cmdline: () => read(`/proc/${host_pid}/cmdline`),
    }),
  any_environment: () =>
    firstOf(
      Object.fromEntries(others().map((pid) => [`pid ${pid}`, () => read(`/proc/${pid}/environ`)])),
    ),
  host_memory: ({ host_pid }) =>
    firstOf({
      mem: () => {
        const fd = openSync(`/proc/${host_pid}/mem`, "r");
        return `opened as ${readSync(fd, Buffer.alloc(1), 0, 0, 0)}`;
      },
      fd: () => readdirSync(`/proc/${host_pid}/fd`).join(" ") || refused("empty"),
      root: () => readdirSync(`/proc/${host_pid}/root`).join(" ") || refused("empty"),
      maps: () => read(`/proc/${host_pid}/maps`),
    }),
  read_file: ({ file }) =>
    firstOf({ file: () => read(file), link: () => readlinkSync(`/proc/self/cwd/../${file}`) }),
  read_password_file: () =>
    firstOf({ passwd: () => read("/etc/passwd"), "os-release": () => read("/etc/os-release") }),
  list_root: ({ root }) => {
    const more = readdirSync("/").filter((name) => !root.includes(name));
    return more.join(" ") || refused("nothing but the jail's own");
  },
  follow_link: ({ file }) =>
    firstOf(
      Object.fromEntries(
        [import.meta.dirname, tmpdir(), "/dev/shm"].map((folder) => [
          folder,
          () => {
            const link = `${folder}/link-${createHash("sha256").update(file).digest("hex")}`;
            symlinkSync(file, link);
            return read(link);
          },
        ]),
      ),
    ),
  async open_database({ database }) {
    const sqlite = process.getBuiltinModule(SQLITE) as Sqlite | undefined;
    if (sqlite === undefined) return refused("there is no node:sqlite");
    const open = new sqlite.DatabaseSync(database);
    return JSON.stringify(open.prepare("SELECT name FROM sqlite_master").all());
  },
  write_file: ({ file }) =>
    firstOf({
      "own program": () => written(import.meta.filename),
      "beside the canary": () => written(`${file}.written`),
      "a temporary file": () => large(`${tmpdir()}/doorless-attempt`),
      "shared memory": () => large("/dev/shm/doorless-attempt"),
      "a device folder": () => large("/dev/doorless-attempt"),
    }),
  connect_tcp: ({ tcp_port: port }) =>
    firstOf({
      tcp: () => connection({ port, host: "127.0.0.1" }),
      fetch: async () => (await fetch(`http://127.0.0.1:${port}/`)).text(),
    }),
  send_udp: ({ udp_port }) => packet(udp_port),
  reach_metadata: () =>
    new Promise((resolve, reject) => {
      const socket = createSocket("udp4");
      socket.once("error", reject);
      // Connecting sends nothing: it asks the system for a route.
      const connected = (error?: Error): void => {
        if (error instanceof Error) return reject(error);
        resolve(`a route from ${socket.address().address}`);
        socket.close();
      };
      socket.connect(80, "169.254.169.254", connected);
    }),
  connect_unix: ({ unix_path, unix_name }) =>
    firstOf({
      path: () => connection({ path: unix_path }),
      name: () => (unix_name === "" ? refused("not here") : connection({ path: `\0${unix_name}` })),
    }),
  // A filter may refuse every socket in the server's own network: this asks whose network it is.
  list_sockets: ({ unix_name }) => {
    const listed = readFileSync("/proc/net/unix", "latin1");
    return unix_name !== "" && listed.includes(unix_name) ? unix_name : refused("none of them");
  },
  run_program: () => {
    const { spawnSync } = process.getBuiltinModule("node:child_process");
    const run = (program: string, ...args: string[]): string => {
      const { error, pid } = spawnSync(program, args, { timeout: PATIENCE_MS });
      if (error !== undefined) throw error;
      return `ran as ${pid}`;
    };
    return firstOf({
      sh: () => run("/bin/sh", "-c", "true"),
      node: () => run(process.execPath, "-v"),
    });
  },
  load_native_code: () =>
    firstOf({
      addon: () => {
        process.dlopen({ exports: {} }, "/nowhere.node");
        return "opened";
      },
      binding: () => {
        const { binding } = process as unknown as { binding: (name: string) => object };
        return Object.keys(binding("spawn_sync")).join(" ");
      },
      inspector: () => {
        const { Session } = process.getBuiltinModule("node:inspector");
        const session = new Session();
        session.connect();
        return "attached";
      },
    }),
  start_thread: () => {
    const { Worker } = process.getBuiltinModule("node:worker_threads");
    return new Promise((resolve, reject) => {
      const thread = new Worker("0", { eval: true });
      thread.once("online", () => resolve("a thread"));
      thread.once("error", reject);
    });
  },
  signal_host: ({ host_pid }) =>
    firstOf({
      signal: () => (process.kill(host_pid, 0), "may be signalled"),
      parent: () =>
        process.ppid > 1 ? (process.kill(process.ppid, 0), "its parent") : refused("no parent"),
      all: () => (process.kill(-1, 0), "all may be signalled"),
      priority: () => {
        setPriority(host_pid, getPriority(host_pid));
        return "may be changed";
      },
    }),
};

function written(path: string): string {
  writeFileSync(path, "written", { flag: "a" });
  return "written";
}

// A little is what a private temporary folder is for; this is more than it may hold.
function large(path: string): string {
  try {
    writeFileSync(path, Buffer.alloc(64 * 1024 * 1024));
    return "64 MiB written";
  } finally {
    rmSync(path, { force: true });
  }
}
