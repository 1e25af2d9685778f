// The path of a call, step by step (DESIGN section 4). Each says no with a refusal, or nothing.
// The order is the order of this list; a step cannot skip or repeat another.
import type { DeclarativeTool } from "../catalog/definition.ts";
import { operationOf } from "../catalog/notices.ts";
import { followedIn } from "../catalog/pagination.ts";
import { isLocal } from "../config/connector.ts";
import type { Mismatch } from "../contract/schema.ts";
import { BYTES_PER_TOKEN } from "../config/limits.ts";
import { refusal } from "../kernel/errors.ts";
import type { Effect, Refusal } from "../kernel/errors.ts";
import { own } from "../kernel/own.ts";
import { no } from "../kernel/result.ts";
import type { Result } from "../kernel/result.ts";
import type { BrokerAnswer } from "../sandbox/broker.ts";
import type { BrokerRequest } from "../sandbox/request.ts";
import { formatTraceparent } from "../telemetry/trace.ts";
import { approval, wouldAsk } from "./approval.ts";
import { fits } from "./fits.ts";
import { found, stopOn } from "./found.ts";
import { resent } from "./resent.ts";
import { idempotencyKey, runCode, runGenerated } from "./run-code.ts";
import { runUpstream } from "./run-upstream.ts";
import type { CallContext, Progress, Rooms } from "./call.ts";
import { factsOf, notAllowed, rejudged, shadowOf } from "./judge.ts";
import { intentOf, unavailable } from "./records.ts";
import { narrowed, readPages, shapeOf, unsaidRest } from "./whole.ts";
import type { Bounds } from "./whole.ts";

type No = Refusal | undefined;
type StepName =
  | "alive"
  | "door"
  | "arguments"
  | "resent"
  | "approval"
  | "limits"
  | "intent"
  | "as_whom"
  | "run"
  | "contract"
  | "release";

export interface Step {
  readonly name: StepName;
  readonly run: (rooms: Rooms, call: CallContext, progress: Progress) => Promise<No> | No;
}

const JUDGE: readonly Step[] = [
  { name: "alive", run: alive },
  { name: "door", run: door },
  { name: "arguments", run: checkArguments },
];

/** Steps 2 to 5 of a call that is none: nothing is taken, asked, written or sent. */
export const DRY: readonly Step[] = [...JUDGE, { name: "approval", run: wouldAsk }];

const RUN: readonly Step[] = [
  { name: "approval", run: approval },
  { name: "limits", run: limits },
  { name: "intent", run: intent },
  { name: "as_whom", run: asWhom },
  { name: "run", run },
  { name: "contract", run: contract },
];

/** Every step of a call, in order; what was sent before is answered, and does not run. */
export function* pathOf(progress: Progress): Generator<Step, undefined> {
  yield* JUDGE;
  yield { name: "resent", run: resent };
  if (progress.first === undefined) yield* RUN;
  yield { name: "release", run: release };
}

function alive(_rooms: Rooms, { entry }: CallContext): No {
  return entry.stopped;
}

function door(rooms: Rooms, { entry, tool }: CallContext, progress: Progress): No {
  const open = entry.surface.get(tool);
  if (open === undefined) return refusal("unknown_tool");
  progress.door = open;
  return stopOn(rooms, open.tool);
}

function checkArguments(rooms: Rooms, call: CallContext, progress: Progress): No {
  const { args } = call;
  const { tool } = found(progress);
  const request = fits(tool, args, rooms.config.limits.request_bytes_max);
  if (!request.ok) return request.refusal;
  if (request.value !== undefined) progress.request = request.value;
  progress.checked = true;
  progress.verdict = found(progress).judge(args, factsOf(rooms, call));
  if (!progress.verdict.allowed) return notAllowed(progress.verdict.forbidden);
  const shadowed = shadowOf(rooms, call, progress.verdict);
  if (shadowed !== undefined) progress.shadowed = shadowed;
  return undefined;
}

function limits(rooms: Rooms, { entry, args }: CallContext, progress: Progress): No {
  const { tool } = found(progress);
  const taken = rooms.limits.take(entry, { tool, args });
  if (!taken.ok) return taken.refusal;
  progress.lease = taken.value;
  return undefined;
}

// "written durably before the effect": the next step may not begin until this one resolves.
async function intent(rooms: Rooms, call: CallContext, progress: Progress): Promise<No> {
  try {
    await rooms.ledger.intent(intentOf(rooms, call, progress));
    progress.intended = true;
    // On record as used: from here on it is, whatever comes of the call.
    progress.approved?.spend();
    return undefined;
  } catch (error) {
    return unavailable(error);
  }
}

async function asWhom(rooms: Rooms, call: CallContext, progress: Progress): Promise<No> {
  const { tool } = found(progress);
  // Generated code has no token: each tool that it calls obtains its own.
  if (tool.kind === "generated") return undefined;
  const { credential } = call.entry;
  const gone = (await rooms.alive.again(call.watch)) ?? rejudged(rooms, call, progress.verdict);
  if (gone !== undefined) return gone;
  const { name } = tool.connector;
  const connector = own(rooms.config.connectors, name);
  // A server in the sandbox has nothing to reach, as anybody.
  if (connector !== undefined && isLocal(connector)) return hungUp(call);
  const token = await rooms.delegation.token(credential, name, tool.scopes);
  if (!token.ok) return token.refusal;
  progress.token = token.value;
  return hungUp(call);
}

function hungUp({ signal }: CallContext): No {
  return signal.aborted ? refusal("cancelled", { effect: "none" }) : undefined;
}

function run(rooms: Rooms, call: CallContext, progress: Progress): Promise<No> {
  const { tool } = found(progress);
  switch (tool.kind) {
    case "declarative":
      return dispatch(rooms, call, progress, tool);
    case "code":
      return runCode(rooms, call, progress, tool);
    case "upstream":
      return runUpstream(rooms, call, progress, tool);
    case "generated":
      return runGenerated(rooms, call, progress, tool);
  }
}

async function dispatch(
  rooms: Rooms,
  call: CallContext,
  progress: Progress,
  tool: DeclarativeTool,
): Promise<No> {
  const { request } = progress;
  if (request === undefined) throw new Error("run before arguments");
  const ask = (page: BrokerRequest, bounds: Bounds) => {
    return send(rooms, call, progress, tool, page, bounds);
  };
  const answer =
    followedIn(tool) === undefined
      ? await ask(request, tool)
      : await readPages(rooms, progress, tool, request, {
          ask,
          again: async () => stoppedBetween(rooms, tool) ?? (await asWhom(rooms, call, progress)),
        });
  if (!answer.ok) {
    const { effect = "none" } = answer.refusal;
    // Where it broke off because access ended, that is why; what happened by then is as it is.
    const why = call.watch.ended();
    return why === undefined ? narrowed(tool, answer.refusal) : { ...why, effect };
  }
  progress.answer = answer.value;
  return undefined;
}

function stoppedBetween(rooms: Rooms, tool: DeclarativeTool): No {
  const stop = stopOn(rooms, tool);
  const reason = "It was stopped while its pages were read.";
  return stop && refusal(stop.code, { effect: "none", reason });
}

async function send(
  rooms: Rooms,
  call: CallContext,
  progress: Progress,
  tool: DeclarativeTool,
  request: BrokerRequest,
  { timeout_ms, response_bytes_max }: Bounds,
): Promise<Result<BrokerAnswer>> {
  const { token } = progress;
  if (token === undefined) throw new Error("run before as_whom");
  // It may have ended while the token was fetched: then nothing is sent.
  const gone = call.watch.ended();
  if (gone !== undefined) return no(gone);
  const at = progress.attempts.length;
  return rooms.broker.dispatch(
    {
      connector: tool.connector,
      request,
      token: token.token,
      call_id: call.call_id,
      traceparent: formatTraceparent(call.span.context),
      idempotency_key: idempotencyKey(call, tool, 0),
      timeout_ms,
      response_bytes_max,
      effect_if_sent: tool.effects.readOnly ? "none" : "unknown",
      // A write that was sent runs to its deadline: hanging up does not unsend it. Losing access
      // ends even that: what has not been sent yet must not be.
      signals: tool.effects.readOnly ? [call.signal, call.watch.signal] : [call.watch.signal],
      moved: (bytes) => (progress.bytes += bytes),
      heard: (headers) => rooms.notices.heard(tool.name, operationOf(tool), headers),
    },
    (attempt) => {
      progress.attempts[at] = attempt;
      progress.sent_unsafe = !tool.effects.readOnly;
    },
  );
}

const MADE = "The change itself was made: do not repeat it.";

function contract(rooms: Rooms, call: CallContext, progress: Progress): No {
  const { tool } = found(progress);
  const { value, drift } = shapeOf(tool, progress.answer);
  const isOurs = tool.kind === "code" || tool.kind === "generated";
  if (drift.length > 0 && isOurs) return wrongShape(progress, drift);
  if (drift.length === 0) rooms.notices.fit(tool);
  else {
    rooms.notices.misfit(tool, call.args, drift);
    const effect: Effect = tool.effects.readOnly ? "none" : "done";
    const reason = effect === "done" ? MADE : "";
    const details = {
      answer: drift.slice(0, 10).map(({ path, expected }) => ({ path, expected })),
    };
    return refusal("contract_drift", { effect, details, ...(reason === "" ? {} : { reason }) });
  }
  const rest =
    tool.kind === "declarative" ? unsaidRest(tool, call.args, progress.answer) : undefined;
  if (rest !== undefined) return rest;
  progress.result = value;
  // What goes into code and not to the model is bounded there.
  return call.parent === undefined ? resultTooLong(rooms, progress, value) : undefined;
}

function resultTooLong({ config }: Rooms, progress: Progress, value: object): No {
  const { tool } = found(progress);
  progress.text = JSON.stringify(value);
  const tokens = Math.ceil(Buffer.byteLength(progress.text) / BYTES_PER_TOKEN);
  const max = config.limits.result_tokens_max;
  if (tokens <= max) return undefined;
  const effect: Effect = tool.effects.readOnly ? "none" : "done";
  const said = `It has about ${tokens} tokens, and ${max} are allowed.`;
  const details = { limit: "result_tokens_max", tokens, max };
  if (effect === "none")
    return narrowed(tool, refusal("result_too_large", { reason: said, details }));
  return refusal("result_too_large", { effect, reason: `${said} ${MADE}`, details });
}

// Revocation is looked at once more: whoever lost access meanwhile gets no answer.
async function release(rooms: Rooms, call: CallContext, progress: Progress): Promise<No> {
  const gone = (await rooms.alive.again(call.watch)) ?? rejudged(rooms, call, progress.verdict);
  if (gone === undefined) return undefined;
  if (found(progress).tool.effects.readOnly) return { ...gone, effect: "none" };
  const effect = progress.first?.effect ?? "done";
  if (effect !== "done") return { ...gone, effect };
  const reason = gone.reason === undefined ? MADE : `${gone.reason} ${MADE}`;
  return { ...gone, effect, reason };
}

// Its own code answered something else than it says: that is the tool's mistake, not the API's.
function wrongShape(progress: Progress, drift: readonly Mismatch[]): No {
  const [first] = drift;
  const cause = `its result: ${first?.path || "/"} was expected ${first?.expected ?? ""}`;
  return refusal("tool_error", {
    cause,
    effect: progress.sent_unsafe === true ? "unknown" : "none",
  });
}
