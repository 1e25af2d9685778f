// What answers have said of a tool, beside what its document says: one verdict.
import { gravestFirst } from "../contract/findings.ts";
import type { Finding } from "../contract/findings.ts";
import { own } from "../kernel/own.ts";
import { connectorOf } from "./definition.ts";
import type { ToolDefinition } from "./definition.ts";
import type { Verdict } from "./drift.ts";
import type { Lock } from "./lock.ts";

/** `verdict` is the document's, where it has been looked at. */
export function noticed(
  tool: ToolDefinition,
  found: readonly Finding[],
  verdict: Verdict | undefined,
  lock: Lock,
): Verdict {
  const accepted = new Set(own(lock.tools, tool.name)?.accepted);
  const said = found.map((one) => ({ ...one, accepted: accepted.has(one.fingerprint) }));
  const findings = gravestFirst([...(verdict?.findings ?? []), ...said]);
  const drift = findings.length > 0 ? "drift" : "same";
  return {
    ...verdict,
    tool: tool.name,
    connector: connectorOf(tool)?.name ?? "",
    read_only: tool.effects.readOnly,
    state: verdict?.state === "unverified" ? "unverified" : drift,
    severity: findings.find((one) => !one.accepted)?.severity,
    findings,
  };
}
