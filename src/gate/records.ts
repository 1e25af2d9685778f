// From a call on its way to the records of the ledger.
import { originIn } from "../config/connector.ts";
import type { ToolDefinition } from "../catalog/definition.ts";
import type {
  CallEnd,
  CallFacts,
  Intent,
  OutcomeRecord,
  RefusalRecord,
  ReplayRecord,
} from "../ledger/record.ts";
import { errorTable, refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { fitLine } from "../ledger/fit.ts";
import type { Who } from "../ledger/keyring.ts";
import { LedgerUnavailable } from "../ledger/room.ts";
import type { UnavailableCause } from "../ledger/room.ts";
import type { CallContext, Progress, Rooms } from "./call.ts";

/** In the place of a name where a request was refused before it named one. */
export const NO_TOOL = "(request)";

const LIGHT_TOKEN_BYTES = 16_384;
const LIGHT_CHARS = 2048;
/** What one request takes of a record, besides its address. */
const REQUEST_CHARS = 128;

function factsOf(rooms: Rooms, call: CallContext, progress: Progress): CallFacts {
  const { credential, session } = call.entry;
  const { principal, client_id } = credential;
  const tenant = principal.tenant ?? null;
  const tool = progress.door?.tool;
  return {
    call_id: call.call_id,
    parent: call.parent ?? null,
    user: rooms.sealer.sealName(principal),
    subject: principal.subject,
    issuer: principal.issuer,
    tenant,
    roles: principal.roles,
    actor_chain: principal.actor_chain,
    agent: session.agent,
    client_id,
    session: session.id,
    tool: tool?.name ?? nameOf(rooms, call),
    target: targetOf(rooms, call, progress),
    args: tool === undefined ? {} : rooms.sealer.args(tool.inputs, call.args, whoOf(call)),
    effects: tool === undefined ? null : { ...tool.effects },
    rule: progress.verdict?.rule ?? progress.door?.rule ?? null,
    ...approvalIn(progress),
    trace_id: call.span.context.trace_id,
    isolation: isolationOf(rooms, tool),
    liveness: rooms.alive.factOf(credential),
    policy: call.entry.surface.policy,
    tool_hash: tool?.hash ?? null,
  };
}

function approvalIn({ approved }: Progress): Pick<CallFacts, "approved_by" | "approval"> {
  return approved ? { approved_by: approved.by, approval: approved.id } : { approved_by: null };
}

// Where it runs, or would have: a tool that is data runs nowhere, and one of a server's there.
function isolationOf({ sandbox }: Rooms, tool: ToolDefinition | undefined): string {
  if (tool === undefined || tool.kind === "declarative") return "declarative";
  if (tool.kind === "upstream")
    return sandbox?.isolationOfServer(tool.connector.name) ?? "upstream";
  return sandbox?.isolationOf(tool.kind) ?? "none";
}

export function whoOf(call: CallContext): Who {
  const { tenant = null, issuer, subject } = call.entry.credential.principal;
  return { tenant, issuer, subject };
}

type CallRecord = Intent | OutcomeRecord | RefusalRecord | ReplayRecord;

function fitted<R extends CallRecord>(rooms: Rooms, call: CallContext, record: R): R {
  if (isLight(rooms, record)) return record;
  return fitLine(record, (value) => rooms.sealer.digestOf(whoOf(call).tenant, value));
}

// Arguments and result are capped already; the rest comes out of the token, but for what a long
// path argument and many requests add. What such parts can hold fits a line, and weighing it would
// cost every call.
function isLight(rooms: Rooms, record: CallRecord): boolean {
  const target = "target" in record ? (record.target?.length ?? 0) : 0;
  const urls = "downstream" in record ? record.downstream.map(({ url }) => url.length) : [];
  const many = Math.max(urls.length - 1, 0) * REQUEST_CHARS;
  const long = urls.reduce((sum, length) => sum + length, target + many);
  return rooms.config.http.token_bytes_max <= LIGHT_TOKEN_BYTES && long <= LIGHT_CHARS;
}

// Of a tool that this session does not have. A model can put anything into a name that nobody has.
// Sealed in any case, so that no clock tells a hidden tool from one that never existed.
function nameOf(rooms: Rooms, call: CallContext): CallFacts["tool"] {
  const sealed = rooms.sealer.seal(whoOf(call), "/tool", call.tool);
  return call.tool === NO_TOOL || rooms.policy().has(call.tool) ? call.tool : sealed;
}

function targetOf(rooms: Rooms, call: CallContext, progress: Progress): string | null {
  const target = progress.door?.tool.target;
  // Only arguments that passed their schema name a record.
  if (target === undefined || progress.checked !== true) return null;
  const value = call.args[target.argument];
  if (progress.door?.tool.inputs.get(target.argument)?.ledger === "plain") {
    return `${target.kind}:${String(value)}`;
  }
  // What may not be read in the arguments may not be read in the record's name either.
  return `${target.kind}:${rooms.sealer.digestOf(whoOf(call).tenant, value)}`;
}

// A path that holds what is not readable is written as the tool's template.
function downstreamOf(rooms: Rooms, progress: Progress): CallEnd["downstream"] {
  const tool = progress.door?.tool;
  // Of a code tool's requests the readable form was made when they were.
  if (tool?.kind !== "declarative") return [...progress.attempts];
  const inPath = [...tool.inputs.values()].filter((input) => input.in === "path");
  if (inPath.every((input) => input.ledger === "plain")) return [...progress.attempts];
  const origin = originIn(rooms.config, tool.connector.name) ?? "";
  return progress.attempts.map((attempt) => ({ ...attempt, url: origin + tool.path }));
}

export function intentOf(rooms: Rooms, call: CallContext, progress: Progress): Intent {
  const { marks } = progress;
  const facts = factsOf(rooms, call, progress);
  return fitted(rooms, call, { kind: "intent", ...facts, ...(marks && { marks }) });
}

/** Something that must be on record first could not be written. */
export function unavailable(error: unknown): Refusal {
  const known = error instanceof LedgerUnavailable ? error.reason : undefined;
  return refusal("audit_unavailable", {
    retry_after_ms: 1000,
    cause: String(error),
    ...(known === undefined ? {} : { reason: CAUSES[known], details: { cause: known } }),
  });
}

// Nothing of this machine's paths reaches an agent.
const CAUSES: Readonly<Record<UnavailableCause, string>> = {
  disk_full: "Its disk is full, or nearly so.",
  read_only: "Its folder is read-only.",
  segment_missing: "One of its files was removed or replaced.",
  sink_behind: "A copy of it that is required is too far behind.",
  failed: "It has failed, and the server must be restarted.",
  closed: "The server is stopping.",
};

function endOf(
  rooms: Rooms,
  call: CallContext,
  progress: Progress,
  refused: Refusal | undefined,
): CallEnd {
  const tool = progress.door?.tool;
  const { result } = progress;
  return {
    outcome: refused === undefined ? "ok" : errorTable[refused.code].outcome,
    effect: refused?.effect ?? (refused !== undefined || tool?.effects.readOnly ? "none" : "done"),
    error_code: refused?.code ?? null,
    duration_ms: rounded(rooms.clock.monotonic() - call.started_ms),
    steps: { who: rounded(call.entry.who_ms), ...progress.steps },
    downstream: downstreamOf(rooms, progress),
    ...(progress.intended === true ? { bytes: progress.bytes } : {}),
    result:
      result === undefined || tool === undefined
        ? null
        : rooms.sealer.result(tool.output, result, whoOf(call)),
  };
}

export function outcomeOf(
  rooms: Rooms,
  call: CallContext,
  progress: Progress,
  refused: Refusal | undefined,
): OutcomeRecord {
  const ending = endOf(rooms, call, progress, refused);
  return fitted(rooms, call, { kind: "outcome", call_id: call.call_id, ...ending });
}

export function refusalOf(
  rooms: Rooms,
  call: CallContext,
  progress: Progress,
  refused: Refusal,
): RefusalRecord {
  const facts = factsOf(rooms, call, progress);
  const ending = endOf(rooms, call, progress, refused);
  return fitted(rooms, call, { kind: "refusal", ...facts, ...ending, count: 1 });
}

/** Of a call that got another's answer: by itself it did nothing, and its result stands there. */
export function replayOf(
  rooms: Rooms,
  call: CallContext,
  progress: Progress,
  refused: Refusal | undefined,
): ReplayRecord {
  const facts = factsOf(rooms, call, progress);
  const ending = {
    ...endOf(rooms, call, progress, refused),
    effect: "none",
    result: null,
  } as const;
  const replay_of = progress.first?.call_id ?? "";
  return fitted(rooms, call, { kind: "replay", ...facts, ...ending, replay_of });
}

export function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
