// The keychain, where this system has one: a real GNOME keyring in a session bus of its own.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "vitest";
import { verifies } from "../verifies.ts";
import { NODE_FLAGS, plainEnvironment } from "./clients.ts";

const NEEDED = ["dbus-run-session", "gnome-keyring-daemon", "secret-tool"];
const missing = NEEDED.filter((name) => spawnSync("which", [name]).status !== 0);
const skip = missing.length === 0 ? undefined : `not installed: ${missing.join(", ")}`;
const PROGRAM = resolve(import.meta.dirname, "../setup/keychain-program.ts");

verifies(
  "sign-in.stored",
  "the desktop's keyring keeps the key, and gives it back",
  () => {
    const home = mkdtempSync(join(tmpdir(), "doorless-keyring-"));
    try {
      const script = `
        printf pw | gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null &
        for i in $(seq 100); do secret-tool search a b >/dev/null 2>&1 && break; sleep 0.05; done
        "${process.execPath}" ${NODE_FLAGS.join(" ")} "${PROGRAM}"
        kill $!`;
      const env = { ...plainEnvironment(), HOME: home, XDG_RUNTIME_DIR: home };
      const stdio = ["ignore", "pipe", "ignore"] as ("ignore" | "pipe")[];
      const said = execFileSync("dbus-run-session", ["--", "sh", "-c", script], { env, stdio });
      expect(JSON.parse(said.toString())).toEqual({
        name: "the desktop's keyring",
        before: null,
        kept: true,
        after: "a-key-of-the-test",
      });
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  },
  { skip, timeout_ms: 60_000 },
);
