// `npm run test:long [-- --full] [vitest arguments]`. `--full` asks the tests for their big
// numbers, which they read from DOORLESS_TEST_FULL.
import { spawnSync } from "node:child_process";

const given = process.argv.slice(2);
const full = given.includes("--full");
const passed = given.filter((argument) => argument !== "--full");
const { status } = spawnSync(
  process.execPath,
  ["node_modules/vitest/vitest.mjs", "run", "--config", "vitest.long.config.ts", ...passed],
  { stdio: "inherit", env: { ...process.env, ...(full ? { DOORLESS_TEST_FULL: "1" } : {}) } },
);
process.exitCode = status ?? 1;
