// The keychain, where this system has one: a real GNOME keyring in a session bus of its own.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect } from "vitest";
import { verifies } from "../verifies.ts";
import { NODE_FLAGS, plainEnvironment } from "./clients.ts";

const NEEDED = ["dbus-run-session", "dbus-send", "gnome-keyring-daemon", "secret-tool"];
const missing = NEEDED.filter((name) => spawnSync("which", [name]).status !== 0);
const skip = missing.length === 0 ? undefined : `not installed: ${missing.join(", ")}`;
const PROGRAM = resolve(import.meta.dirname, "../setup/keychain-program.ts");

verifies(
  "sign-in.stored",
  "the desktop's keyring keeps the key, and gives it back",
  () => {
    const home = mkdtempSync(join(tmpdir(), "doorless-keyring-"));
    try {
      // Asked whether the name has an owner, the bus starts nobody. Any question to the keyring
      // itself would: a second daemon, locked, which takes the name if the machine is busy.
      const script = `
        printf pw | gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null &
        until dbus-send --session --print-reply --dest=org.freedesktop.DBus / \\
          org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true
        do sleep 0.05; done
        "${process.execPath}" ${NODE_FLAGS.join(" ")} "${PROGRAM}"
        kill $!`;
      const env = { ...plainEnvironment(), HOME: home, XDG_RUNTIME_DIR: home };
      const stdio = ["ignore", "pipe", "ignore"] as ("ignore" | "pipe")[];
      const options = { env, stdio, timeout: 50_000 };
      const said = execFileSync("dbus-run-session", ["--", "sh", "-c", script], options);
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
