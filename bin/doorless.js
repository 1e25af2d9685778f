#!/usr/bin/env node
// The launcher: finds a Node that can run doorless, starts it with the flags that the boundary
// needs, and stays out of the way. Plain JavaScript that Node 18 parses, because telling somebody
// with an old Node what is needed is half of its work.
//
// It runs the program in this very process when nothing has to change; otherwise it runs itself
// again, once, in the right Node with the right flags, and forwards signals and the exit status.
import { spawn } from "node:child_process";
import { existsSync, fstatSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Socket } from "node:net";
import { constants } from "node:os";
import { dirname, join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const NODE_NEEDED = { major: 24, minor: 15 };
/** Without it, anyone who may signal the process opens a debugger in it with SIGUSR1. */
const FLAGS = ["--disable-sigusr1"];
/**
 * Variables by which an environment changes what Node does: code loaded before ours, certificate
 * checks switched off, requests with their tokens printed. The program starts without them.
 */
const UNWANTED_VARIABLES = [
  "NODE_OPTIONS",
  "NODE_DEBUG",
  "NODE_DEBUG_NATIVE",
  "NODE_PATH",
  "NODE_TLS_REJECT_UNAUTHORIZED",
];
/** Tells the program which inherited pipe closes when its launcher dies, however it dies. */
const LIFELINE_VARIABLE = "DOORLESS_LIFELINE_FD";
const LIFELINE_FD = 3;
const LIFELINE_IS_OURS = `${LIFELINE_VARIABLE} is the launcher's own: unset it.`;
const STOP_DEADLINE_MS = 8000;
const NPM_WATCH_MS = 200;
const EXIT_USAGE = 2;

const root = dirname(dirname(fileURLToPath(import.meta.url)));

main();

function main() {
  const debuggerFlag = findDebuggerFlag();
  if (debuggerFlag !== undefined) {
    return refuse(
      `refuses ${debuggerFlag}: a debugger reads every token in the process. ` +
        "Start it without the flag, and without it in NODE_OPTIONS.",
    );
  }
  const entry = findEntry();
  if (entry === undefined) {
    return refuse(`this copy of doorless has no program in it: run "npm run build" in ${root}.`);
  }
  const runtime = findRuntime();
  if (runtime === undefined) {
    const needed = `${NODE_NEEDED.major}.${NODE_NEEDED.minor}`;
    return refuse(
      `needs Node ${needed} or newer; this is Node ${process.versions.node}` +
        ` (${process.execPath}). In a clone, "npm ci" brings the right one along; otherwise` +
        " install a current Node.",
    );
  }
  if (runtime === process.execPath && isAsWanted()) return runHere(entry);
  // One start is enough to get what we want; a second would be the beginning of an endless row.
  if (process.env[LIFELINE_VARIABLE] !== undefined) return refuse(LIFELINE_IS_OURS);
  return runThere(runtime);
}

/** @param {string} why */
function refuse(why) {
  process.stderr.write(`doorless: ${why}\n`);
  process.exitCode = EXIT_USAGE;
}

function findDebuggerFlag() {
  const option = /(?:^|[\s"'])(--(?:inspect|debug)[\w-]*)/;
  const texts = [...process.execArgv, process.env["NODE_OPTIONS"] || ""];
  const found = texts.map((text) => option.exec(text)).find(Boolean);
  return found ? found[1] : undefined;
}

/**
 * In a clone the sources run as they are; Node strips no types below node_modules. dist/ is a copy
 * of the whole, this launcher included, so that what the program says of its own place holds.
 */
function findEntry() {
  const source = join(root, "src", "cli", "index.ts");
  const built = [
    join(root, "dist", "src", "cli", "index.js"),
    join(root, "src", "cli", "index.js"),
  ];
  const installed = root.split(sep).includes("node_modules");
  const candidates = installed ? built : [source, ...built];
  return candidates.find((path) => existsSync(path));
}

function findRuntime() {
  return isNewEnough(process.versions.node) ? process.execPath : findBundledNode();
}

/**
 * The Node that `npm ci` put into a clone: one of the optional dependencies of runtime/, chosen
 * by platform. An installed package has no runtime/ and finds nothing here.
 */
function findBundledNode() {
  const home = join(root, "runtime", "package.json");
  if (!existsSync(home)) return undefined;
  const require = createRequire(home);
  const platform = process.platform === "win32" ? "win" : process.platform;
  const suffix = `-${platform}-${process.arch}`;
  const names = Object.keys(readJson(home).optionalDependencies);
  const name = names.find((candidate) => candidate.endsWith(suffix));
  if (name === undefined) return undefined;
  let manifest;
  try {
    manifest = require.resolve(`${name}/package.json`);
  } catch {
    // Not installed: "npm ci" has not run, or it left out optional dependencies.
    return undefined;
  }
  const { bin, version } = readJson(manifest);
  return isNewEnough(version) ? join(dirname(manifest), bin.node) : undefined;
}

/** @param {string} path */
function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** @param {string} version */
function isNewEnough(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > NODE_NEEDED.major || (major === NODE_NEEDED.major && minor >= NODE_NEEDED.minor);
}

/** Exactly our flags, and nothing in the environment that adds to them. */
function isAsWanted() {
  const sameFlags = process.execArgv.join(" ") === FLAGS.join(" ");
  return sameFlags && UNWANTED_VARIABLES.every((name) => process.env[name] === undefined);
}

/** @param {string} entry */
function runHere(entry) {
  const lifeline = process.env[LIFELINE_VARIABLE];
  delete process.env[LIFELINE_VARIABLE];
  if (lifeline !== undefined && !holdLifeline(lifeline)) {
    return refuse(LIFELINE_IS_OURS);
  }
  // The program sees itself as what was started: `process.argv` is [node, launcher, ...verb].
  void import(pathToFileURL(entry).href);
}

/**
 * The other end of this pipe is held by the launcher alone. The kernel closes it when the
 * launcher is gone, SIGKILL included, and then we stop as for SIGTERM, within a deadline.
 * @param {string} value
 */
function holdLifeline(value) {
  if (value !== String(LIFELINE_FD) || !isPipe(LIFELINE_FD)) return false;
  const pipe = new Socket({ fd: LIFELINE_FD, readable: true, writable: false });
  // An error closes it too, and says the same: nobody waits for us any more.
  pipe.once("close", stopSoon).on("error", () => pipe.destroy());
  pipe.resume().unref();
  return true;
}

function stopSoon() {
  setTimeout(() => process.kill(process.pid, "SIGKILL"), STOP_DEADLINE_MS).unref();
  process.kill(process.pid, "SIGTERM");
}

/** @param {number} fd */
function isPipe(fd) {
  try {
    const stat = fstatSync(fd);
    return stat.isSocket() || stat.isFIFO();
  } catch {
    return false;
  }
}

/**
 * npm starts scripts through a shell, and a signal to npm ends that shell without telling us: a
 * `npm start` that is stopped must not leave a server behind. A changed parent says so.
 * @param {() => void} stop
 */
function stopWithNpm(stop) {
  if (process.env["npm_lifecycle_event"] === undefined) return;
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    stop();
  }, NPM_WATCH_MS);
  watch.unref();
}

/** @param {string} runtime */
function runThere(runtime) {
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, [LIFELINE_VARIABLE]: String(LIFELINE_FD) };
  for (const name of UNWANTED_VARIABLES) {
    if (env[name] === undefined) continue;
    process.stderr.write(`doorless: starts without ${name} from the environment\n`);
    delete env[name];
  }
  // stdin, stdout and stderr are the same open files in the child, so that MCP over stdio is
  // untouched: no byte passes through this process.
  const child = spawn(
    runtime,
    [...FLAGS, fileURLToPath(import.meta.url), ...process.argv.slice(2)],
    {
      env,
      stdio: ["inherit", "inherit", "inherit", "pipe"],
    },
  );
  /** @type {NodeJS.Signals[]} */
  const forwarded = ["SIGTERM", "SIGINT", "SIGHUP"];
  // Ctrl+C reaches the child twice, from the terminal and from here: its stop is idempotent.
  for (const signal of forwarded) process.on(signal, () => child.kill(signal));
  stopWithNpm(() => child.kill("SIGTERM"));
  child.on("error", (error) => refuse(`cannot start ${runtime}: ${error.message}`));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code === null ? 1 : code);
    // Die of the same signal, so that whoever waits for us sees what happened. The exit code is
    // the shell's word for it where a signal cannot be raised (Windows, an ignored signal).
    for (const name of forwarded) process.removeAllListeners(name);
    process.exitCode = 128 + constants.signals[signal];
    process.kill(process.pid, signal);
  });
}
