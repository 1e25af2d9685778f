// One turn at an MCP server, as the gate takes it, with nothing in the way.
import type { Attempt } from "../../src/sandbox/broker.ts";
import type { UpstreamTurn } from "../../src/sandbox/upstream/upstream.ts";

export function upstreamTurn(
  changes: Partial<UpstreamTurn> = {},
): UpstreamTurn & { readonly attempts: Attempt[] } {
  const attempts: Attempt[] = [];
  return {
    token: undefined,
    connector: { headers: {}, request_id_header: "X-Request-Id" },
    call_id: "call-1",
    traceparent: undefined,
    left_ms: () => 60_000,
    bytes_max: 65_536,
    signals: [],
    moved: () => undefined,
    note: () => (attempt) => void attempts.push(attempt),
    ...changes,
    attempts,
  };
}
