// `prove`: stands up the demo world with a hostile agent and checks every promise kept so far.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger } from "../telemetry/log.ts";
import { startDemo } from "./demo-world.ts";
import { EXIT, note, paint, print, printJson, Stop } from "./output.ts";
import { CHECKS } from "./prove-checks.ts";
import type { Check } from "./prove-checks.ts";
import { Stage } from "./prove-stage.ts";
import { wordsOf } from "./verb.ts";
import type { Verb } from "./verb.ts";

interface Verdict {
  readonly id: string;
  readonly promise: string;
  readonly holds: boolean;
  readonly ms: number;
  readonly evidence: string;
}

export const prove: Verb = {
  name: "prove",
  usage: "prove [--only ID]",
  summary: "check every promise against a hostile agent; exit 1 if one does not hold",
  help: [
    "--only ID       one promise, or those that begin with ID; ids stand in front of each line",
  ],
  options: { only: { type: "string" } },
  async run(given) {
    wordsOf(prove, given);
    const only = given.text("only");
    const chosen = CHECKS.filter(({ id }) => only === undefined || id.startsWith(only));
    if (chosen.length === 0) {
      const known = CHECKS.map(({ id }) => id).join(" ");
      throw new Stop(
        EXIT.usage,
        `there is no promise ${JSON.stringify(only)}; there are: ${known}`,
      );
    }
    const verdicts = await judgeAll(chosen, given.flag("json") ? () => undefined : show);
    const holds = verdicts.every((verdict) => verdict.holds);
    if (given.flag("json")) printJson({ holds, checks: verdicts });
    else print(`${verdicts.filter((v) => v.holds).length} of ${verdicts.length} promises hold`);
    return holds ? EXIT.ok : EXIT.no;
  },
};

async function judgeAll(
  checks: readonly Check[],
  onVerdict: (verdict: Verdict) => void,
): Promise<readonly Verdict[]> {
  // The keys of the vault lie beside the data: both are in here, and go with it.
  const folder = mkdtempSync(join(tmpdir(), "doorless-prove-"));
  const data = join(folder, "data");
  const logged: string[] = [];
  const log = createLogger("debug", { write: (line) => void logged.push(line) });
  const onFatal = (error: unknown): void => note(`the audit log failed: ${String(error)}`);
  const demo = await startDemo({ port: 0, data, log, onFatal });
  try {
    const stage = await Stage.open(demo, logged);
    const verdicts: Verdict[] = [];
    for (const check of checks) {
      const verdict = await judge(check, stage);
      verdicts.push(verdict);
      onVerdict(verdict);
    }
    return verdicts;
  } finally {
    await demo.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function judge({ id, promise, run }: Check, stage: Stage): Promise<Verdict> {
  const began = performance.now();
  const verdict = (holds: boolean, evidence: string): Verdict => {
    return { id, promise, holds, ms: Math.round(performance.now() - began), evidence };
  };
  try {
    return verdict(true, await run(stage));
  } catch (error) {
    return verdict(false, error instanceof Error ? error.message : String(error));
  }
}

function show({ id, promise, holds, ms, evidence }: Verdict): void {
  print(`${holds ? paint("green", "holds ") : paint("red", "BROKEN")}  ${id}  (${ms} ms)`);
  print(`        ${promise}`);
  print(`        ${paint("dim", evidence)}`);
}
