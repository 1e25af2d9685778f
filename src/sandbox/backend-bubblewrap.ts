// Level `os`, Linux: namespaces by bubblewrap, and our own seccomp filter. In the jail there are
// Node, the libraries that it is linked with, and the stage; no network, no other process, no other
// file.
import { execFileSync, spawn } from "node:child_process";
import { accessSync, closeSync, constants, openSync, realpathSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { IsolationUnavailable } from "./backend.ts";
import type { IsolationBackend, WorkerSpec } from "./backend.ts";
import { isolated } from "./backend-process.ts";
import { limited } from "./limited.ts";
import { nodeArguments } from "./node-flags.ts";
import { seccompFilter } from "./seccomp.ts";

const NODE = "/node";
const STAGE = "/w";
const TMP_BYTES_MAX = 16_777_216;
/** An identity that owns nothing. */
const NOBODY = "65534";
const SECCOMP_FD = 3;
const INFO_FD = 4;

/**
 * Throws `IsolationUnavailable` where the machine lacks a part. Whether the jail holds, the probe
 * says.
 */
export function createBubblewrapBackend(folder: string): IsolationBackend {
  if (process.platform !== "linux") {
    throw new IsolationUnavailable(`bubblewrap is for Linux, this is ${process.platform}`);
  }
  const filter = seccompFilter();
  if (filter === undefined) {
    throw new IsolationUnavailable(`there is no seccomp filter for ${process.arch} yet`);
  }
  const filter_file = join(folder, "seccomp.bpf");
  writeFileSync(filter_file, filter, { mode: 0o600 });
  const bwrap = findProgram("bwrap");
  const libraries = librariesOf(process.execPath);
  return {
    level: "os",
    measured: true,
    root: [...libraries, NODE, STAGE, "/proc", "/dev", "/tmp"].map((path) => topOf(path)),
    spawn(spec) {
      const jailed = [bwrap, ...jail(spec, libraries), "--", NODE, ...nodeArguments(spec, STAGE)];
      const [program, ...args] = limited(jailed);
      // Opened anew each time: whoever reads a file's end leaves it there for the next.
      const fd = openSync(filter_file, "r");
      try {
        const stdio = ["pipe", "pipe", "pipe", fd, "pipe"] as const;
        const child = spawn(program, args, { env: {}, cwd: "/", stdio: [...stdio] });
        let inside: number | undefined;
        // First of all: it hears of a start that failed, where there are no pipes at all.
        const held = isolated(child, () => inside);
        child.stdio[INFO_FD]?.on("data", (chunk: Buffer) => {
          inside ??= Number(/"child-pid": (\d+)/.exec(chunk.toString("latin1"))?.[1]);
        });
        child.stdio[INFO_FD]?.on("error", () => undefined);
        return held;
      } finally {
        closeSync(fd);
      }
    },
  };
}

// --as-pid-1 and an empty environment: otherwise bubblewrap's own environment stays readable at
// /proc/1/environ inside (containers/bubblewrap issue 725).
function jail(spec: WorkerSpec, libraries: readonly string[]): string[] {
  const words = (text: string): string[] => text.split(" ");
  return [
    ...words("--unshare-all --unshare-user --disable-userns --die-with-parent --new-session"),
    ...words("--as-pid-1 --clearenv --cap-drop ALL --hostname worker"),
    ...words(`--uid ${NOBODY} --gid ${NOBODY}`),
    ...libraries.flatMap((path) => ["--ro-bind", path, path]),
    "--ro-bind",
    process.execPath,
    NODE,
    "--ro-bind",
    spec.folder,
    STAGE,
    ...words("--proc /proc --dev /dev --remount-ro /dev"),
    ...words(`--size ${TMP_BYTES_MAX} --tmpfs /tmp --remount-ro / --chdir ${STAGE}`),
    ...words(`--seccomp ${SECCOMP_FD} --info-fd ${INFO_FD}`),
  ];
}

function topOf(path: string): string {
  return path.split("/")[1] ?? "";
}

function findProgram(name: string): string {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return realpathSync(path);
    } catch {
      // Not in this folder.
    }
  }
  throw new IsolationUnavailable(`there is no ${name} on PATH: install bubblewrap`);
}

/** What the dynamic linker loads for a program, and the linker itself. */
function librariesOf(program: string): string[] {
  let said: string;
  try {
    said = execFileSync("ldd", [program], { encoding: "utf8", env: {} });
  } catch (error) {
    throw new IsolationUnavailable(`ldd cannot say what Node is linked with: ${String(error)}`);
  }
  const paths = [...said.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map((match) => match[1] ?? "");
  if (paths.length === 0) throw new IsolationUnavailable("ldd names no library of Node");
  return paths;
}
