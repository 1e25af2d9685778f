// The operating system's keychain, through the program that the system brings for it: no native
// module. It keeps one thing, the key of the file of sign-ins. Any failure means: there is none.
import { execFileSync } from "node:child_process";

const TIMEOUT_MS = 5000;
const SERVICE = "doorless";
const ACCOUNT = "sign-in";

export interface Keychain {
  readonly name: string;
  /** The key as text; `undefined` where it has none, or does not open. */
  get(): string | undefined;
  /** False where it would not keep it. */
  set(text: string): boolean;
}

function run(program: string, args: readonly string[], input = ""): string | undefined {
  try {
    const options = { input, timeout: TIMEOUT_MS, encoding: "utf8" as const };
    return execFileSync(program, args, { ...options, stdio: ["pipe", "pipe", "ignore"] }).trim();
  } catch {
    return undefined;
  }
}

const macos: Keychain = {
  name: "the macOS keychain",
  get: () =>
    run("/usr/bin/security", ["find-generic-password", "-s", SERVICE, "-a", ACCOUNT, "-w"]),
  // Through stdin: what stands among the arguments, every local user can read.
  set: (text) =>
    run(
      "/usr/bin/security",
      ["-i"],
      `add-generic-password -U -s ${SERVICE} -a ${ACCOUNT} -w ${text}\n`,
    ) !== undefined && macos.get() === text,
};

const linux: Keychain = {
  name: "the desktop's keyring",
  get: () => run("secret-tool", ["lookup", "service", SERVICE, "key", ACCOUNT]),
  set: (text) =>
    run("secret-tool", ["store", "--label=doorless", "service", SERVICE, "key", ACCOUNT], text) !==
      undefined && linux.get() === text,
};

/** The keychain of this system, if it has one that a program can use just now. */
export function findKeychain(): Keychain | undefined {
  if (process.platform === "darwin") return macos;
  const hasDesktop = (process.env["DBUS_SESSION_BUS_ADDRESS"] ?? "") !== "";
  return process.platform === "linux" && hasDesktop ? linux : undefined;
}
