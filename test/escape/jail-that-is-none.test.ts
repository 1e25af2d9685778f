// A jail that is missing, broken or pretended: the server that asks for it does not start.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect } from "vitest";
import { ConfigError } from "../../src/config/problem.ts";
import { openOwnSandbox } from "../setup/code.ts";
import { LEVELS } from "../setup/levels.ts";
import { minimalConfig, put, testFolder } from "../setup/minimal.ts";
import { verifies } from "../verifies.ts";

const skip = LEVELS.find(({ level }) => level === "os")?.skip;
const path = process.env["PATH"];
const ROOT = resolve(import.meta.dirname, "../..");

/** Runs what bubblewrap would have run, with its files where they really are, and no jail. */
const UNJAILED = `#!/bin/sh
while [ "$1" != "--" ]; do
  if [ "$1" = --ro-bind ] && [ "$3" = /node ]; then node=$2; fi
  if [ "$1" = --ro-bind ] && [ "$3" = /w ]; then stage=$2; fi
  shift
done
shift 2
for argument; do
  shift
  set -- "$@" "$(echo "$argument" | sed "s|/w/|$stage/|")"
done
exec "$node" "$@"
`;

/** A folder whose only bwrap is this one; the rest of PATH comes after it. */
function withBwrap(put_there: (file: string) => void): string {
  const folder = testFolder();
  put_there(join(folder, "bwrap"));
  return `${folder}:${path ?? ""}`;
}

const PRETENDERS: Readonly<Record<string, readonly [() => string, RegExp, RegExp]>> = {
  "no bubblewrap at all": [
    () => {
      const folder = testFolder();
      const tools = join(folder, "bin");
      mkdirSync(tools);
      for (const name of ["ldd", "sh", "bash", "cat", "sed", "grep"]) {
        if (existsSync(`/usr/bin/${name}`)) symlinkSync(`/usr/bin/${name}`, join(tools, name));
      }
      return tools;
    },
    /no bwrap on PATH: install bubblewrap/,
    /apt-get install bubblewrap/,
  ],
  "/bin/false in its place": [
    () => withBwrap((file) => symlinkSync("/bin/false", file)),
    /no worker at level os: its worker ended/,
    /first on PATH/,
  ],
  "a script that runs its argument without a jail": [
    () =>
      withBwrap((file) => {
        writeFileSync(file, UNJAILED);
        chmodSync(file, 0o755);
      }),
    /level os does not hold: a worker could signal the server/,
    /first on PATH/,
  ],
  "a script that says it is ready, and is nothing": [
    () =>
      withBwrap((file) => {
        writeFileSync(
          file,
          '#!/bin/sh\nprintf \'\\\\000\\\\000\\\\000\\\\013{"t":"ready"}\'\ncat >/dev/null\n',
        );
        chmodSync(file, 0o755);
      }),
    /./,
    /first on PATH/,
  ],
};

/** The real bubblewrap, with a part of the jail taken away or a folder put in. */
const HOLES: Readonly<Record<string, readonly [string, RegExp]>> = {
  "no network of its own": [
    `for one; do
       shift
       if [ "$one" = --unshare-all ]; then set -- "$@" --unshare-pid --unshare-ipc --unshare-uts
       else set -- "$@" "$one"; fi
     done`,
    /level os does not hold: a worker could see which sockets the machine has open/,
  ],
  "a folder of the machine": [
    `set -- --ro-bind "$(dirname "$0")" /more "$@"`,
    /level os does not hold: a worker could find a folder that its jail is not meant to have/,
  ],
};

beforeEach(() => {
  process.env["PATH"] = path;
});

afterEach(() => {
  process.env["PATH"] = path;
});

describe("level os", () => {
  for (const [what, [pathOf, says, mend]] of Object.entries(PRETENDERS)) {
    verifies(
      ["sandbox.probe", "sandbox.escape"],
      `${what}: it cannot be had, and nothing is left behind`,
      async () => {
        process.env["PATH"] = pathOf();
        const opened = openOwnSandbox({ code_tools: "os", run_code: "none" });
        const error = await opened.then(
          () => undefined,
          (why: unknown) => why,
        );
        expect(error).toBeInstanceOf(ConfigError);
        const [problem] = (error as ConfigError).problems;
        expect(problem).toMatchObject({ pointer: "/isolation/code_tools" });
        expect(problem?.message).toMatch(/^isolation_unavailable: /);
        expect(problem?.message).toMatch(says);
        expect(problem?.mend).toMatch(mend);
        const [, page = "", title = ""] = /(docs\/\S+), "(.+)"/.exec(problem?.mend ?? "") ?? [];
        expect(readFileSync(join(ROOT, page), "utf8")).toContain(`\n### ${title}\n`);
      },
      { skip: process.platform === "linux" ? undefined : "bubblewrap is for Linux" },
    );
  }

  for (const [what, [change, says]] of Object.entries(HOLES)) {
    verifies(
      ["sandbox.probe", "sandbox.escape"],
      `a jail with ${what} does not hold`,
      async () => {
        process.env["PATH"] = withBwrap((file) => {
          writeFileSync(file, `#!/bin/sh\n${change}\nPATH='${path ?? ""}' exec bwrap "$@"\n`);
          chmodSync(file, 0o755);
        });
        await expect(openOwnSandbox({ code_tools: "os", run_code: "none" })).rejects.toThrow(says);
      },
      { skip },
    );
  }

  verifies(
    "sandbox.probe",
    "doorless start with a pretended jail exits with 2 and serves nothing",
    () => {
      const folder = testFolder();
      mkdirSync(join(folder, "tools"));
      const config = minimalConfig({
        isolation: { code_tools: "os", run_code: "os" },
        agents: { desk: { title: "Desk", purpose: "x", tools: {} } },
        roles: {},
        connectors: {},
        listen: { host: "127.0.0.1", port: 0 },
      });
      put(folder, "mcp.config.json", JSON.stringify(config));
      const PATH = withBwrap((file) => symlinkSync("/bin/false", file));
      const { status, stderr, stdout } = spawnSync(
        process.execPath,
        [join(ROOT, "bin/doorless.js"), "start", "--config", join(folder, "mcp.config.json")],
        { env: { PATH }, encoding: "utf8" },
      );
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr).toMatch(/\/isolation\/code_tools.*isolation_unavailable/s);
      expect(stderr).not.toContain("serves");
      expect(readdirSync(join(folder, ".doorless", "sandbox"))).toEqual([]);
    },
    { skip: process.platform === "linux" ? undefined : "bubblewrap is for Linux" },
  );

  verifies(
    "sandbox.probe",
    "with the real one it opens, and says what it found",
    async () => {
      const own = await openOwnSandbox({ code_tools: "os", run_code: "os" });
      const said = own.sandbox.isolationOf("code");
      await own.close();
      expect(said).toBe("os (probed at start: 19 attempts refused; no known gaps)");
    },
    { skip },
  );
});
