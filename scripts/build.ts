// `npm run build`: dist/, what the published package runs. src/ and demo/ keep their places below
// it, so that relative imports and files named by import.meta.url hold there as they do here.
import { spawnSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { isCode, listFiles } from "./source.ts";

rmSync("dist", { recursive: true, force: true });
const { status } = spawnSync("tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
if (status === 0) {
  const data = ["src", "demo"].flatMap((folder) => listFiles(".", folder));
  for (const file of data.filter((name) => !isCode(name))) cpSync(file, `dist/${file}`);
}
process.exitCode = status ?? 1;
