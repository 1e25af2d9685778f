// The fast tier, `npm test`: one project per folder of DESIGN section 7, `*.test.ts` only.
import { defineConfig } from "vitest/config";
import { configure } from "./test/setup/projects.ts";

export default defineConfig(configure({ include: "*.test.ts", exclude: "*.long.test.ts" }));
