// `npm run bench`: speed, memory, scale. A config of its own, because with projects every
// benchmark would run once per project; one worker, because two would measure each other.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/bench/**/*.bench.ts"],
    setupFiles: ["test/setup/loopback-only.ts"],
    pool: "forks",
    maxWorkers: 1,
    testTimeout: 10 * 60_000,
    hookTimeout: 60_000,
    disableConsoleIntercept: true,
  },
});
