// How a call is answered, whatever became of it.
import { refusal, refusalToError } from "../kernel/errors.ts";
import type { Effect, Refusal } from "../kernel/errors.ts";
import type { CallAnswer, CallContext, Progress } from "./call.ts";
import type { Step } from "./steps.ts";

export function answerOf(
  { call_id, tool: asked }: CallContext,
  { door, first, result, text }: Progress,
  refused: Refusal | undefined,
): CallAnswer {
  if (refused?.code === "unknown_tool") return { kind: "unknown_tool", tool: asked };
  const replay_of = refused === first?.refusal ? first?.call_id : undefined;
  if (refused !== undefined) {
    const error = refusalToError(refused, replay_of ?? call_id);
    return { kind: "error", call_id, error, replay_of };
  }
  if (door === undefined || result === undefined) throw new Error("no result");
  return { kind: "result", call_id, tool: door.tool, result, text, replay_of };
}

// By the step where it broke: up to as_whom nothing ran; after run, it is done (DESIGN section 4).
export function effectAt(step: Step | undefined, progress: Progress): Effect {
  if (progress.door?.tool.effects.readOnly !== false) return "none";
  const sent = progress.sent_unsafe === true;
  if (step?.name === "run") return sent ? "unknown" : "none";
  return sent && (step?.name === "contract" || step?.name === "release") ? "done" : "none";
}

// Whoever tries once more must know that nobody has said yes to that.
export function saidOfYes({ approved, intended }: Progress, refused: Refusal | undefined) {
  if (refused === undefined || approved === undefined || intended !== true) return refused;
  const { reason } = refused;
  return { ...refused, reason: reason === undefined ? SPENT : `${reason} ${SPENT}` };
}

const SPENT = "The user's approval is used up: another try needs another.";

export function unrecorded(progress: Progress): Refusal {
  const sent = progress.sent_unsafe === true;
  const effect = !sent ? "none" : progress.answer === undefined ? "unknown" : "done";
  return refusal("outcome_unrecorded", { effect });
}
