// The threat model's table of levels says what the table of claims says, row by row.
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect } from "vitest";
import { ATTEMPT_NAMES, ATTEMPTS } from "../../src/sandbox/claims.ts";
import type { Attempt } from "../../src/sandbox/claims.ts";
import { verifies } from "../verifies.ts";

const ROOT = resolve(import.meta.dirname, "../..");

verifies("sandbox.levels", "docs/threat-model.md shows each claim, and no other", () => {
  const page = readFileSync(resolve(ROOT, "docs/threat-model.md"), "utf8");
  const [, after = ""] = page.split("| a worker cannot | process | engine | os |\n");
  const rows = after.split("\n\n")[0]?.split("\n").slice(1) ?? [];
  const claimed = ATTEMPT_NAMES.map((name) => {
    const { what, process, network }: Attempt = ATTEMPTS[name];
    return `| ${what} | ${network ? "stops from Node 25 on" : process} | stops | stops |`;
  });
  expect(rows).toEqual(claimed);
});

verifies("sandbox.levels", "each attempt has a file of its own in test/escape", () => {
  const folder = resolve(ROOT, "test/escape");
  const files = readdirSync(folder).filter((file) => file.startsWith("worker-"));
  const texts = files.map((file) => readFileSync(resolve(folder, file), "utf8"));
  for (const name of ATTEMPT_NAMES) {
    expect(
      texts.filter((one) => one.includes(`"${name}"`)),
      name,
    ).toHaveLength(1);
  }
  expect(texts).toHaveLength(ATTEMPT_NAMES.length);
});
