// `doorless demo` as a process of its own, on fixed or free ports, until it is told to stop.
import { spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { execFileSync } from "node:child_process";
import type { Readable } from "node:stream";
import { LAUNCHER, NODE_FLAGS, plainEnvironment, ROOT } from "./clients.ts";
import { freePort } from "../../src/cli/demo-world.ts";

export interface Ready {
  readonly ready: true;
  readonly mcp: Readonly<Record<string, string>>;
  readonly console: string | null;
  readonly issuer: string;
  readonly api: string;
  readonly data: string;
}

export class DemoProcess {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  stdout = "";
  stderr = "";
  private readonly ended: Promise<[number | null, NodeJS.Signals | null]>;

  constructor(command: string, args: readonly string[], env: Record<string, string> = {}) {
    this.child = spawn(command, [...args], {
      cwd: ROOT,
      env: plainEnvironment(env),
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own, as a terminal gives each command.
      detached: true,
    });
    this.ended = once(this.child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => (this.stdout += text));
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
  }

  /** The ready line; rejects with what it said when it ends before. */
  async ready(): Promise<Ready> {
    const line = new Promise<string>((resolve) => {
      const look = (): void => {
        const [first, ...rest] = this.stdout.split("\n");
        if (first !== undefined && rest.length > 0) resolve(first);
      };
      look();
      this.child.stdout.on("data", look);
    });
    const over = this.ended.then(([code]) => {
      throw new Error(`the demo ended with ${code}: ${this.stderr}`);
    });
    return JSON.parse(await Promise.race([line, over])) as Ready;
  }

  /** Sends a signal; how it ended, and after how long. */
  async stop(signal: NodeJS.Signals = "SIGTERM") {
    const from_ms = performance.now();
    this.child.kill(signal);
    const [code] = await this.ended;
    return { code, took_ms: performance.now() - from_ms };
  }

  /** What Ctrl+C in a terminal does: each process of the group gets the signal. */
  async interrupt(): Promise<void> {
    this.signalGroup("SIGINT");
    await this.ended;
  }

  private signalGroup(signal: NodeJS.Signals): void {
    const { pid } = this.child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // There is no such group any more.
    }
  }

  /** Ends it for sure, whatever a failed test has left of it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.signalGroup("SIGKILL");
    await this.ended;
  }
}

export function startDemoProcess(data: string, port: number): DemoProcess {
  const args = ["demo", "--port", String(port), "--data", data, "--json"];
  return new DemoProcess(process.execPath, [...NODE_FLAGS, LAUNCHER, ...args]);
}

/** The first of four neighbouring ports that are free on loopback. */
export async function freePorts(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const port = await freePort();
    const all = await Promise.all([0, 1, 2, 3].map((more) => isFree(port + more)));
    if (port < 65_000 && all.every(Boolean)) return port;
  }
  throw new Error("no four neighbouring ports are free");
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** A Node of the system, outside any node_modules, that is too old to run doorless itself. */
export function findOldNode(): string | undefined {
  return systemPath()
    .map((folder) => join(folder, "node"))
    .filter((path) => existsSync(path))
    .find((path) => {
      const version = execFileSync(path, ["-p", "process.versions.node"], { encoding: "utf8" });
      return Number(version.split(".")[0]) < 24;
    });
}

/** PATH as it is without what npm and npx put before it. */
export function systemPath(): string[] {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.filter((folder) => !folder.split(/[\\/]/).includes("node_modules"));
}
