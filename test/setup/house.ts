// A whole demo world in this process: identity provider, SaaS and doorless, on free ports.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDemo } from "../../src/cli/demo-world.ts";
import type { RunningDemo } from "../../src/cli/demo-world.ts";
import { createLogger } from "../../src/telemetry/log.ts";

export interface House extends RunningDemo {
  /** The data folder; removed by `close`. */
  readonly data: string;
  /** An access token of PERSON for AGENT, ten minutes long. */
  token(person: string, agent: string): Promise<string>;
  /** Everything that was logged so far, as one text. */
  logged(): string;
  /** Stops everything, and leaves the data folder. */
  stopCore(): Promise<void>;
  close(): Promise<void>;
}

/** Starts the world; `await house.close()` leaves nothing running or lying about. */
export async function openHouse(): Promise<House> {
  const data = mkdtempSync(join(tmpdir(), "doorless-test-"));
  const lines: string[] = [];
  const log = createLogger("debug", { write: (line: string) => void lines.push(line) });
  const onFatal = (error: unknown): void => void lines.push(`FATAL ${String(error)}`);
  const running = await startDemo({ port: 0, data, log, onFatal });
  let stopped: Promise<void> | undefined;
  const stopCore = (): Promise<void> => (stopped ??= running.stop());
  return {
    ...running,
    stopCore,
    data,
    token: (person, agent) => running.world.mintToken(person, agent, 600),
    logged: () => lines.join(""),
    async close() {
      await stopCore();
      rmSync(data, { recursive: true, force: true });
    },
  };
}
