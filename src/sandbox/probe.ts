// The probe: before anything is served, a real worker at the level that was asked for makes the
// attempts which that level claims to stop, against fresh canaries. One that gets through stops the
// start, and so does a jail that is none. Known gaps are looked at too, and said.
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IsolationUnavailable } from "./backend.ts";
import type { IsolationBackend, WorkerSpec } from "./backend.ts";
import { ATTEMPT_NAMES, ATTEMPTS, claimOf, jailStops } from "./claims.ts";
import type { AttemptName } from "./claims.ts";
import type { Stage } from "./stage.ts";
import { Worker } from "./worker.ts";
import type { Targets } from "./worker/attempts.ts";

const PROBE_MS_MAX = 20_000;
const LIMITS = { frame_bytes_max: 65_536, rss_bytes_max: 512 * 1024 * 1024 };
const HEAP_MIB_MAX = 128;

/** What became of one attempt: what it got hold of, or how it was refused. */
export interface Outcome {
  readonly attempt: AttemptName;
  readonly got?: string;
  readonly refused?: string;
}

export interface Found {
  readonly refused: readonly AttemptName[];
  /** Attempts that got through, as the level says that they may. */
  readonly gaps: readonly AttemptName[];
}

export interface ProbeResult extends Found {
  /** What a jail refused that has nothing in it but a program of somebody else's. */
  readonly alone: Found;
}

/** Resolves where the level holds; throws `IsolationUnavailable` with what got through. */
export async function probe(backend: IsolationBackend, stage: Stage): Promise<ProbeResult> {
  const traps = await setTraps();
  try {
    const spec = {
      folder: stage.folder,
      entry: stage.entry("probe-worker"),
      heap_mib_max: HEAP_MIB_MAX,
    };
    const only = ATTEMPT_NAMES.filter((name) => name !== "list_root" || backend.root !== undefined);
    const outcomes = await attack(backend, { ...spec, permission: true }, traps.targets, only);
    judge(outcomes, (name) => claimOf(backend.level, name) === "stops", backend.level);
    if (backend.level === "process") return { ...foundIn(outcomes), alone: NOTHING };
    // Once more with Node's own checks off: the jail must hold with nothing else in the way.
    const bare = await attack(backend, { ...spec, permission: false }, traps.targets, only);
    judge(bare, (name) => jailStops(backend.level, name), backend.level);
    // What a program does inside, with what is its own, is no way out of it.
    const ways_out = bare.filter(({ attempt }) => jailStops(backend.level, attempt));
    return { ...foundIn(outcomes), alone: foundIn(ways_out) };
  } finally {
    await traps.remove();
  }
}

const NOTHING: Found = { refused: [], gaps: [] };

function foundIn(outcomes: readonly Outcome[]): Found {
  const names = (which: readonly Outcome[]) => which.map(({ attempt }) => attempt);
  return {
    refused: names(outcomes.filter(({ got }) => got === undefined)),
    gaps: names(outcomes.filter(({ got }) => got !== undefined)),
  };
}

function judge(
  outcomes: readonly Outcome[],
  claimed: (name: AttemptName) => boolean,
  level: string,
): void {
  const broken = outcomes.filter(({ attempt, got }) => got !== undefined && claimed(attempt));
  const [first] = broken;
  if (first === undefined) return;
  const others = broken.length === 1 ? "" : ` (and ${broken.length - 1} more)`;
  throw new IsolationUnavailable(
    `level ${level} does not hold: a worker could ${ATTEMPTS[first.attempt].what}${others}`,
  );
}

/** The attempts, each made once, by a worker of their own. Throws where there is no such worker. */
export async function attack(
  backend: IsolationBackend,
  spec: WorkerSpec,
  targets: Traps["targets"],
  only: readonly AttemptName[],
): Promise<readonly Outcome[]> {
  const worker = new Worker(backend.spawn(spec), LIMITS);
  const outcomes = new Map<string, Outcome>();
  const done = Promise.withResolvers<void>();
  const late = setTimeout(
    () => done.reject(new Error("the probe's worker took too long")),
    PROBE_MS_MAX,
  );
  void worker.gone.then((why) => done.reject(new Error(why.cause ?? why.code)));
  try {
    await worker.ready;
    worker.listen((frame) => {
      if (frame.t === "done") return done.resolve();
      const { name, got, refused } = frame;
      if (typeof name !== "string") return;
      const attempt = name as AttemptName;
      outcomes.set(
        name,
        typeof got === "string" ? { attempt, got } : { attempt, refused: String(refused) },
      );
    });
    worker.send({ t: "targets", targets: { ...targets, root: backend.root ?? [] }, only });
    await done.promise;
  } catch (error) {
    throw new IsolationUnavailable(
      `no worker at level ${backend.level}: ${(error as Error).message}`,
    );
  } finally {
    clearTimeout(late);
    // Whoever is left waiting has been told why already.
    done.promise.catch(() => undefined);
    worker.destroy({ code: "cancelled" });
    await worker.gone;
  }
  // An attempt without a word counts as one that got through.
  return only.map((attempt) => outcomes.get(attempt) ?? { attempt, got: "no word of it" });
}

export interface Traps {
  readonly targets: Omit<Targets, "root">;
  /** What is in every place that an attempt could reach. */
  readonly canary: string;
  remove(): Promise<void>;
}

/** Canaries: in a file, a database, and behind services of each kind, on this machine alone. */
export async function setTraps(): Promise<Traps> {
  // Not in the data folder, whose path may be too long for a socket.
  const folder = mkdtempSync(join(tmpdir(), "doorless-probe-"));
  const canary = `canary-${randomBytes(16).toString("hex")}`;
  const file = join(folder, "secret");
  writeFileSync(file, canary, { mode: 0o600 });
  const unix_path = join(folder, "socket");
  const unix_name =
    process.platform === "linux" ? `doorless-${randomBytes(8).toString("hex")}` : "";
  const tcp = await listening(canary, { port: 0, host: "127.0.0.1" });
  const servers = [tcp, await listening(canary, { path: unix_path })];
  if (unix_name !== "") servers.push(await listening(canary, { path: `\0${unix_name}` }));
  const udp = createSocket("udp4");
  udp.on("message", (_message, from) => udp.send(canary, from.port, from.address));
  udp.bind(0, "127.0.0.1");
  await once(udp, "listening");
  return {
    canary,
    targets: {
      host_pid: process.pid,
      file,
      // An empty file is an empty database: whoever can open it has got through.
      database: join(folder, "secret.sqlite"),
      tcp_port: (tcp.address() as AddressInfo).port,
      udp_port: udp.address().port,
      unix_path,
      unix_name,
    },
    async remove() {
      udp.close();
      await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function listening(
  canary: string,
  at: { port: number; host: string } | { path: string },
): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${canary}`);
  });
  server.listen(at);
  await once(server, "listening");
  return server;
}
