// Whether the tools of MCP servers still are what was approved: what a server lists, held against
// what is pinned. Nothing is adopted here.
import { judgeUpstream } from "../../contract/upstream.ts";
import type { UpstreamDefinition } from "../../contract/upstream.ts";
import type { UpstreamEndpoint } from "../../contract/upstream.ts";
import { own } from "../../kernel/own.ts";
import type { Catalog } from "../definition.ts";
import type { Verdict } from "../drift.ts";
import type { Lock } from "../lock.ts";
import type { UpstreamPin } from "./pin.ts";

/** One tool of a server, and all that is needed to judge it. */
export interface UpstreamWatched {
  readonly tool: string;
  readonly connector: string;
  readonly read_only: boolean;
  readonly pin: UpstreamPin;
  /** Fingerprints of what somebody has accepted. */
  readonly accepted: readonly string[];
}

export function upstreamsOf(catalog: Catalog, lock: Lock): readonly UpstreamWatched[] {
  return [...catalog.tools.values()].flatMap((tool) => {
    if (tool.kind !== "upstream") return [];
    const accepted = own(lock.tools, tool.name)?.accepted ?? [];
    const { name, connector, effects, pin } = tool;
    return [{ tool: name, connector: connector.name, read_only: effects.readOnly, pin, accepted }];
  });
}

/** What the server at `endpoint` lists, tool by tool. */
export function judgeListed(
  watched: readonly UpstreamWatched[],
  endpoint: UpstreamEndpoint,
  listed: readonly UpstreamDefinition[],
): readonly Verdict[] {
  const seen = new Map(listed.map((one) => [one.name, one]));
  return watched.map((one) => {
    const definition = seen.get(one.pin.definition.name);
    const findings = judgeUpstream(one.pin, endpoint, definition);
    return {
      ...about(
        one,
        findings.map((f) => ({ ...f, accepted: one.accepted.includes(f.fingerprint) })),
      ),
      ...(definition === undefined ? {} : { listed: { endpoint, definition } }),
    };
  });
}

function about(
  { tool, connector, read_only }: UpstreamWatched,
  findings: Verdict["findings"],
): Verdict {
  const state = findings.length === 0 ? "same" : "drift";
  const severity = findings.find(({ accepted }) => !accepted)?.severity;
  return { tool, connector, read_only, state, severity, findings };
}

/** What is said where the server could not be asked: what was stopped stays so. */
export function unlisted({ tool, connector, read_only }: UpstreamWatched, why: string): Verdict {
  const nothing = { severity: undefined, findings: [] };
  return { tool, connector, read_only, state: "unverified", ...nothing, why };
}

/** Where all that is known is that the last time it was as it is approved now. */
export function asApproved(one: UpstreamWatched): Verdict {
  return about(one, []);
}
