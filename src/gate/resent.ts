// Between what a call asks and the human's yes: whether it was sent before. Who sends a write once
// more passes every check anew but that, and gets the first answer; nothing runs a second time.
import { refusal } from "../kernel/errors.ts";
import type { Effect, Refusal } from "../kernel/errors.ts";
import { reachableOf } from "../session/reach.ts";
import type { CallContext, Progress, Rooms } from "./call.ts";
import { found } from "./found.ts";
import { whoOf } from "./records.ts";
import type { Ended, Lost, Sent } from "./resends.ts";

type No = Refusal | undefined;

const FULL_RETRY_MS = 60_000;

export async function resent(rooms: Rooms, call: CallContext, progress: Progress): Promise<No> {
  const { tool } = found(progress);
  // What code calls comes again only with the call that it is part of.
  if (tool.effects.readOnly || call.parent !== undefined) return undefined;
  const sent = sentOf(rooms, call, progress);
  progress.marks = sent.marks;
  for (;;) {
    const claimed = rooms.resends.claim(sent, call.delivered);
    switch (claimed.kind) {
      case "first":
        progress.claim = claimed.first;
        return undefined;
      case "other_arguments":
        return refusal("idempotency_conflict", { details: { first_call_id: claimed.call_id } });
      case "full": {
        const { limit, scope } = claimed;
        return refusal("capacity", {
          reason: "So many answers are kept for calls with a key that no more can be promised.",
          retry_after_ms: FULL_RETRY_MS,
          details: { limit, scope, remaining: 0 },
        });
      }
      case "again": {
        const { again } = claimed;
        progress.again = again;
        const gone = await waited(call, again.over);
        if (gone !== undefined) return gone;
        const answer = again.answer(tool.hash);
        if (answer !== undefined) return take(progress, again.call_id, answer);
        delete progress.again;
      }
    }
  }
}

function sentOf(rooms: Rooms, call: CallContext, progress: Progress): Sent {
  const { tool } = found(progress);
  const { call_id, args, idempotency_key: key, entry } = call;
  const who = whoOf(call);
  const digest = (...what: unknown[]): string => rooms.sealer.digestOf(who.tenant, what);
  const marks = {
    key: key === undefined ? null : digest("idempotency_key", key),
    args: digest("arguments", args),
  };
  const whose = reachableOf(entry.credential);
  return { call_id, tool: tool.name, tool_hash: tool.hash, marks, who, whose };
}

// The first one may still run: it is waited for as long as this one may go on.
async function waited({ signal, watch }: CallContext, over: Promise<void>): Promise<No> {
  const gone = Promise.withResolvers<void>();
  const signals = AbortSignal.any([signal, watch.signal]);
  signals.addEventListener("abort", () => gone.resolve(), { once: true });
  if (signals.aborted) gone.resolve();
  await Promise.race([over, gone.promise]);
  return watch.ended() ?? (signal.aborted ? refusal("cancelled", { effect: "none" }) : undefined);
}

function take(progress: Progress, call_id: string, answer: Ended | Lost): undefined {
  if ("result" in answer) {
    progress.result = answer.result;
    progress.text = JSON.stringify(answer.result);
    progress.first = { call_id, effect: "done", refusal: undefined };
    return undefined;
  }
  const said = "lost" in answer ? lost(call_id, answer.lost) : answer.refusal;
  progress.first = { call_id, effect: said.effect, refusal: said };
  return undefined;
}

function lost(first_call_id: string, effect: Effect): Refusal & { readonly effect: Effect } {
  const what =
    effect === "done"
      ? "It was carried out: do not repeat it."
      : "Whether it was carried out, nobody knows: look, before you send it with another key.";
  const reason = `${what} Its record in the audit log is ${first_call_id}.`;
  return { ...refusal("answer_lost", { reason, details: { first_call_id } }), effect };
}

/** What whoever sends this call again will get: nothing, where nothing ran. */
function endedAs({ result }: Progress, refused: Refusal | undefined): Ended | undefined {
  if (refused === undefined) return result && { result };
  const { cause: _, effect = "none", ...said } = refused;
  return effect === "none" ? undefined : { refusal: { ...said, effect } };
}

/** Gives up, or answers, whatever this call held of others. */
export function leave(progress: Progress, refused: Refusal | undefined): void {
  const { claim, again, first } = progress;
  claim?.end(endedAs(progress, refused));
  again?.leave(first !== undefined && refused === first.refusal);
}
