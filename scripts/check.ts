// `npm run check`: every static check, a line with its time for each, the output of those that
// fail below. They run side by side, since each waits mostly for its own start.
import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import { performance } from "node:perf_hooks";

interface Step {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
}

const SHIPPED = "dependencies,unlisted";

const STEPS: readonly Step[] = [
  { name: "format", command: ["oxfmt", "--check"] },
  // Type-aware by its configuration, where warnings count as errors too.
  { name: "lint", command: ["oxlint"] },
  { name: "types", command: ["tsc", "-p", "."] },
  { name: "layers", command: ["node", "scripts/check-layers.ts"] },
  { name: "tidy", command: ["node", "scripts/tidy.ts"] },
  { name: "knip", command: ["knip"] },
  // What is published imports what is published: a devDependency is absent there.
  { name: "ship", command: ["knip", "--production", "--strict", "--include", SHIPPED] },
];

interface Outcome {
  readonly name: string;
  readonly passed: boolean;
  readonly output: string;
}

async function run({ name, command: [program, ...args] }: Step): Promise<Outcome> {
  const began = performance.now();
  // The bin folder first, so that this works outside `npm run` as well.
  const PATH = [join(process.cwd(), "node_modules/.bin"), process.env["PATH"]].join(delimiter);
  const child = spawn(program, args, { env: { ...process.env, PATH, NO_COLOR: "1" } });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const { promise, resolve } = Promise.withResolvers<boolean>();
  child.on("close", (code) => resolve(code === 0));
  child.on("error", (error) => {
    output += error.message;
    resolve(false);
  });
  const passed = await promise;
  const time_s = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${passed ? "ok  " : "FAIL"}  ${name.padEnd(8)} ${time_s.padStart(5)} s`);
  return { name, passed, output };
}

const failed = (await Promise.all(STEPS.map(run))).filter(({ passed }) => !passed);
for (const { name, output } of failed) console.error(`\n--- ${name}\n${output.trim()}`);
if (failed.length > 0) process.exitCode = 1;
