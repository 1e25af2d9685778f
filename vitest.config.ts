// The fast tier, `npm test`: one project per folder of DESIGN section 7, `*.test.ts` only.
import { defineConfig } from "vitest/config";
import { configure } from "./test/setup/projects.ts";

const files = { include: "*.test.ts", exclude: "*.long.test.ts" };
// A file's servers and clients wait for each other more than they work: no core is left out.
export default defineConfig(configure({ ...files, workers: "100%" }));
