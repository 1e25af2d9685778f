// Which tools are stopped because their API changed. Kept on disk: a restart at a moment when the
// document cannot be read must not bring back what was stopped.
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { fingerprint } from "../kernel/ids.ts";
import { replaceFile } from "../store/replace-file.ts";
import type { JudgedFinding, Verdict } from "./drift.ts";

const ruleSchema = z.strictObject({ id: z.string(), pointer: z.string() });
const suspensionSchema = z.strictObject({
  connector: z.string(),
  severity: z.enum(["critical", "break", "warn"]),
  rules: z.array(ruleSchema),
  // What an MCP server's tool was then: if that is approved, nobody has to look again.
  seen: z.string().optional(),
});
const fileSchema = z.record(z.string(), suspensionSchema);

type Suspension = z.infer<typeof suspensionSchema>;

const RULES_SAID_MAX = 10;

export class Suspensions {
  private readonly file: string;
  private readonly tools: Map<string, Suspension>;
  /** What stands in the file for sure. */
  private written: string;

  /** Throws where the file is there and cannot be understood: nobody knows what it stopped. */
  constructor(file: string) {
    this.file = file;
    const known = existsSync(file) ? fileSchema.parse(JSON.parse(readFileSync(file, "utf8"))) : {};
    this.tools = new Map(Object.entries(known));
    this.written = this.text();
  }

  /** Whether this tool is stopped for its own sake. */
  has(tool: string): boolean {
    return this.tools.has(tool);
  }

  /** Fingerprint of the definition for which a tool was stopped. */
  seen(tool: string): string | undefined {
    return this.tools.get(tool)?.seen;
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

  /**
   * Takes what a check found; true where something stops or goes on that did not before. Throws
   * where that cannot be kept; it is in force then, and the next check tries to keep it again.
   */
  take(verdicts: readonly Verdict[], isAway: (tool: string) => boolean = () => false): boolean {
    const judged = new Set(verdicts.map(({ tool }) => tool));
    // A tool that has no contract any more is judged by nothing. One that is only away just now
    // was stopped when it went, and is so when it comes back.
    for (const tool of this.tools.keys()) {
      if (!judged.has(tool) && !isAway(tool)) this.tools.delete(tool);
    }
    for (const verdict of verdicts) {
      // Nobody can say just now: what was stopped stays so, and what was not goes on.
      if (verdict.state === "unverified" && stopping(verdict).length === 0) continue;
      const suspension = suspensionOf(verdict);
      if (suspension === undefined) this.tools.delete(verdict.tool);
      else this.tools.set(verdict.tool, suspension);
    }
    const text = this.text();
    if (text === this.written) return false;
    replaceFile(this.file, text, 0o600);
    this.written = text;
    return true;
  }

  private text(): string {
    return `${JSON.stringify(Object.fromEntries(this.tools), null, 2)}\n`;
  }
}

/** What of a verdict stops its tool, gravest first; nothing where it goes on. */
export function stopping({
  findings,
  read_only,
}: Pick<Verdict, "findings" | "read_only">): readonly JudgedFinding[] {
  return findings.filter(
    ({ accepted, severity, side }) =>
      !accepted &&
      (severity === "critical" ||
        severity === "break" ||
        // What a write sends must mean what it meant.
        (severity === "warn" && side === "request" && !read_only)),
  );
}

function suspensionOf(verdict: Verdict): Suspension | undefined {
  const stops = stopping(verdict);
  const [gravest] = stops;
  if (gravest === undefined || gravest.severity === "info") return undefined;
  const rules = stops
    .slice(0, RULES_SAID_MAX)
    .map(({ rule, pointer }) => ({ id: rule, pointer: plain(pointer) }));
  const { connector, listed } = verdict;
  const seen = listed === undefined ? {} : { seen: fingerprint(listed.definition) };
  return { connector, severity: gravest.severity, rules, ...seen };
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
