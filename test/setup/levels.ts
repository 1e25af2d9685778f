// Which levels this machine has. `os` is skipped, visibly, where its jail cannot be had; with
// DOORLESS_REQUIRE_OS, as .ci/run sets it, the rows run and fail there instead.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { IsolationBackend, Level } from "../../src/sandbox/backend.ts";
import { createBubblewrapBackend } from "../../src/sandbox/backend-bubblewrap.ts";
import { createProcessBackend } from "../../src/sandbox/backend-process.ts";
import { claimOf, jailStops } from "../../src/sandbox/claims.ts";
import type { AttemptName } from "../../src/sandbox/claims.ts";
import { attack, probe, setTraps } from "../../src/sandbox/probe.ts";
import { setStage } from "../../src/sandbox/stage.ts";
import type { Stage } from "../../src/sandbox/stage.ts";

export interface LevelHere {
  readonly level: Level;
  /** Why it cannot be had on this machine. */
  readonly skip: string | undefined;
}

export const LEVELS: readonly LevelHere[] = [
  { level: "process", skip: undefined },
  { level: "os", skip: await whyNoJail() },
];

/** One attempt at one level, against fresh canaries. */
async function attempt(level: Level, name: AttemptName, permission = true) {
  const { stage, backend } = openBackend(level);
  const traps = await setTraps();
  try {
    const entry = stage.entry("probe-worker");
    const spec = { folder: stage.folder, entry, heap_mib_max: 128, permission };
    const [outcome] = await attack(backend, spec, traps.targets, [name]);
    return { ...outcome, canary: traps.canary };
  } finally {
    await traps.remove();
    stage.remove();
  }
}

/**
 * The attempt ends as the level claims: refused without a trace of its canary, or, where the level
 * names it as a gap, through. Under a jail it is made again with Node's own checks off.
 */
export async function expectClaim(level: Level, name: AttemptName): Promise<void> {
  const made = await attempt(level, name);
  if (claimOf(level, name) === "gap") {
    // A gap that closed is good news, and a wrong table.
    expect(made.got, "the table calls it a gap").toBeDefined();
    return;
  }
  expect(made).toMatchObject({ attempt: name, refused: expect.stringMatching(/\S/) });
  expect(made.got).toBeUndefined();
  expect(made.refused).not.toContain(made.canary);
  if (level === "process" || !jailStops(level, name)) return;
  const bare = await attempt(level, name, false);
  expect(bare.got, "the jail alone").toBeUndefined();
}

/** A stage of one's own and a backend on it. */
function openBackend(level: Level): { stage: Stage; backend: IsolationBackend } {
  const stage = setStage(tmpdir());
  return {
    stage,
    backend: level === "process" ? createProcessBackend() : createBubblewrapBackend(stage.aside),
  };
}

async function whyNoJail(): Promise<string | undefined> {
  if (process.env["DOORLESS_REQUIRE_OS"] === "1") return undefined;
  const folder = mkdtempSync(join(tmpdir(), "doorless-levels-"));
  let stage: Stage | undefined;
  try {
    stage = setStage(folder);
    await probe(createBubblewrapBackend(stage.aside), stage);
    return undefined;
  } catch (error) {
    return `level os cannot be had here: ${(error as Error).message}`;
  } finally {
    stage?.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}
