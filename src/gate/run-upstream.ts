// Step 9 of a tool that an MCP server has: it is looked at, then called, in this session's own
// session of the server, as this user.
import type { UpstreamTool } from "../catalog/definition.ts";
import { refusal } from "../kernel/errors.ts";
import type { Effect, Refusal } from "../kernel/errors.ts";
import { fingerprint } from "../kernel/ids.ts";
import { no, ok } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { UpstreamAnswer, UpstreamResult, UpstreamTurn } from "../sandbox/upstream/upstream.ts";
import { wireArguments } from "../sandbox/request.ts";
import { formatTraceparent } from "../telemetry/trace.ts";
import type { CallContext, Progress, Rooms } from "./call.ts";
import { stopOn } from "./found.ts";
import { ownerOf } from "./run-code.ts";

export async function runUpstream(
  rooms: Rooms,
  call: CallContext,
  progress: Progress,
  tool: UpstreamTool,
): Promise<Refusal | undefined> {
  const turn = turnOf(rooms, call, progress, tool);
  const first = await once(rooms, call, progress, tool, turn);
  // The server had forgotten the session. What only reads may be asked for in another one.
  const isLost = !first.ok && first.gone === true && tool.effects.readOnly;
  const answer = isLost ? await once(rooms, call, progress, tool, turn) : first;
  if (!answer.ok) {
    const effect = answer.sent && !tool.effects.readOnly ? "unknown" : "none";
    // Where it broke off because access ended, that is why; what happened by then is as it is.
    return { ...(call.watch.ended() ?? answer.refusal), effect };
  }
  const body = bodyOf(tool, answer.value);
  if (!body.ok) return body.refusal;
  progress.answer = { body: body.value };
  return undefined;
}

async function once(
  rooms: Rooms,
  call: CallContext,
  progress: Progress,
  tool: UpstreamTool,
  turn: UpstreamTurn,
): Promise<UpstreamAnswer<UpstreamResult>> {
  const owner = ownerOf(call);
  const connector = tool.connector.name;
  const { endpoint, definition } = tool.pin.hashes;
  if (fingerprint(rooms.upstreams.endpointOf(connector)) !== endpoint) return elsewhere();
  const wanted = { tool: tool.name, upstream: tool.upstream, pinned: definition };
  const look = await rooms.upstreams.look(connector, owner, wanted, turn);
  if (!look.ok) return look;
  const { names, seen } = look.value;
  const shown = notThere(tool, names) ?? otherwise(seen.get(tool.name)?.rules ?? []);
  const stopped = call.watch.ended() ?? stopOn(rooms, tool) ?? shown;
  if (stopped !== undefined) return { ok: false, refusal: stopped, sent: false };
  progress.sent_unsafe = !tool.effects.readOnly;
  const asked = { name: tool.upstream, args: wireArguments(tool, call.args) };
  return rooms.upstreams.call(connector, owner, asked, turn);
}

// Whose token it would be given is not for the server to say, nor for a line of configuration.
function elsewhere(): UpstreamAnswer<never> {
  const reason = "The tool was approved for another MCP server. Nothing was sent.";
  const details = { rules: [{ id: "mcp-endpoint-changed" }] };
  return { ok: false, refusal: refusal("contract_drift", { reason, details }), sent: false };
}

// A server may show each user other tools: that she has none is no reason to stop everybody's.
function notThere({ upstream }: UpstreamTool, names: ReadonlySet<string>): Refusal | undefined {
  if (names.has(upstream)) return undefined;
  const reason =
    "The MCP server does not offer this tool, or not to this user. The tool was not called.";
  return refusal("contract_drift", { reason, details: { rules: [{ id: "mcp-tool-removed" }] } });
}

// What it shows others meanwhile may have brought the tool back: not for whom it is another one.
function otherwise(rules: readonly string[]): Refusal | undefined {
  if (rules.length === 0) return undefined;
  const reason =
    "The MCP server describes this tool otherwise than it was approved. The tool was not called.";
  return refusal("contract_drift", { reason, details: { rules: rules.map((id) => ({ id })) } });
}

function turnOf(
  { clock }: Rooms,
  call: CallContext,
  progress: Progress,
  tool: UpstreamTool,
): UpstreamTurn {
  const until_ms = clock.monotonic() + tool.timeout_ms;
  const { watch } = call;
  return {
    token: progress.token?.token,
    connector: tool.connector,
    call_id: call.call_id,
    traceparent: formatTraceparent(call.span.context),
    left_ms: () => until_ms - clock.monotonic(),
    bytes_max: tool.response_bytes_max,
    // A write that was sent runs to its deadline: hanging up does not unsend it.
    signals: tool.effects.readOnly ? [call.signal, watch.signal] : [watch.signal],
    moved: (bytes) => (progress.bytes += bytes),
    note: () => {
      const at = progress.attempts.length;
      return (attempt) => (progress.attempts[at] = attempt);
    },
  };
}

const FAILED = "The MCP server says that its tool failed. What it says of it is withheld.";

/** What the tool's projection is of: what is structured where that was agreed on, or its text. */
function bodyOf(tool: UpstreamTool, result: UpstreamResult): Result<unknown> {
  const ran: Effect = tool.effects.readOnly ? "none" : "done";
  if (result.is_error) {
    const effect = ran === "none" ? "none" : "unknown";
    return no(refusal("downstream_error", { reason: FAILED, effect }));
  }
  const texts = result.content.map(textIn);
  const other = texts.indexOf(undefined);
  if (other >= 0) {
    const reason = "It holds something that is no text (an image, a sound, a resource).";
    const answer = [{ path: `/content/${other}`, expected: "text" }];
    return no(refusal("contract_drift", { reason, effect: ran, details: { answer } }));
  }
  const isStructured = tool.pin.definition.outputSchema !== undefined;
  return ok(isStructured ? result.structured : { text: texts.join("\n") });
}

function textIn(block: unknown): string | undefined {
  if (block === null || typeof block !== "object") return undefined;
  const { type, text } = block as { type?: unknown; text?: unknown };
  return type === "text" && typeof text === "string" ? text : undefined;
}
