// The long tier, `npm run test:long`: real kills, more seeds, interleavings.
import { defineConfig } from "vitest/config";
import { configure } from "./test/setup/projects.ts";

export default defineConfig(configure({ include: "*.long.test.ts", timeout_ms: 10 * 60_000 }));
