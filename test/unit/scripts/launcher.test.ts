// bin/doorless.js, started as people start it, around a small program that says what it got.
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifies } from "../../verifies.ts";

const REPOSITORY = resolve(import.meta.dirname, "../../..");
const PROGRAM = `
const [verb, value] = process.argv.slice(2);
if (verb === "report") {
  const { execPath, execArgv, version, env } = process;
  const names = ["NODE_OPTIONS", "NODE_TLS_REJECT_UNAUTHORIZED", "DOORLESS_LIFELINE_FD", "KEPT"];
  const seen = Object.fromEntries(names.map((name) => [name, env[name] ?? null]));
  console.log(JSON.stringify({ execPath, execArgv, version, seen, url: import.meta.url }));
}
if (verb === "echo") process.stdin.pipe(process.stdout);
if (verb === "exit") process.exitCode = Number(value);
if (verb === "die") process.kill(process.pid, value);
if (verb === "wait") {
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"]) {
    process.once(name, () => { console.log("stopped by " + name); process.exit(0); });
  }
  setInterval(() => {}, 1000);
  console.log("ready");
}
if (verb === "grandchild") {
  const { spawnSync } = await import("node:child_process");
  const open = "console.log(require('fs').readdirSync('/proc/self/fd').join())";
  spawnSync(process.execPath, ["-e", open], { stdio: "inherit" });
}
`;

let clone: string;
let installed: string;

beforeAll(() => {
  clone = mkdtempSync(join(tmpdir(), "doorless-launcher-"));
  plant(clone, "src/cli/index.ts", `const typed: string = "";\nvoid typed;${PROGRAM}`);
  cpSync(join(REPOSITORY, "runtime"), join(clone, "runtime"), { recursive: true });
  symlinkSync(join(REPOSITORY, "node_modules"), join(clone, "node_modules"));
  installed = mkdtempSync(join(tmpdir(), "doorless-installed-"));
  plant(join(installed, "node_modules/doorless"), "dist/src/cli/index.js", PROGRAM);
});

afterAll(() => {
  for (const folder of [clone, installed]) rmSync(folder, { recursive: true });
});

function plant(root: string, entry: string, program: string): void {
  mkdirSync(dirname(join(root, entry)), { recursive: true });
  mkdirSync(join(root, "bin"));
  cpSync(join(REPOSITORY, "bin/doorless.js"), join(root, "bin/doorless.js"));
  writeFileSync(join(root, "package.json"), '{ "type": "module" }\n');
  writeFileSync(join(root, entry), program);
}

interface Start {
  readonly node?: string;
  readonly flags?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly root?: string;
}

function command(args: readonly string[], start: Start): [string, string[], NodeJS.ProcessEnv] {
  const { NODE_OPTIONS: _dropped, ...inherited } = process.env;
  const launcher = join(start.root ?? clone, "bin/doorless.js");
  const node = start.node ?? process.execPath;
  return [node, [...(start.flags ?? []), launcher, ...args], { ...inherited, ...start.env }];
}

function run(args: readonly string[], start: Start = {}, input = "") {
  const [node, list, env] = command(args, start);
  return spawnSync(node, list, { env, input, encoding: "utf8" });
}

function launch(args: readonly string[], start: Start = {}): ChildProcessWithoutNullStreams {
  const [node, list, env] = command(args, start);
  return spawn(node, list, { env });
}

function reportOf(start: Start) {
  return JSON.parse(run(["report"], start).stdout) as {
    execPath: string;
    execArgv: string[];
    version: string;
    seen: Record<string, string | null>;
    url: string;
  };
}

/** The machine's own Node, if it has one that is too old to run doorless. */
function findOldNode(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders
    .filter((folder) => !folder.includes("node_modules"))
    .map((folder) => join(folder, "node"))
    .find((node) => {
      const [major = 99] = spawnSync(node, ["-p", "process.versions.node"], { encoding: "utf8" })
        .stdout?.split(".")
        .map(Number) ?? [99];
      return major >= 18 && major < 24;
    });
}

const oldNode = findOldNode();
const noOldNode = oldNode === undefined ? "no Node older than 24 on PATH" : undefined;

async function untilReady(child: ChildProcessWithoutNullStreams): Promise<void> {
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    if (String(chunk).includes("ready")) return;
  }
  throw new Error("the program ended before it was ready");
}

async function exitOf(child: ChildProcessWithoutNullStreams) {
  return new Promise<{ code: number | null; signal: string | null }>((done) => {
    child.on("close", (code, signal) => done({ code, signal }));
  });
}

describe("the runtime", () => {
  verifies("house.launcher-flags", "runs the program with --disable-sigusr1 and no more", () => {
    expect(reportOf({}).execArgv).toEqual(["--disable-sigusr1"]);
    expect(reportOf({ flags: ["--disable-sigusr1"] }).execArgv).toEqual(["--disable-sigusr1"]);
    expect(reportOf({ flags: ["--expose-gc"] }).execArgv).toEqual(["--disable-sigusr1"]);
  });

  test("the running Node is used when it is new enough", () => {
    expect(reportOf({}).execPath).toBe(process.execPath);
  });

  verifies(
    "house.launcher-runtime",
    "under an old Node runs the program in the Node of the clone",
    () => {
      const report = reportOf({ node: oldNode ?? "" });
      expect(report.version).toBe(`v${bundledVersion()}`);
      expect(report.execArgv).toEqual(["--disable-sigusr1"]);
      expect(report.url).toContain("/src/cli/index.ts");
    },
    { skip: noOldNode },
  );

  verifies(
    "house.launcher-runtime",
    "under an old Node with no other at hand says which one is needed and which was found",
    () => {
      const root = join(installed, "node_modules/doorless");
      const { status, stdout, stderr } = run(["report"], { node: oldNode ?? "", root });
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr).toMatch(/needs Node 24\.15 or newer; this is Node \d+\.\d+\.\d+ \(\//);
    },
    { skip: noOldNode },
  );

  test("an installed copy runs its dist/", () => {
    const root = join(installed, "node_modules/doorless");
    expect(reportOf({ root }).url).toContain("/dist/src/cli/index.js");
    cpSync(join(root, "bin"), join(root, "dist/bin"), { recursive: true });
    expect(reportOf({ root: join(root, "dist") }).url).toBe(reportOf({ root }).url);
  });

  test("a copy without a program says so", () => {
    const root = mkdtempSync(join(tmpdir(), "doorless-empty-"));
    plant(root, "elsewhere/index.js", "");
    const { status, stderr } = run([], { root });
    rmSync(root, { recursive: true });
    expect(status).toBe(2);
    expect(stderr).toContain("npm run build");
  });
});

describe("the environment", () => {
  for (const flag of ["--inspect=0", "--inspect-port=0", "--inspect_port=0"]) {
    verifies("house.launcher-flags", `${flag} on the command line stops the start`, () => {
      const { status, stdout, stderr } = run(["report"], { flags: [flag] });
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr).toContain("doorless: refuses --inspect");
    });
    verifies("house.launcher-flags", `${flag} in NODE_OPTIONS stops the start`, () => {
      const env = { NODE_OPTIONS: `--no-warnings "${flag}"` };
      const { status, stdout, stderr } = run(["report"], { env });
      expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      expect(stderr).toContain("doorless: refuses --inspect");
    });
  }

  verifies("house.launcher-flags", "what weakens Node is dropped aloud, the rest is kept", () => {
    const env = { NODE_OPTIONS: "--no-warnings", NODE_TLS_REJECT_UNAUTHORIZED: "0", KEPT: "1" };
    const { stdout, stderr } = run(["report"], { env, flags: ["--disable-sigusr1"] });
    expect(JSON.parse(stdout).seen).toEqual({
      NODE_OPTIONS: null,
      NODE_TLS_REJECT_UNAUTHORIZED: null,
      DOORLESS_LIFELINE_FD: null,
      KEPT: "1",
    });
    expect(stderr).toContain("starts without NODE_OPTIONS");
    expect(stderr).toContain("starts without NODE_TLS_REJECT_UNAUTHORIZED");
  });

  test("a lifeline that no launcher holds stops the start", () => {
    for (const flags of [[], ["--disable-sigusr1"]]) {
      for (const DOORLESS_LIFELINE_FD of ["0", "3", ""]) {
        const { status, stdout } = run(["report"], { flags, env: { DOORLESS_LIFELINE_FD } });
        expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
      }
    }
  });
});

describe.for([
  ["this Node", process.execPath],
  ["an old Node", oldNode],
] as const)("under %s", ([name, node]) => {
  const start: Start = { node: node ?? "" };
  const skip = node === undefined ? noOldNode : undefined;

  verifies(
    "cli.exit-codes",
    `the program's exit code is the launcher's, under ${name}`,
    () => expect(run(["exit", "3"], start).status).toBe(3),
    { skip },
  );

  verifies(
    "cli.stdout",
    `stdin and stdout pass through byte for byte, under ${name}`,
    () => {
      const input = `{"jsonrpc":"2.0"}\n\u0000é${"x".repeat(300_000)}`;
      const { stdout, stderr, status } = run(["echo"], start, input);
      expect({ same: stdout === input, stderr, status }).toEqual({
        same: true,
        stderr: "",
        status: 0,
      });
    },
    { skip },
  );

  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    verifies(
      "cli.stop",
      `${signal} reaches the program, whose exit code is kept, under ${name}`,
      async () => {
        const child = launch(["wait"], start);
        await untilReady(child);
        const output = text(child.stdout);
        child.kill(signal);
        expect(await exitOf(child)).toEqual({ code: 0, signal: null });
        expect(await output).toContain(`stopped by ${signal}`);
      },
      { skip },
    );
  }

  test.skipIf(skip)(
    `a program that dies of a signal takes the launcher along, under ${name}`,
    async () => {
      for (const signal of ["SIGKILL", "SIGTERM"]) {
        expect(await exitOf(launch(["die", signal], start))).toEqual({ code: null, signal });
      }
    },
  );

  verifies(
    "cli.stop",
    `the program stops when its launcher is killed with SIGKILL, under ${name}`,
    async () => {
      const child = launch(["wait"], start);
      await untilReady(child);
      // stdout is shared: it ends when the last process that holds it is gone.
      const output = text(child.stdout);
      child.kill("SIGKILL");
      expect(await output).toContain("stopped by SIGTERM");
    },
    { skip },
  );
});

test.skipIf(process.platform !== "linux")(
  "the lifeline is not inherited by the program's children",
  () => {
    // 3 would be the lifeline; readdir itself holds one descriptor, epoll and friends the others.
    const without = run(["grandchild"], { flags: ["--disable-sigusr1"] }).stdout;
    expect(run(["grandchild"]).stdout).toBe(without);
  },
);

function bundledVersion(): string {
  const manifest = readFileSync(join(REPOSITORY, "runtime/package.json"), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}
