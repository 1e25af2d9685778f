// Four processes, forty callers, one vault, an authorization server that ends whatever is used
// twice, and kills at any moment but one: between the server's rotation and the write of what it
// gave. There no client can know which token is good; `connections.doubt` takes that moment alone.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startChild } from "../setup/child.ts";
import type { Child } from "../setup/child.ts";
import { openLinks, placeOfPerson } from "../setup/links.ts";
import { RotatingServer } from "../setup/rotating-server.ts";

const PROCESSES = 4;
const PEOPLE = ["ada", "bob", "cy", "dee"];
const PROGRAM = join(import.meta.dirname, "vault-process.ts");
const KILL_EVERY_MS = 700;
/** What there must have been for a run to prove anything, however slow the machine. */
const KILLS_MIN = 2;
const REFRESHES_MIN = 4;

interface Counts {
  readonly calls: number;
  readonly refused: Readonly<Record<string, number>>;
  /** Tokens that were another's, or dead. */
  readonly foreign: number;
}

export interface Verdict {
  readonly kills: number;
  readonly refreshes: number;
  readonly reuses: number;
  readonly lost: readonly string[];
  readonly counts: readonly Counts[];
}

/** For `for_ms`, and on until there were kills and refreshes. */
export async function rounds(for_ms: number): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), "doorless-vault-"));
  const server = await RotatingServer.open();
  const links = openLinks(folder, server.issuer);
  const counts: Counts[] = [];
  let kills = 0;
  for (const person of PEOPLE) {
    const { access_token, refresh_token, expires_in } = server.grant(person);
    const rest = { scopes: ["mail:send"], account: undefined, account_label: undefined };
    const granted = { access_token, refresh_token, lifetime_s: expires_in, ...rest };
    await links.connections.connect(placeOfPerson(person), granted);
  }
  const start = (): Promise<Child> =>
    startChild(PROGRAM, { args: [folder, server.issuer, ...PEOPLE] });
  const processes = await Promise.all(Array.from({ length: PROCESSES }, start));
  try {
    const until_ms = performance.now() + for_ms;
    const isOver = (): boolean =>
      performance.now() >= until_ms && kills >= KILLS_MIN && server.refreshes >= REFRESHES_MIN;
    for (; !isOver(); kills++) {
      await sleep(KILL_EVERY_MS);
      const victim = kills % PROCESSES;
      const open = holdBack(server);
      try {
        await settled(server, links);
        counts.push(await (processes[victim] as Child).ask<Counts>("counts"));
        await (processes[victim] as Child).kill();
      } finally {
        open();
      }
      processes[victim] = await start();
    }
    for (const child of processes) counts.push(await child.ask<Counts>("stop"));
    const lost = PEOPLE.filter((person) => !server.isLive(person));
    const { reuses, refreshes } = server;
    return { kills, refreshes, reuses, lost, counts };
  } finally {
    for (const child of processes) await child.kill();
    await links.close();
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

// Requests sent from now on wait, with nothing done about them; who dies has asked nothing.
function holdBack(server: RotatingServer): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.gate = promise;
  return () => {
    server.gate = undefined;
    resolve();
  };
}

// Each rotation that the server has made is in the vault.
async function settled(server: RotatingServer, { vault }: ReturnType<typeof openLinks>) {
  for (;;) {
    const kept = await Promise.all(
      PEOPLE.map(async (person) => {
        const opened = await vault.open(placeOfPerson(person));
        const content = opened?.content;
        return content?.kind === "oauth" && content.refresh_token === server.latest(person);
      }),
    );
    if (kept.every(Boolean)) return;
    await sleep(5);
  }
}
