// Step 9 where code runs: a code tool, whose requests go through the broker one by one, and
// generated code, whose calls go through the whole path one by one.
import { originIn } from "../config/connector.ts";
import type { CodeTool, GeneratedTool, ToolDefinition } from "../catalog/definition.ts";
import { refusal, refusalToError } from "../kernel/errors.ts";
import type { Effect, Refusal } from "../kernel/errors.ts";
import { canonicalJson, digestOf } from "../kernel/ids.ts";
import { no } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { BrokerAnswer } from "../sandbox/broker.ts";
import type { DeclaredRequest } from "../sandbox/request.ts";
import type { InnerAnswer } from "../sandbox/run-generated.ts";
import type { LogLine } from "../sandbox/run-tool.ts";
import { formatTraceparent } from "../telemetry/trace.ts";
import type { CallAnswer, CallContext, Progress, Rooms } from "./call.ts";

const NEVER = new AbortController().signal;

export async function runCode(
  rooms: Rooms,
  call: CallContext,
  progress: Progress,
  tool: CodeTool,
): Promise<Refusal | undefined> {
  const lines: LogLine[] = [];
  const result = await sandboxOf(rooms).runTool({
    tool,
    input: call.args,
    owner: ownerOf(call),
    // What was sent runs to its deadline: hanging up does not unsend it.
    signal: tool.effects.readOnly ? call.signal : NEVER,
    watch: call.watch,
    request: (request, signal) => send(rooms, call, progress, tool, request, signal),
    log: (line) => lines.push(line),
  });
  await keepLog(rooms, call, lines);
  if (!result.ok) return { ...result.refusal, effect: effectOf(progress) };
  progress.answer = { body: result.value };
  return undefined;
}

function send(
  rooms: Rooms,
  call: CallContext,
  progress: Progress,
  tool: CodeTool,
  request: DeclaredRequest,
  signal: AbortSignal,
): Promise<Result<BrokerAnswer>> {
  const gone = call.watch.ended();
  if (gone !== undefined) return Promise.resolve(no(gone));
  const { token } = progress;
  if (token === undefined) throw new Error("run before as_whom");
  const nth = progress.attempts.length;
  let at: number | undefined;
  const safe = tool.effects.readOnly || request.method === "GET";
  const url = `${originIn(rooms.config, tool.connector.name) ?? ""}${request.shown}`;
  return rooms.broker.dispatch(
    {
      connector: tool.connector,
      request,
      token: token.token,
      call_id: call.call_id,
      traceparent: formatTraceparent(call.span.context),
      idempotency_key: idempotencyKey(call, tool, safe ? undefined : nth),
      timeout_ms: tool.timeout_ms,
      response_bytes_max: tool.response_bytes_max,
      effect_if_sent: safe ? "none" : "unknown",
      signals: safe ? [signal, call.watch.signal] : [call.watch.signal],
      moved: (bytes) => (progress.bytes += bytes),
      heard: (headers) => rooms.notices.heard(tool.name, request.operation, headers),
    },
    (attempt) => {
      at ??= progress.attempts.length;
      progress.attempts[at] = { ...attempt, url };
      if (!safe) progress.sent_unsafe = true;
    },
  );
}

export async function runGenerated(
  rooms: Rooms,
  call: CallContext,
  progress: Progress,
  tool: GeneratedTool,
): Promise<Refusal | undefined> {
  const result = await sandboxOf(rooms).runGenerated({
    code: String(call.args["code"]),
    timeout_ms: tool.timeout_ms,
    tools: call.inner.tools(),
    owner: { ...ownerOf(call), tool: tool.name },
    signal: call.signal,
    watch: call.watch,
    call: async (name, args, signal) => innerAnswer(await call.inner.call(name, args, signal)),
  });
  if (!result.ok) return result.refusal;
  progress.answer = { body: result.value };
  return undefined;
}

function innerAnswer(answer: CallAnswer): InnerAnswer {
  switch (answer.kind) {
    case "result":
      return { ok: true, value: answer.result };
    case "error":
      return { ok: false, error: answer.error };
    case "unknown_tool":
      return { ok: false, error: refusalToError(refusal("unknown_tool")) };
  }
}

// A worker belongs to one session with one set of rights; with others it is another worker.
export function ownerOf({ entry }: CallContext) {
  const { credential, session } = entry;
  const { principal, scopes } = credential;
  const rights = digestOf("rights-v1", JSON.stringify([principal.roles, scopes]));
  return { credential, user: session.user, session: session.id, rights };
}

/**
 * For an API that takes one: of the client's where it gave one, so that a repetition is one there,
 * too; else of this call alone. Two users' keys never meet, nor one user's for two tools, arguments
 * or requests: her agents know nothing of each other, and one must not get another's answer.
 */
export function idempotencyKey(
  call: CallContext,
  tool: ToolDefinition,
  nth: number | undefined,
): string | undefined {
  if (tool.effects.readOnly || nth === undefined) return undefined;
  const { issuer, subject } = call.entry.credential.principal;
  const more = nth === 0 ? [] : [String(nth)];
  if (call.idempotency_key === undefined) return digestOf("call-v1", call.call_id, ...more);
  const args = canonicalJson(call.args);
  return digestOf(
    "idempotency-v2",
    issuer,
    subject,
    call.tool,
    args,
    call.idempotency_key,
    ...more,
  );
}

// What a tool says to its operator may hold anything that the user sees: it is sealed like a
// result.
async function keepLog(rooms: Rooms, call: CallContext, lines: readonly LogLine[]): Promise<void> {
  if (lines.length === 0) return;
  const { tenant = null, issuer, subject } = call.entry.credential.principal;
  const who = { tenant, issuer, subject };
  const said = lines.map((line, i) => rooms.sealer.seal(who, `/detail/lines/${i}`, line));
  await rooms.ledger.event("tool_log", { call_id: call.call_id, tool: call.tool, lines: said });
}

function effectOf(progress: Progress): Effect {
  return progress.sent_unsafe === true ? "unknown" : "none";
}

function sandboxOf({ sandbox }: Rooms) {
  if (sandbox === undefined) throw new Error("a tool that needs a sandbox, and none is open");
  return sandbox;
}
