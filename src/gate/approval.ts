// Step 5: a call that needs a human's yes has one, for exactly this. The call is never held: it is
// refused with a link, and made again; then every step is gone through anew, this one among them.
import { originIn } from "../config/connector.ts";
import { connectorOf } from "../catalog/definition.ts";
import { refusal } from "../kernel/errors.ts";
import type { Refusal } from "../kernel/errors.ts";
import { canonicalJson } from "../kernel/ids.ts";
import type { Bound, Question, Shown } from "./approvals.ts";
import type { CallContext, Entry, Progress, Rooms } from "./call.ts";
import { found } from "./found.ts";
import { unavailable, whoOf } from "./records.ts";

type No = Refusal | undefined;

// What can be read by one who is to decide by it; and what is held for each question.
const CHARS_MAX = 32_768;

export async function approval(rooms: Rooms, call: CallContext, progress: Progress): Promise<No> {
  if (!isDemanded(progress)) return undefined;
  // Its code would ask in somebody's name whom nobody sees; its tools read only, as it is.
  if (call.parent !== undefined) {
    const reason = "Code cannot ask for it: call the tool itself.";
    return refusal("confirmation_required", { reason });
  }
  const bound = boundOf(call, progress);
  if (canonicalJson(bound.args).length > CHARS_MAX) {
    const reason = `Nobody can read so much: at most ${CHARS_MAX} characters of arguments.`;
    return refusal("confirmation_required", { reason, details: { chars_max: CHARS_MAX } });
  }
  const unheard = await hear(rooms, call, bound);
  if (unheard !== undefined) return unheard;
  const asked = rooms.approvals.ask(bound, () => questionOf(rooms, call, progress, bound));
  switch (asked.kind) {
    case "approved":
      progress.approved = asked.claim;
      return undefined;
    case "waiting":
      return waiting(rooms, call, asked.id, asked.left_ms);
    case "declined":
      return refusal("confirmation_declined", { details: { ends: endOf(rooms, asked.left_ms) } });
    case "full": {
      const { limit, scope } = asked;
      return refusal("capacity", {
        reason: `Too many calls wait for a human's yes, or got a no: ${limit}, of this ${scope}.`,
        retry_after_ms: 60_000,
        details: { limit, scope, remaining: 0 },
      });
    }
  }
}

// By the tool's grant, or by a rule that looked at the arguments.
function isDemanded({ verdict }: Progress): boolean {
  if (verdict?.allowed !== true) throw new Error("approval before arguments");
  return verdict.approve !== undefined;
}

/** What a dry run says of it: nobody is asked, and no yes is used. */
export function wouldAsk(_rooms: Rooms, _call: CallContext, progress: Progress): No {
  if (!isDemanded(progress)) return undefined;
  return refusal("confirmation_required", { reason: "This was a dry run, so nobody was asked." });
}

/** Whether this client's own question to its user counts: only where the operator listed it. */
export function isTrustedToAsk({ config }: Pick<Rooms, "config">, { credential }: Entry): boolean {
  const { issuer_name, client_id } = credential;
  return config.issuers[issuer_name]?.trusted_to_ask.includes(client_id) === true;
}

// What a client says that its user said, of a question that we put before.
async function hear(rooms: Rooms, { said, entry }: CallContext, bound: Bound): Promise<No> {
  if (said === undefined || !isTrustedToAsk(rooms, entry)) return undefined;
  const { word, approval: id } = said;
  // A repeated answer must not answer the question that came after it.
  if (rooms.approvals.find(bound) !== id) return undefined;
  try {
    await rooms.approvals.decide(id, word === "yes", "client");
    return undefined;
  } catch (error) {
    return unavailable(error);
  }
}

function waiting(rooms: Rooms, { entry }: CallContext, id: string, left_ms: number): No {
  const { config } = rooms;
  const page = `${config.public_url}/approve/${id}`;
  const { issuer_name } = entry.credential;
  // Where people come from several providers, hers is named: the page must not tell from the link.
  const several = Object.keys(config.issuers).length > 1;
  const url = several ? `${page}?issuer=${encodeURIComponent(issuer_name)}` : page;
  const reason =
    "Give the user this link, where it can be read and approved; then call again with the same " +
    `arguments. A yes is for one call. ${url}`;
  const details = { url, approval: id, ends: endOf(rooms, left_ms) };
  return refusal("confirmation_required", { reason, details });
}

function endOf({ clock }: Rooms, left_ms: number): string {
  return new Date(clock.now() + left_ms).toISOString();
}

function boundOf(call: CallContext, progress: Progress): Bound {
  const { session } = call.entry;
  const { tool } = found(progress);
  return {
    who: whoOf(call),
    agent: session.agent,
    client_id: session.client_id,
    tool: tool.name,
    tool_hash: tool.hash,
    policy: call.entry.policy.hash,
    args: call.args,
  };
}

function questionOf(rooms: Rooms, call: CallContext, progress: Progress, bound: Bound): Question {
  const { tool } = found(progress);
  const { session, credential } = call.entry;
  return {
    bound,
    shown: shownOf(rooms, progress, bound),
    call_id: call.call_id,
    session: session.id,
    family: credential.family,
    args_kept: rooms.sealer.args(tool.inputs, call.args, bound.who),
  };
}

function shownOf({ config }: Rooms, progress: Progress, bound: Bound): Shown {
  const { tool } = found(progress);
  const connector = connectorOf(tool);
  const origin = connector && originIn(config, connector.name);
  return {
    agent: config.agents[bound.agent]?.title ?? bound.agent,
    client_id: bound.client_id,
    tool: tool.name,
    title: tool.title,
    destructive: tool.effects.destructive,
    connector: connector && { title: connector.title, origin: origin ?? "" },
    args: bound.args,
    request: progress.request,
    uses: tool.kind === "code" ? [...tool.uses] : [],
  };
}
