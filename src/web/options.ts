// What the HTTP front is given by the composition root.
import type { Config } from "../config/load.ts";
import type { Gate } from "../gate/gate.ts";
import type { Ended, Pushed } from "../identity/pushed.ts";
import type { Clock } from "../kernel/clock.ts";
import type { McpEndpoint } from "../mcp/endpoint.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";

export interface WebOptions {
  readonly config: Config;
  readonly gate: Gate;
  readonly mcp: McpEndpoint;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: Clock;
  readonly ready: () => boolean;
  /** Answers the pages of people. */
  readonly people: (request: Request) => Promise<Response>;
  readonly pushed: Pushed;
  /** What a provider pushed; resolves when it holds, here and after a restart. */
  readonly onEnded: (ended: Ended) => Promise<void>;
}
