// `prove` itself: the command that a security reviewer runs.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { expect } from "vitest";
import { requirements } from "../requirements.ts";
import { verifies } from "../verifies.ts";

const run = promisify(execFile);

interface Verdict {
  readonly id: string;
  readonly holds: boolean;
  readonly ms: number;
  readonly evidence: string;
}

verifies(
  ["house.prove", "limits.loop"],
  "prove attacks each promise and says with what evidence it holds",
  async () => {
    const { stdout } = await run(process.execPath, ["bin/doorless.js", "prove", "--json"]);
    const said = JSON.parse(stdout) as { holds: boolean; checks: Verdict[] };
    expect(said.checks.filter((check) => !check.holds)).toEqual([]);
    expect(said.holds).toBe(true);
    expect(said.checks.map((check) => check.id)).toEqual(
      [...readFileSync("src/cli/prove-checks.ts", "utf8").matchAll(/^ {2}check\("([^"]+)"/gm)].map(
        ([, id]) => id,
      ),
    );
    for (const { id, evidence } of said.checks) {
      expect(requirements, id).toHaveProperty([id]);
      expect(evidence.length).toBeGreaterThan(20);
    }
  },
  // Every promise, one after the other, on whatever else the machine is doing.
  { timeout_ms: 180_000 },
);

verifies(
  "house.prove",
  "prove --only takes one promise, and refuses one that is none",
  async () => {
    const only = ["bin/doorless.js", "prove", "--only", "ledger.chain", "--json"];
    const { stdout } = await run(process.execPath, only);
    expect((JSON.parse(stdout) as { checks: Verdict[] }).checks).toHaveLength(1);
    const none = run(process.execPath, ["bin/doorless.js", "prove", "--only", "nonsense"]);
    await expect(none).rejects.toMatchObject({ code: 2 });
  },
);
