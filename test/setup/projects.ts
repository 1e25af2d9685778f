// What the tiers of tests share. A tier differs in its files and its patience, in nothing else.
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import type { ViteUserConfig } from "vitest/config";

const FOLDERS = [
  "unit",
  "contract",
  "interop",
  "escape",
  "crash",
  "property",
  "threats",
  "browser",
  "pins",
];

// Hundreds of starts of the same programs: Node keeps what it compiled (saves a third of each).
export const COMPILED = resolve(import.meta.dirname, "../../node_modules/.cache/doorless-compiled");

interface Tier {
  readonly include: string;
  readonly exclude?: string;
  readonly timeout_ms?: number;
  /** Files at once; unset, one core is left for the machine's other work. */
  readonly workers?: string;
}

export function configure(tier: Tier): ViteUserConfig {
  const timeout_ms = tier.timeout_ms ?? 60_000;
  const projects = FOLDERS.filter((name) => existsSync(`test/${name}`)).map((name) => ({
    test: {
      name,
      include: [`test/${name}/**/${tier.include}`],
      exclude: tier.exclude === undefined ? [] : [`test/${name}/**/${tier.exclude}`],
      setupFiles: ["test/setup/loopback-only.ts"],
      // A process per file: tests start servers, change working folders and send signals.
      pool: "forks" as const,
      env: { NODE_COMPILE_CACHE: COMPILED },
      execArgv: ["--conditions=doorless-source", "--disable-sigusr1"],
      testTimeout: timeout_ms,
      hookTimeout: timeout_ms,
    },
    // What tools/ imports, `doorless/tool`, is the source in this repository.
    ssr: { resolve: { conditions: ["doorless-source", "node", "import", "default"] } },
  }));
  // Nothing to run in a tier is fine; a filter that matches nothing is a mistake.
  const { workers } = tier;
  const at_once = workers === undefined ? {} : { maxWorkers: workers };
  return { test: { projects, passWithNoTests: true, ...at_once } };
}
