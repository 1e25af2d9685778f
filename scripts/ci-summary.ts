// The last line of .ci/run: `N passed, N failed` over vitest's JSON reports, named as arguments.
// A report that is missing, and a file that failed before it had tests, count as one failure.
import { readFileSync } from "node:fs";
import { z } from "zod";

const Report = z.object({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.unknown()) })),
});

function count(path: string): { passed: number; failed: number } {
  try {
    const report = Report.parse(JSON.parse(readFileSync(path, "utf8")));
    const broken = report.testResults.filter(
      ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
    );
    return { passed: report.numPassedTests, failed: report.numFailedTests + broken.length };
  } catch (error) {
    console.error(`no report at ${path}: ${String(error)}`);
    return { passed: 0, failed: 1 };
  }
}

const counts = process.argv.slice(2).map(count);
const sum = (key: "passed" | "failed"): number => counts.reduce((all, one) => all + one[key], 0);
console.log(`${sum("passed")} passed, ${sum("failed")} failed`);
