// Which tools are stopped because their API changed. Kept on disk: a restart at a moment when the
// document cannot be read must not bring back what was stopped.
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { replaceFile } from "../store/replace-file.ts";
import type { Verdict } from "./drift.ts";

const ruleSchema = z.strictObject({ id: z.string(), pointer: z.string() });
const suspensionSchema = z.strictObject({
  connector: z.string(),
  severity: z.enum(["critical", "break", "warn"]),
  rules: z.array(ruleSchema),
});
const fileSchema = z.record(z.string(), suspensionSchema);

type Suspension = z.infer<typeof suspensionSchema>;

const RULES_SAID_MAX = 10;

export class Suspensions {
  private readonly file: string;
  private readonly tools: Map<string, Suspension>;

  /** Throws where the file is there and cannot be understood: nobody knows what it stopped. */
  constructor(file: string) {
    this.file = file;
    const known = existsSync(file) ? fileSchema.parse(JSON.parse(readFileSync(file, "utf8"))) : {};
    this.tools = new Map(Object.entries(known));
  }

  /** Why this tool of this connector may not be called. */
  of(tool: string, connector: string | undefined): Refusal | undefined {
    if (this.tools.size === 0) return undefined;
    const own = this.tools.get(tool);
    if (own !== undefined) return stopped(own, "this tool");
    const grave = [...this.tools.values()].find(
      (one) => one.severity === "critical" && one.connector === connector,
    );
    return grave === undefined ? undefined : stopped(grave, "the API that this tool uses");
  }

  /** Takes what a check found; true where something stops or goes on that did not before. */
  take(verdicts: readonly Verdict[]): boolean {
    const before = JSON.stringify([...this.tools]);
    const judged = new Set(verdicts.map(({ tool }) => tool));
    // A tool that has no contract any more is judged by nothing.
    for (const tool of this.tools.keys()) if (!judged.has(tool)) this.tools.delete(tool);
    for (const verdict of verdicts) {
      // Nobody can say just now: what was stopped stays so, and what was not goes on.
      if (verdict.state === "unverified") continue;
      const suspension = suspensionOf(verdict);
      if (suspension === undefined) this.tools.delete(verdict.tool);
      else this.tools.set(verdict.tool, suspension);
    }
    if (JSON.stringify([...this.tools]) === before) return false;
    replaceFile(this.file, `${JSON.stringify(Object.fromEntries(this.tools), null, 2)}\n`, 0o600);
    return true;
  }
}

function suspensionOf({ connector, findings, read_only }: Verdict): Suspension | undefined {
  const open = findings.filter(({ accepted }) => !accepted);
  const stops = open.filter(
    ({ severity, side }) =>
      severity === "critical" ||
      severity === "break" ||
      // What a write sends must mean what it meant.
      (severity === "warn" && side === "request" && !read_only),
  );
  const [gravest] = stops;
  if (gravest === undefined || gravest.severity === "info") return undefined;
  const rules = stops
    .slice(0, RULES_SAID_MAX)
    .map(({ rule, pointer }) => ({ id: rule, pointer: plain(pointer) }));
  return { connector, severity: gravest.severity, rules };
}

// A property's name is the API's text, and an agent reads this.
function plain(pointer: string): string {
  return pointer.replaceAll(/[^A-Za-z0-9_.:*~/-]/g, "?").slice(0, 120);
}

function stopped({ severity, rules }: Suspension, what: string): Refusal {
  const ids = [...new Set(rules.map(({ id }) => id))].join(", ");
  const reason =
    `The API changed what ${what} relies on (${ids}). It is stopped until an operator ` +
    "approves the new contract. Nothing was sent.";
  return refusal("contract_drift", { effect: "none", reason, details: { severity, rules } });
}
