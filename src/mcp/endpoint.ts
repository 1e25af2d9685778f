// One endpoint, every era: 2026-07-28 is served per request, the older revisions per session.
// Both legs build their servers from one factory, so that they cannot drift apart.
import {
  createMcpHandler,
  isLegacyRequest,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/server";
import type { McpServer } from "@modelcontextprotocol/server";
import type { Config } from "../config/load.ts";
import { placeOf } from "../delegation/connections.ts";
import type { Connections } from "../delegation/connections.ts";
import type { Approvals } from "../gate/approvals.ts";
import type { Entry } from "../gate/call.ts";
import type { Gate } from "../gate/gate.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Logger } from "../telemetry/log.ts";
import { ConcernedBus } from "./concerned-bus.ts";
import { LegacySessions } from "./legacy.ts";
import { authInfoOf, createMcpServer } from "./server.ts";

export interface McpEndpointOptions {
  readonly config: Config;
  readonly gate: Gate;
  readonly connections: Connections;
  readonly approvals: Approvals;
  readonly clock: Clock;
  readonly log: Logger;
  readonly version: string;
}

export interface McpEndpoint {
  /** Answers one HTTP request of a user who has entered; the body, if any, is parsed already. */
  handle(
    request: Request,
    entry: Entry,
    parsedBody: unknown,
    delivered: Promise<boolean>,
  ): Promise<Response>;
  readonly transport_sessions: number;
  /** Tells clients that listen, where it concerns them, to ask for their tools again. */
  readonly toolsChanged: (concerns: (entry: Entry) => boolean) => void;
  close(): Promise<void>;
}

export function createMcpEndpoint(options: McpEndpointOptions): McpEndpoint {
  const { config, gate, clock, log, version, connections, approvals } = options;
  const serverFor = (entry: Entry): McpServer => {
    const agent = config.agents[entry.session.agent];
    if (agent === undefined) throw new RangeError(`no agent ${entry.session.agent}`);
    return createMcpServer({
      gate,
      agent,
      version,
      questionOf: (approval) => approvals.textOf(approval),
      form_timeout_ms: config.limits.approval_s * 1000,
      whenDone(who, { connector, approval }, tell) {
        if (approval !== undefined) approvals.whenDecided(approval, tell);
        if (connector === undefined) return;
        connections.whenConnected(placeOf(who.credential.principal, connector), tell);
      },
    });
  };
  const bus = new ConcernedBus();
  const modern = createMcpHandler(
    ({ authInfo }) => serverFor(authInfo?.extra?.["entry"] as Entry),
    {
      legacy: "reject",
      bus,
      onerror: (error) => log.debug({ err: error }, "an MCP request was rejected"),
    },
  );
  const legacy = new LegacySessions(config.http, clock, serverFor, (entry) => gate.mayAsk(entry));
  return {
    async handle(request, entry, parsedBody, delivered) {
      const body = withObjectArguments(parsedBody);
      const isLegacy =
        !hasEnvelope(body) && (legacy.knows(request) || (await isLegacyRequest(request, body)));
      const rest = { authInfo: authInfoOf(entry, delivered), parsedBody: body };
      if (isLegacy) return legacy.handle(request, entry, rest);
      return bus.as(entry, () => modern.fetch(request, rest));
    },
    get transport_sessions() {
      return legacy.count;
    },
    toolsChanged(concerns) {
      bus.tell({ kind: "tools_list_changed" }, concerns);
      legacy.toolsChanged(concerns);
    },
    async close() {
      await Promise.all([modern.close(), legacy.closeAll()]);
    },
  };
}

// What `isLegacyRequest` asks first: a message that names its revision is never an older one.
function hasEnvelope(body: unknown): boolean {
  const { params } = (body ?? {}) as { params?: { _meta?: Record<string, unknown> } | null };
  return typeof params?._meta?.[PROTOCOL_VERSION_META_KEY] === "string";
}

// The SDK would answer arguments that are no object itself, in its own words and unrecorded. The
// gate says what any wrong argument says, and a tool that is not there stays unknown.
const NO_OBJECT = Object.freeze({ "(arguments are not an object)": true });

function withObjectArguments(body: unknown): unknown {
  if (Array.isArray(body)) return body.map(withObjectArguments);
  const { method, params } = (body ?? {}) as { method?: unknown; params?: unknown };
  if (method !== "tools/call" || params === null || typeof params !== "object") return body;
  const { arguments: args } = params as { arguments?: unknown };
  const isObject = typeof args === "object" && args !== null && !Array.isArray(args);
  if (args === undefined || isObject) return body;
  return { ...(body as object), params: { ...params, arguments: NO_OBJECT } };
}
