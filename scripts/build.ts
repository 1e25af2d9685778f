// `npm run build`: dist/, what the published package runs. It is this repository with its types
// stripped: each file keeps its place, so that relative imports, the folder of the package and
// files named by import.meta.url are the same there as here.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, rmSync } from "node:fs";
import { isCode, listFiles } from "./source.ts";

/** What the program looks for beside src/. */
const BESIDE = ["package.json", "bin", "docs", "mcp.config.json", "tools"];

rmSync("dist", { recursive: true, force: true });
const { status } = spawnSync("tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
if (status === 0) {
  const data = ["src", "demo"].flatMap((folder) => listFiles(".", folder));
  const copied = [
    ...data.filter((file) => !isCode(file)),
    ...BESIDE.filter((it) => existsSync(it)),
  ];
  for (const path of copied) cpSync(path, `dist/${path}`, { recursive: true });
}
process.exitCode = status ?? 1;
